import type { Clock, Timer } from '../../env/clock.ts';

/** How often everything is read again, and how fast. */
export interface ScrubSchedule {
  /** From the end of one round over all replicas to the begin of the next. */
  readonly intervalMs: number;
  /** Bytes read a second at most; 0 = no limit. */
  readonly bytesPerSecondMax: number;
}

export interface ScrubTarget {
  /** Never rejects. */
  scrub(bytesPerSecondMax: number): Promise<void>;
}

/** Reads all that is committed, one replica after the other, for ever: what rots is to be found while others still have it (C11). */
export class Scrubber {
  readonly #clock: Clock;
  readonly #schedule: ScrubSchedule;
  readonly #targets: () => readonly ScrubTarget[];
  #timer: Timer | null = null;
  #round: Promise<void> | null = null;
  #isStopped = false;

  constructor(clock: Clock, schedule: ScrubSchedule, targets: () => readonly ScrubTarget[]) {
    this.#clock = clock;
    this.#schedule = schedule;
    this.#targets = targets;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#timer = this.#clock.setTimer(this.#schedule.intervalMs, () => {
      void this.runNow().then(() => this.start());
    });
  }

  /** One round over all replicas; with one that runs already it is that one. */
  runNow(): Promise<void> {
    this.#round ??= this.#runRound().finally(() => {
      this.#round = null;
    });
    return this.#round;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #runRound(): Promise<void> {
    for (const target of this.#targets()) {
      if (this.#isStopped) return;
      await target.scrub(this.#schedule.bytesPerSecondMax);
    }
  }
}
