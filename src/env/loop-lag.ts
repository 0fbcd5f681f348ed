import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** A stall is seen that is longer than that; each step wakes an idle process. */
const RESOLUTION_MS = 25;
const WINDOW_MS = 5_000;

/** Watches how long the event loop is held by one turn. */
export class LoopLag {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #windowStartedAtMs = performance.now();
  #lastWindowMs = 0;

  start(): void {
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** Largest delay in milliseconds within the last 5 to 10 seconds. */
  largestMs(): number {
    const measuredMs = Math.max(0, this.#histogram.max / 1e6 - RESOLUTION_MS);
    const nowMs = performance.now();
    if (nowMs - this.#windowStartedAtMs >= WINDOW_MS) {
      this.#lastWindowMs = measuredMs;
      this.#histogram.reset();
      this.#windowStartedAtMs = nowMs;
    }
    return Math.max(measuredMs, this.#lastWindowMs);
  }
}
