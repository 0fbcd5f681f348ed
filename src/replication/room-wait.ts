import type { Clock, Timer } from '../env/clock.ts';
import { CaskadeError } from '../model/errors.ts';
import { FlushFailure } from '../storage/flush-failure.ts';

const FIRST_WAIT_MS = 200;
const WAIT_MS_MAX = 5_000;

/** Between two attempts of a change of files that found no room on the disk: twice as long each time in a row. */
export class RoomWait {
  readonly #clock: Clock;
  #waitMs = FIRST_WAIT_MS;
  #timer: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls back once, later; one attempt waits at a time. */
  again(attempt: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(this.#waitMs, attempt);
    this.#waitMs = Math.min(WAIT_MS_MAX, this.#waitMs * 2);
  }

  /** There was room: the next wait is a short one again. */
  reset(): void {
    this.#waitMs = FIRST_WAIT_MS;
  }

  /** Nothing is tried again any more. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.reset();
  }
}

/** A full disk was met before anything was changed: what storage throws as `diskFull`, or a batch for which it could make no room. */
export function foundNoRoom(error: unknown): boolean {
  if (error instanceof FlushFailure) return error.stage === 'reserve' && foundNoRoom(error.cause);
  return error instanceof CaskadeError && error.code === 'diskFull';
}
