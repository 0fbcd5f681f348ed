import type { MonotonicMillis } from '../model/numbers.ts';
import type { Clock } from './clock.ts';

const KEYS_MAX = 256;

/** For what happens again and again and is worth a line now and then: each key at most once in `intervalMs`. */
export class Seldom {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #toldAt = new Map<string, MonotonicMillis>();

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** True: say it; the next time is after the interval. */
  isDue(key: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const toldAtMs = this.#toldAt.get(key);
    if (toldAtMs !== undefined && nowMs - toldAtMs < this.#intervalMs) return false;
    if (this.#toldAt.size >= KEYS_MAX) this.#toldAt.clear();
    this.#toldAt.set(key, nowMs);
    return true;
  }
}
