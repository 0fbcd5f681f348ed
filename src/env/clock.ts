import {
  asEpochMillis,
  asMonotonicMillis,
  type EpochMillis,
  type MonotonicMillis,
} from '../model/numbers.ts';

export interface Timer {
  cancel(): void;
}

/** The door to time. Wall and monotonic clocks are unrelated: never subtract one from the other. */
export interface Clock {
  wallMs(): EpochMillis;
  monotonicMs(): MonotonicMillis;
  /** Calls back once, not before `delayMs` from now. Does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls back at the end of the current event-loop turn, after the sockets that are ready were read. */
  atTurnEnd(callback: () => void): void;
  /** Resolves in a later turn: background work awaits it between two slices. */
  yieldTurn(): Promise<void>;
  sleep(delayMs: number): Promise<void>;
}

export class SystemClock implements Clock {
  wallMs(): EpochMillis {
    return asEpochMillis(Date.now());
  }

  monotonicMs(): MonotonicMillis {
    return asMonotonicMillis(performance.now());
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const handle = setTimeout(callback, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  }

  atTurnEnd(callback: () => void): void {
    setImmediate(callback);
  }

  yieldTurn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}
