import type { Clock, Timer } from '../../../src/env/clock.ts';
import {
  asEpochMillis,
  asMonotonicMillis,
  type EpochMillis,
  type MonotonicMillis,
} from '../../../src/model/numbers.ts';
import type { Life } from './life.ts';
import type { Scheduler } from './scheduler.ts';

/** What the wall clocks say, more or less, when the world begins. */
const WALL_MS_AT_BEGIN = 1_700_000_000_000;
/** A turn of the event loop takes time, however short: who yields for ever does not stop the world. */
const TURN_MS = 0.005;
/** A timer never fires early by its own clock, whatever the rounding. */
const ROUNDING_MS = 1e-6;

/** What a wall clock without any fault says. */
export const trueWallMs = (scheduler: Scheduler): number => WALL_MS_AT_BEGIN + scheduler.nowMs;

/** The wall clock of a machine: true time, wrong by an offset that jumps. */
export class WallClock {
  readonly #scheduler: Scheduler;
  #offsetMs: number;
  #offsetMsMax: number;

  constructor(scheduler: Scheduler, offsetMs: number) {
    this.#scheduler = scheduler;
    this.#offsetMs = offsetMs;
    this.#offsetMsMax = offsetMs;
  }

  get nowMs(): number {
    return Math.floor(trueWallMs(this.#scheduler) + this.#offsetMs);
  }

  get offsetMs(): number {
    return this.#offsetMs;
  }

  set offsetMs(offsetMs: number) {
    this.#offsetMs = offsetMs;
    this.#offsetMsMax = Math.max(this.#offsetMsMax, offsetMs);
  }

  /** How far it was ever ahead. */
  get offsetMsMax(): number {
    return this.#offsetMsMax;
  }
}

/**
 * The clock of one life: its monotonic time begins anywhere and runs a little too fast or too slow; its timers and
 * turns are events of that life, which wait while it is stalled and never happen after its end.
 */
export class NodeClock implements Clock {
  readonly #scheduler: Scheduler;
  readonly #life: Life;
  readonly #wall: WallClock;
  #anchorMs: number;
  #anchorMonotonicMs: number;
  #rate: number;

  constructor(
    scheduler: Scheduler,
    life: Life,
    wall: WallClock,
    start: { readonly monotonicMs: number; readonly rate: number },
  ) {
    this.#scheduler = scheduler;
    this.#life = life;
    this.#wall = wall;
    this.#anchorMs = scheduler.nowMs;
    this.#anchorMonotonicMs = start.monotonicMs;
    this.#rate = start.rate;
  }

  /** Milliseconds that this clock counts in one true millisecond. */
  get rate(): number {
    return this.#rate;
  }

  setRate(rate: number): void {
    this.#anchorMonotonicMs = this.monotonicMs();
    this.#anchorMs = this.#scheduler.nowMs;
    this.#rate = rate;
  }

  /** The host slept for the last `ms` of true time: its wall clock went on, this one did not. */
  stoodStill(ms: number): void {
    this.#anchorMonotonicMs -= ms * this.#rate;
  }

  wallMs(): EpochMillis {
    return asEpochMillis(this.#wall.nowMs);
  }

  monotonicMs(): MonotonicMillis {
    return asMonotonicMillis(this.#anchorMonotonicMs + (this.#scheduler.nowMs - this.#anchorMs) * this.#rate);
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const dueMs = this.monotonicMs() + Math.max(0, delayMs);
    let event = this.#arm(dueMs, () => fire());
    const fire = (): void => {
      // The rate may have changed meanwhile.
      if (this.monotonicMs() >= dueMs) callback();
      else event = this.#arm(dueMs, fire);
    };
    return {
      cancel: () => {
        event.isCancelled = true;
      },
    };
  }

  atTurnEnd(callback: () => void): void {
    this.#scheduler.after(TURN_MS, this.#life, callback);
  }

  yieldTurn(): Promise<void> {
    return new Promise((resolve) => this.atTurnEnd(resolve));
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.setTimer(delayMs, resolve);
    });
  }

  #arm(dueMs: number, run: () => void): { isCancelled: boolean } {
    const delayMs = (dueMs - this.monotonicMs()) / this.#rate;
    return this.#scheduler.at(this.#scheduler.nowMs + delayMs + ROUNDING_MS, this.#life, run, true);
  }
}
