import type { Clock } from '../env/clock.ts';
import type { LogFields, Logger } from '../env/logger.ts';
import type { MonotonicMillis } from '../model/numbers.ts';

const INTERVAL_MS = 10_000;
const TEXTS_MAX = 256;

/** Warns once of what happens again and again: the same text at most every ten seconds. */
export class SeldomWarning {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #toldAt = new Map<string, MonotonicMillis>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  warn(fields: LogFields, text: string): void {
    const now = this.#clock.monotonicMs();
    const toldAt = this.#toldAt.get(text);
    if (toldAt !== undefined && now - toldAt < INTERVAL_MS) return;
    if (this.#toldAt.size >= TEXTS_MAX) this.#toldAt.clear();
    this.#toldAt.set(text, now);
    this.#logger.warn(fields, text);
  }
}
