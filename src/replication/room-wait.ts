import type { Clock, Timer } from '../env/clock.ts';
import { isDiskFull } from '../model/errors.ts';
import { FlushFailure } from '../storage/flush-failure.ts';

const FIRST_WAIT_MS = 200;
const WAIT_MS_MAX = 5_000;

/**
 * Between two attempts of changes of files that found no room on the disk: twice as long each time in a row. Changes
 * that wait at the same time share the wait, each under a name of its own; they are tried in the order in which they
 * began to wait.
 */
export class RoomWait {
  readonly #clock: Clock;
  readonly #attempts = new Map<string, () => void>();
  #waits = 0;
  #timer: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something is to be tried again. */
  get isWaiting(): boolean {
    return this.#attempts.size > 0;
  }

  /** Waits in a row after which there was no room; the one that runs counts. */
  get waits(): number {
    return this.#waits;
  }

  /**
   * Calls back once, later. Only what waits under the same name gives way to it: `attempt` must do what that one was to
   * do. What waits under other names goes on waiting, and no longer than it would have.
   */
  again(name: string, attempt: () => void): void {
    this.#attempts.delete(name);
    this.#attempts.set(name, attempt);
    if (this.#timer !== null) return;
    const waitMs = Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** this.#waits);
    this.#waits += 1;
    this.#timer = this.#clock.setTimer(waitMs, () => this.#tryAll());
  }

  /** There was room: the next wait is a short one again. */
  reset(): void {
    this.#waits = 0;
  }

  /** Nothing is tried again any more. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#attempts.clear();
    this.reset();
  }

  #tryAll(): void {
    this.#timer = null;
    for (const name of [...this.#attempts.keys()]) {
      const attempt = this.#attempts.get(name);
      this.#attempts.delete(name);
      attempt?.();
    }
  }
}

/**
 * A full disk was met before anything was changed: what storage throws as `diskFull`, or a batch for which it could
 * make no room.
 */
export function foundNoRoom(error: unknown): boolean {
  if (error instanceof FlushFailure) return error.stage === 'reserve' && foundNoRoom(error.cause);
  return isDiskFull(error);
}
