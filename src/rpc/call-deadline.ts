import type { Clock } from '../env/clock.ts';
import type { MonotonicMillis } from '../model/numbers.ts';

/** Until when one call waits. It waits for one thing at a time. */
export class CallDeadline {
  readonly #clock: Clock;
  readonly #untilMs: MonotonicMillis;
  #hasEnded = false;
  #end: () => void = () => {};

  constructor(clock: Clock, withinMs: number) {
    this.#clock = clock;
    this.#untilMs = (clock.monotonicMs() + withinMs) as MonotonicMillis;
  }

  get isOver(): boolean {
    return this.#hasEnded || this.#clock.monotonicMs() >= this.#untilMs;
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.#hasEnded = true;
    this.#end();
  }

  /** Resolves with true when `awaited` does, or with false when the deadline is over. */
  async holds(awaited: Promise<void>): Promise<boolean> {
    if (this.isOver) return false;
    const over = new Promise<boolean>((resolve) => {
      this.#end = () => resolve(false);
    });
    const timer = this.#clock.setTimer(this.#untilMs - this.#clock.monotonicMs(), () => this.#end());
    const isReached = await Promise.race([awaited.then(() => true), over]);
    timer.cancel();
    return isReached;
  }
}
