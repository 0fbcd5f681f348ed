import type { EventHost, ScheduledEvent, Scheduler } from './scheduler.ts';

/**
 * One life of one process: from its start to its end. While its event loop stands still, what is due waits and then
 * happens in order; once it has ended, nothing of it happens any more.
 */
export class Life implements EventHost {
  readonly #scheduler: Scheduler;
  readonly #onFailure: (error: unknown) => void;
  #isAlive = true;
  #stalledUntilMs = 0;
  #timersFirst = false;
  #backlog: ScheduledEvent[] = [];

  constructor(scheduler: Scheduler, onFailure: (error: unknown) => void) {
    this.#scheduler = scheduler;
    this.#onFailure = onFailure;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isStalled(): boolean {
    return this.#scheduler.nowMs < this.#stalledUntilMs;
  }

  end(): void {
    this.#isAlive = false;
    this.#backlog = [];
  }

  /**
   * The event loop runs again `ms` from now, unless it stands still for longer already. `timersFirst`: timers that came
   * due go before sockets and disk, as in a process that was stopped.
   */
  stall(ms: number, timersFirst: boolean): void {
    const untilMs = this.#scheduler.nowMs + ms;
    if (untilMs <= this.#stalledUntilMs) return;
    this.#stalledUntilMs = untilMs;
    this.#timersFirst = timersFirst;
    this.#scheduler.at(untilMs, null, () => this.#goOn());
  }

  /** Ends a stall before its time. */
  wake(): void {
    this.#stalledUntilMs = 0;
    this.#goOn();
  }

  admit(event: ScheduledEvent): boolean {
    if (!this.#isAlive) return false;
    // By the event's own time: the scheduler's still stands at the event before it.
    if (event.atMs >= this.#stalledUntilMs) return true;
    this.#backlog.push(event);
    return false;
  }

  failed(error: unknown): void {
    this.#onFailure(error);
  }

  #goOn(): void {
    if (this.isStalled || this.#backlog.length === 0) return;
    const due = this.#backlog;
    this.#backlog = [];
    const { nowMs } = this.#scheduler;
    const ordered = this.#timersFirst
      ? [...due.filter(({ isTimer }) => isTimer), ...due.filter(({ isTimer }) => !isTimer)]
      : due;
    for (const late of ordered)
      this.#scheduler.at(nowMs, this, () => {
        if (!late.isCancelled) late.run();
      });
  }
}
