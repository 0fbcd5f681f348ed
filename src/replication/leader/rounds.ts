import type { Clock, Timer } from '../../env/clock.ts';
import type { MonotonicMillis } from '../../model/numbers.ts';

/** A led partition, as far as rounds are concerned. */
export interface RoundSide {
  /** Records that were appended and not yet sealed. */
  readonly unsealedCount: number;
  /** The round begins, at the end of a turn: what is appended is to be sealed. Says `began` soon, or nothing is there any more. */
  startRound(): void;
}

/** A partition that cannot commit, for a replica of it is gone or its disk slow, holds up the others' rounds for no longer. */
const ROUND_MS_MAX = 5;
/** Those who were just answered are waited for as long as the round took that answered them, and at most so long. */
const GATHER_MS_MAX = 4;

/**
 * What a node's partitions append goes to disks and replicas in common rounds: in one frame to each follower, and one back. A round
 * costs about as much for one record of one partition as for a hundred of ten, and more than what is in it.
 *
 * A round begins when the one before is over in every partition, and then as soon as as many records wait as were answered by it:
 * clients that wait for answers send the next command when they have one. It waits no longer than the last one took, so
 * no write waits for more than three times that; and who is alone waits for nobody.
 */
export class Rounds {
  readonly #clock: Clock;
  readonly #running = new Set<RoundSide>();
  readonly #waiting = new Set<RoundSide>();
  /** When the first of the running ones began. */
  #beganAtMs = 0;
  #endedAtMs = Number.NEGATIVE_INFINITY;
  #gatherMs = 0;
  #recordCount = 0;
  #timer: Timer | null = null;
  #isLookAsked = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something is appended, and the side's own round is over: `startRound` is called at the end of this turn, or later. */
  ask(side: RoundSide): void {
    this.#waiting.add(side);
    this.#lookAtTurnEnd();
  }

  /** So many records were sealed. */
  began(side: RoundSide, recordCount: number): void {
    if (this.#running.size === 0) {
      this.#beganAtMs = this.#nowMs;
      this.#recordCount = 0;
    }
    this.#waiting.delete(side);
    this.#running.add(side);
    this.#recordCount += recordCount;
  }

  /** All that was sealed is committed, or nobody waits for it any more. Call it as often as you like. */
  ended(side: RoundSide): void {
    this.#waiting.delete(side);
    if (this.#waiting.size === 0) this.#stopTimer();
    if (!this.#running.delete(side) || this.#running.size > 0) return;
    this.#endedAtMs = this.#nowMs;
    this.#gatherMs = Math.min(this.#endedAtMs - this.#beganAtMs, GATHER_MS_MAX);
    this.#stopTimer();
    if (this.#waiting.size > 0) this.#lookAtTurnEnd();
  }

  get #nowMs(): MonotonicMillis {
    return this.#clock.monotonicMs();
  }

  #lookAtTurnEnd(): void {
    if (this.#isLookAsked) return;
    this.#isLookAsked = true;
    this.#clock.atTurnEnd(() => {
      this.#isLookAsked = false;
      this.#look();
    });
  }

  #look(): void {
    if (this.#waiting.size === 0) return;
    const waitMs = this.#waitMs();
    if (waitMs <= 0) this.#start();
    else this.#timer ??= this.#clock.setTimer(waitMs, () => this.#overdue());
  }

  /** How long the next round still waits, if nothing happens. */
  #waitMs(): number {
    if (this.#running.size > 0) return this.#beganAtMs + ROUND_MS_MAX - this.#nowMs;
    let waiting = 0;
    for (const side of this.#waiting) waiting += side.unsealedCount;
    return waiting >= this.#recordCount ? 0 : this.#endedAtMs + this.#gatherMs - this.#nowMs;
  }

  #overdue(): void {
    this.#timer = null;
    this.#look();
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #start(): void {
    this.#stopTimer();
    // Who is still there has had its time.
    this.#running.clear();
    const sides = [...this.#waiting];
    this.#waiting.clear();
    for (const side of sides) side.startRound();
  }
}
