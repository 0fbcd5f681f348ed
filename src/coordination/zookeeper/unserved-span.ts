import type { MonotonicMillis } from '../../model/numbers.ts';

/**
 * W14's time: for how long servers have taken our connections while none gave us the session (H18). Where nobody takes
 * one it does not go on, and after a long enough gap it begins anew: that ZooKeeper is away proves nothing (W12).
 */
export class UnservedSpan {
  #sinceMs: MonotonicMillis | null = null;
  #lastMs: MonotonicMillis | null = null;

  /** A server has taken a connection. */
  accepted(nowMs: MonotonicMillis): void {
    this.#sinceMs ??= nowMs;
    this.#lastMs = nowMs;
  }

  /** The session is served, or what was counted is not to be trusted. */
  forget(): void {
    this.#sinceMs = null;
    this.#lastMs = null;
  }

  /** From the first connection taken to the last. `gapMsMax`: the longest time from one to the next. */
  lengthMs(nowMs: MonotonicMillis, gapMsMax: number): number {
    if (this.#sinceMs === null || this.#lastMs === null) return 0;
    if (nowMs - this.#lastMs <= gapMsMax) return this.#lastMs - this.#sinceMs;
    this.forget();
    return 0;
  }
}
