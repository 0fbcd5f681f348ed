import type { Clock, Timer } from './clock.ts';

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Calls back once, at a moment that is mostly put off before it comes. Putting it off costs nothing: the clock's timer
 * runs on, and is set anew when it finds that it is too early.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #timer: Timer | null = null;
  #timerAtMs = NEVER;
  #atMs = NEVER;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** On the clock's monotonic time; Infinity: it is not set. */
  get atMs(): number {
    return this.#atMs;
  }

  /** Instead of whatever moment was set before. */
  set(atMs: number): void {
    this.#atMs = atMs;
    if (atMs < this.#timerAtMs) this.#wait();
  }

  /** Leaves no timer behind. */
  cancel(): void {
    this.#atMs = NEVER;
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerAtMs = NEVER;
  }

  #wait(): void {
    this.#timer?.cancel();
    this.#timerAtMs = this.#atMs;
    // Whole milliseconds, as timers have: never too early by a fraction, and so again and again.
    const delayMs = Math.max(0, Math.ceil(this.#atMs - this.#clock.monotonicMs()));
    this.#timer = this.#clock.setTimer(delayMs, () => this.#look());
  }

  #look(): void {
    this.#timer = null;
    this.#timerAtMs = NEVER;
    if (this.#atMs === NEVER) return;
    if (this.#clock.monotonicMs() < this.#atMs) {
      this.#wait();
      return;
    }
    this.#atMs = NEVER;
    this.#ring();
  }
}
