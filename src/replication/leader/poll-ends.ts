import { Alarm } from '../../env/alarm.ts';
import type { Clock } from '../../env/clock.ts';
import { asMonotonicMillis, type MonotonicMillis } from '../../model/numbers.ts';

/**
 * The moments at which fetches end that find nothing: the same for all partitions that a node leads, and told to all in one turn. So of all
 * that is idle between two nodes there is one frame with the replies, and one with what is fetched next, not one for each partition. Nobody
 * waits for longer than `pollMsMax`.
 */
export class PollEnds {
  readonly #clock: Clock;
  readonly #pollMsMax: number;
  readonly #alarm: Alarm;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, pollMsMax: number) {
    this.#clock = clock;
    this.#pollMsMax = pollMsMax;
    this.#alarm = new Alarm(clock, () => this.#ring());
  }

  /** The next of these moments; `ended` is called then, once, however often it was given. */
  await(ended: () => void): MonotonicMillis {
    const endAtMs = this.#next();
    this.#waiting.add(ended);
    if (endAtMs < this.#alarm.atMs) this.#alarm.set(endAtMs);
    return endAtMs;
  }

  /** It is not called any more. */
  forget(ended: () => void): void {
    this.#waiting.delete(ended);
    if (this.#waiting.size === 0) this.#alarm.cancel();
  }

  #next(): MonotonicMillis {
    const polls = Math.floor(this.#clock.monotonicMs() / this.#pollMsMax) + 1;
    return asMonotonicMillis(polls * this.#pollMsMax);
  }

  #ring(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const ended of waiting) ended();
  }
}
