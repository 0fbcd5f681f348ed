import type { Clock, Timer } from '../../env/clock.ts';
import type { HandOverFacts, HandOverPhase } from '../rules/hand-over.ts';
import type { ReplicationRules } from '../rules/rules.ts';

/** What the hand-over asks of the leader around it. */
export interface HandOverHost {
  facts(): Omit<HandOverFacts, 'isAsked'>;
  /** Writers wait from now on. */
  hold(): void;
  /** They go on. */
  resume(): void;
  /** Reads, proposals and the high watermark end here, for this epoch. */
  retire(): void;
  /** Tells followers and controller that this leader is through. */
  tell(): void;
  /** Nobody was elected for so long that writers are to be refused, safe to retry. */
  refuse(): void;
}

/** A request counts for so long; the controller repeats it more often. */
export const ASKED_MS = 500;
/** Who is through says so again, until the epoch ends. */
const TELL_AGAIN_MS = 200;

/** A controlled transfer at the leader: clients see a pause and no refusal (PROTOCOL L9). */
export class HandOver {
  readonly #host: HandOverHost;
  readonly #rules: Pick<ReplicationRules, 'nextHandOver'>;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  #phase: HandOverPhase = 'leading';
  #askedUntilMs = Number.NEGATIVE_INFINITY;
  #refuseAtMs = Number.POSITIVE_INFINITY;
  #timer: Timer | null = null;
  #isStopped = false;

  /** `patienceMs`: how long writers wait for the next epoch. */
  constructor(
    host: HandOverHost,
    rules: Pick<ReplicationRules, 'nextHandOver'>,
    clock: Clock,
    patienceMs: number,
  ) {
    this.#host = host;
    this.#patienceMs = patienceMs;
    this.#rules = rules;
    this.#clock = clock;
  }

  get isReleased(): boolean {
    return this.#phase === 'released';
  }

  /** By the controller; any number of times. */
  asked(): void {
    if (this.#isStopped) return;
    this.#askedUntilMs = this.#clock.monotonicMs() + ASKED_MS;
    if (this.isReleased) this.#host.tell();
    else this.#lookAnew();
  }

  /** Call when something was committed, and when the leader may act. */
  look(): void {
    if (this.#phase === 'draining') this.#lookAnew();
  }

  /** The role ends. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #lookAnew(): void {
    if (this.#isStopped) return;
    const before = this.#phase;
    const isAsked = this.#clock.monotonicMs() < this.#askedUntilMs;
    this.#phase = this.#rules.nextHandOver(before, { isAsked, ...this.#host.facts() });
    if (before === 'leading' && this.#phase !== 'leading') this.#host.hold();
    if (this.#phase === 'leading' && before !== 'leading') this.#host.resume();
    if (this.isReleased) this.#release();
    else if (this.#phase === 'draining') this.#wakeIn(this.#askedUntilMs - this.#clock.monotonicMs());
  }

  #release(): void {
    this.#host.retire();
    this.#refuseAtMs = this.#clock.monotonicMs() + this.#patienceMs;
    this.#tellAgain();
  }

  #tellAgain(): void {
    this.#host.tell();
    this.#timer?.cancel();
    if (this.#clock.monotonicMs() >= this.#refuseAtMs) this.#host.refuse();
    this.#timer = this.#clock.setTimer(TELL_AGAIN_MS, () => this.#tellAgain());
  }

  #wakeIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(Math.max(0, delayMs), () => this.#lookAnew());
  }
}
