import type { Clock } from '../env/clock.ts';
import type { ShutdownReply } from '../model/control-messages.ts';

export interface ControlledShutdownTimes {
  readonly retryMs: number;
  readonly shutdownMsMax: number;
}

/** Asks the controller, again and again, to relieve this node of everything, until it has or the time is over. */
export class ControlledShutdown {
  /** How many partitions the node still leads, as last heard: 0 unless time ran out. */
  readonly done: Promise<number>;
  readonly #times: ControlledShutdownTimes;
  readonly #clock: Clock;
  readonly #request: () => void;
  #remaining = -1;
  #end: (remaining: number) => void = () => {};

  constructor(times: ControlledShutdownTimes, clock: Clock, request: () => void) {
    this.#times = times;
    this.#clock = clock;
    this.#request = request;
    this.done = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#ask(clock.monotonicMs() + times.shutdownMsMax);
  }

  answered(reply: ShutdownReply): void {
    this.#remaining = reply.remaining;
    if (reply.remaining === 0) this.#end(0);
  }

  #ask(deadlineMs: number): void {
    if (this.#remaining === 0) return;
    if (this.#clock.monotonicMs() >= deadlineMs) {
      this.#end(this.#remaining);
      return;
    }
    this.#request();
    this.#clock.setTimer(this.#times.retryMs, () => this.#ask(deadlineMs));
  }
}
