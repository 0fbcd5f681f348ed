import type { Clock } from '../env/clock.ts';
import type { LogFields, Logger } from '../env/logger.ts';
import { Seldom } from '../env/seldom.ts';

const INTERVAL_MS = 10_000;

/** Warns once of what happens again and again: the same text at most every ten seconds. */
export class SeldomWarning {
  readonly #logger: Logger;
  readonly #seldom: Seldom;

  constructor(clock: Clock, logger: Logger) {
    this.#logger = logger;
    this.#seldom = new Seldom(clock, INTERVAL_MS);
  }

  warn(fields: LogFields, text: string): void {
    if (this.#seldom.isDue(text)) this.#logger.warn(fields, text);
  }
}
