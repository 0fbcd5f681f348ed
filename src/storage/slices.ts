import type { Clock } from '../env/clock.ts';
import { LIMITS } from '../model/limits.ts';

/** How often the clock is read: it costs about as much as a record. */
const CHECK_EVERY = 256;

/**
 * Cuts long work into slices, so that no turn of the event loop is held for longer than LIMITS.sliceMsMax: a stall
 * is seen by every client of the node, and by its peers.
 */
export class Slices {
  readonly #clock: Clock;
  #startedAtMs: number;
  #countdown = CHECK_EVERY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAtMs = clock.monotonicMs();
  }

  /** Call once per unit of work; when it says true, await `rest`. */
  get isSpent(): boolean {
    return this.isSpentAfter(1);
  }

  /** The same for many units at once. */
  isSpentAfter(units: number): boolean {
    this.#countdown -= units;
    if (this.#countdown > 0) return false;
    this.#countdown = CHECK_EVERY;
    return this.#clock.monotonicMs() - this.#startedAtMs >= LIMITS.sliceMsMax;
  }

  async rest(): Promise<void> {
    await this.#clock.yieldTurn();
    this.#startedAtMs = this.#clock.monotonicMs();
  }
}
