import type { Clock, Timer } from '../../env/clock.ts';

/** What the watch asks of its partition. */
export interface StallTarget {
  /** Something is appended and not committed. */
  readonly isWaiting: boolean;
  readonly highWatermark: number;
  /** Nothing was committed for `afterMs` although something waits. */
  stalled(afterMs: number): void;
}

/**
 * The write deadline: notices when nothing was committed for that long although something waits, so that clients get an honest
 * "in doubt" instead of silence from a disk that hangs or followers that do not answer. No timer runs while nothing waits.
 */
export class StallWatch {
  readonly #clock: Clock;
  readonly #target: StallTarget;
  readonly #deadlineMs: number;
  #timer: Timer | null = null;
  #seenHighWatermark = -1;

  constructor(clock: Clock, target: StallTarget, deadlineMs: number) {
    this.#clock = clock;
    this.#target = target;
    this.#deadlineMs = deadlineMs;
  }

  /** Call when something was appended; cheap when the watch runs. */
  look(): void {
    if (this.#timer !== null) return;
    this.#seenHighWatermark = this.#target.highWatermark;
    this.#timer = this.#clock.setTimer(this.#deadlineMs, () => this.#check());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #check(): void {
    this.#timer = null;
    if (!this.#target.isWaiting) return;
    if (this.#target.highWatermark === this.#seenHighWatermark) this.#target.stalled(this.#deadlineMs);
    this.look();
  }
}
