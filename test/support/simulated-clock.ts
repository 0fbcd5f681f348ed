import type { Clock, Timer } from '../../src/env/clock.ts';
import {
  asEpochMillis,
  asMonotonicMillis,
  type EpochMillis,
  type MonotonicMillis,
} from '../../src/model/numbers.ts';

export interface SimulatedClockOptions {
  readonly wallMs?: number;
  readonly monotonicMs?: number;
}

interface PendingTimer {
  readonly dueMs: number;
  readonly sequence: number;
  readonly callback: () => void;
}

/** Turns without end mean two parts that wake each other for ever: the test is told so instead of hanging. */
const TURNS_MAX = 10_000;
/** Real milliseconds that `until` waits: the promise may hang on a real disk, whose turns nobody can count. */
const UNTIL_MS_MAX = 5_000;
/** Turns of the real event loop that must pass without new work before the world counts as quiet. */
const QUIET_TURNS = 3;

const realTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * A clock that stands until the test moves it. The wall and the monotonic clock start at unrelated values, so that
 * subtracting one from the other shows at once.
 *
 * Turns: what `atTurnEnd` and `yieldTurn` registered runs when the test calls `runTurn` (one turn) or `settle` (turns
 * until nothing happens any more). Order is the order of registration: the same calls give the same run.
 */
export class SimulatedClock implements Clock {
  #wallMs: number;
  #monotonicMs: number;
  #sequence = 0;
  #timers: PendingTimer[] = [];
  #turnEnd: (() => void)[] = [];
  #settling: Promise<void> | undefined;

  constructor(options: SimulatedClockOptions = {}) {
    this.#wallMs = options.wallMs ?? 1_700_000_000_000;
    this.#monotonicMs = options.monotonicMs ?? 5_000_000.25;
  }

  wallMs(): EpochMillis {
    return asEpochMillis(this.#wallMs);
  }

  monotonicMs(): MonotonicMillis {
    return asMonotonicMillis(this.#monotonicMs);
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.#monotonicMs + Math.max(0, delayMs), sequence: this.#sequence++, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  atTurnEnd(callback: () => void): void {
    this.#turnEnd.push(callback);
  }

  yieldTurn(): Promise<void> {
    return new Promise((resolve) => this.#turnEnd.push(resolve));
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(delayMs, resolve));
  }

  /** Timers set and not yet due or cancelled; 0 shows that a stopped part left nothing behind. */
  get timerCount(): number {
    return this.#timers.length;
  }

  /** Turn-end callbacks that wait for the next turn. */
  get turnEndCount(): number {
    return this.#turnEnd.length;
  }

  /** Moves the wall clock alone, forth or back, as an operator or NTP does. */
  wallJump(ms: number): void {
    this.#wallMs += ms;
  }

  /** Ends one turn: runs what waited for its end (what they register waits for the next one), then lets promises run. */
  async runTurn(): Promise<void> {
    const callbacks = this.#turnEnd;
    this.#turnEnd = [];
    for (const callback of callbacks) callback();
    await realTurn();
  }

  /**
   * Runs turns until nothing waits for a turn's end and the real event loop brought nothing new. Real input and output
   * (a real disk, a socket) is not waited for: await its promise with `until`.
   */
  settle(): Promise<void> {
    this.#settling ??= this.#runUntilQuiet().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  /** Runs turns until `promise` is settled, and returns its outcome. Timers do not move. */
  async until<Value>(promise: Promise<Value>): Promise<Value> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    const deadline = performance.now() + UNTIL_MS_MAX;
    while (!settled) {
      if (performance.now() > deadline)
        throw new Error(`not settled in ${UNTIL_MS_MAX} ms; advance() may be needed`);
      await this.runTurn();
    }
    return promise;
  }

  /** Moves both clocks, firing each due timer at its own time and settling after it. */
  async advance(ms: number): Promise<void> {
    const target = this.#monotonicMs + ms;
    await this.settle();
    for (let timer = this.#takeDue(target); timer !== undefined; timer = this.#takeDue(target)) {
      this.#moveTo(Math.max(timer.dueMs, this.#monotonicMs));
      timer.callback();
      await this.settle();
    }
    this.#moveTo(target);
  }

  async #runUntilQuiet(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; quiet < QUIET_TURNS; turn += 1) {
      if (turn > TURNS_MAX)
        throw new Error(`not quiet after ${TURNS_MAX} turns; something registers for ever`);
      quiet = this.#turnEnd.length === 0 ? quiet + 1 : 0;
      await this.runTurn();
    }
  }

  #moveTo(monotonicMs: number): void {
    const ms = monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
    this.#wallMs += ms;
  }

  #takeDue(targetMs: number): PendingTimer | undefined {
    let first: PendingTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= targetMs && (first === undefined || isBefore(timer, first))) first = timer;
    }
    if (first !== undefined) this.#timers = this.#timers.filter((other) => other !== first);
    return first;
  }
}

function isBefore(a: PendingTimer, b: PendingTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence);
}
