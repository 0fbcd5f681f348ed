import type { Clock, Timer } from '../../env/clock.ts';
import { LIMITS } from '../../model/limits.ts';

/** The partition as the sweeper needs it. */
export interface ExpiryTarget {
  /** When the next key is due; Infinity if none is. */
  nextDueMs(): number;
  /** Appends tombstones for up to `countMax` due keys and returns how many were looked at. */
  expireDue(nowMs: number, countMax: number): number;
  /** True while tombstones cannot be appended, or too much waits for the disk. */
  readonly isBusy: boolean;
}

const RETRY_MS = 50;
/** Keys are due by the wall clock, timers by the monotonic one: a step of the wall clock is noticed after this at the latest. */
const AHEAD_MS_MAX = 60_000;

/**
 * Turns due keys into tombstones, on time (R4). One timer, set to the next due key; a long row of due keys is worked off in
 * slices, so that the clients are served in between.
 */
export class ExpirySweeper {
  readonly #clock: Clock;
  readonly #target: ExpiryTarget;
  #timer: Timer | null = null;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #running = false;
  #stopped = false;
  /** How late the last sweep was, in milliseconds. */
  lagMs = 0;

  constructor(clock: Clock, target: ExpiryTarget) {
    this.#clock = clock;
    this.#target = target;
  }

  /** Call after commits: a new key may be due before all others. */
  look(): void {
    if (this.#stopped || this.#running) return;
    const dueMs = this.#target.nextDueMs();
    if (dueMs >= this.#timerDueMs) return;
    this.#arm(dueMs, Math.max(1, dueMs - this.#clock.wallMs()));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(dueMs: number, delayMs: number): void {
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.setTimer(Math.min(delayMs, AHEAD_MS_MAX), () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = null;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    if (this.#stopped) return;
    const nowMs = this.#clock.wallMs();
    if (this.#target.isBusy) {
      this.#arm(nowMs, RETRY_MS);
      return;
    }
    this.lagMs = Math.max(0, nowMs - this.#target.nextDueMs());
    const looked = this.#target.expireDue(nowMs, LIMITS.expiriesPerSlice);
    if (looked < LIMITS.expiriesPerSlice) {
      this.look();
      return;
    }
    this.#running = true;
    this.#clock.atTurnEnd(() => {
      this.#running = false;
      this.#sweep();
    });
  }
}
