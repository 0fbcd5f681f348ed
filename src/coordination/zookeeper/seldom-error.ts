import type { Clock } from '../../env/clock.ts';
import type { LogFields, Logger } from '../../env/logger.ts';
import type { MonotonicMillis } from '../../model/numbers.ts';

const INTERVAL_MS = 60_000;

/** Logs once of what happens again and again: an error of the same key at most once a minute. Keys must be few. */
export class SeldomError {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #toldAt = new Map<string, MonotonicMillis>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  tell(key: string, fields: LogFields, text: string): void {
    const now = this.#clock.monotonicMs();
    const toldAt = this.#toldAt.get(key);
    if (toldAt !== undefined && now - toldAt < INTERVAL_MS) return;
    this.#toldAt.set(key, now);
    this.#logger.error(fields, text);
  }
}
