import type { Clock, Timer } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import { Scrub, type ScrubSource } from '../../storage/scrub.ts';

/** How often everything is read again, and how fast. */
export interface ScrubSchedule {
  /** From the end of one round over all replicas to the begin of the next. 0: never by itself. */
  readonly intervalMs: number;
  /** Bytes read a second at most; 0 = no limit. */
  readonly bytesPerSecondMax: number;
}

/** Once a day: a rotten record is met while two others still have it. Slow enough for no reader to notice. */
export const SCRUB_SCHEDULE: ScrubSchedule = {
  intervalMs: 24 * 60 * 60_000,
  bytesPerSecondMax: 8 * 1024 * 1024,
};

export interface ScrubTarget {
  /** Never rejects. */
  scrub(bytesPerSecondMax: number): Promise<void>;
}

/**
 * Reads all that is committed, one replica after the other, for ever: what rots is to be found while others still have
 * it (C11).
 */
export class Scrubber {
  readonly #clock: Clock;
  readonly #schedule: ScrubSchedule;
  readonly #targets: () => readonly ScrubTarget[];
  #timer: Timer | null = null;
  #round: Promise<void> | null = null;
  #rounds = 0;
  #isStopped = false;

  constructor(clock: Clock, schedule: ScrubSchedule, targets: () => readonly ScrubTarget[]) {
    this.#clock = clock;
    this.#schedule = schedule;
    this.#targets = targets;
  }

  /** Rounds over everything that came to their end. */
  get rounds(): number {
    return this.#rounds;
  }

  start(): void {
    if (this.#isStopped || this.#schedule.intervalMs === 0) return;
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
    this.#rounds += 1;
  }
}

/**
 * One pass over one log. True: a committed record cannot be read, which is logged with its place. False: all is well,
 * it was cancelled, or the disk does not answer now. Never rejects.
 */
export async function findsRot(
  source: ScrubSource,
  settings: { readonly bytesPerSecondMax: number; readonly isCancelled: () => boolean },
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<boolean> {
  try {
    const outcome = await new Scrub(source, clock, settings).run();
    if (outcome.result !== 'bad' || settings.isCancelled()) return false;
    logger.error(
      { component: 'scrub', ...outcome.place },
      'a committed record has rotted, or cannot be read',
    );
    return true;
  } catch (error) {
    logger.warn({ component: 'scrub', err: error }, 'a replica cannot be read through');
    return false;
  }
}
