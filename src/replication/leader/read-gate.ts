import type { Clock, Timer } from '../../env/clock.ts';
import { CaskadeError } from '../../model/errors.ts';
import type { MonotonicMillis, PartitionId } from '../../model/numbers.ts';
import { ReadOutcome } from '../leader-partition.ts';

/** What the gate asks of the leader around it. */
export interface ReadGateHost {
  readonly id: PartitionId;
  /** This leader may act (L5), and everything it inherited is committed: high watermark >= LESO (4.3-11). */
  isServing(): boolean;
  /** The committed ISR has fewer than min members: only the coordinator can confirm (R10). */
  isBelowMin(): boolean;
  /** L4, at the instant of the call, by a clock that is read in it (4.3-10). */
  isLeaseValid(): boolean;
  /** Every member of the lease set has echoed, in this epoch, a stamp of this or a higher sequence. */
  isEchoedSince(sequence: number): boolean;
  /** A stamp of this or a higher sequence is sent after this call. */
  nextStampSequence(): number;
  requestStamps(): void;
  /**
   * Asks the coordinator whether it still has our version of the partition (R9). If so, `confirmedByVersion(upTo)` is
   * called before this resolves. Never rejects.
   */
  checkVersion(upTo: number): Promise<void>;
}

export interface ReadGateSettings {
  /** A read that nobody confirmed by then is refused. */
  readonly deadlineMs: number;
  /** So long read-index is waited for before the coordinator is asked: a quarter of the lease. */
  readonly patienceMs: number;
}

interface IndexRound {
  readonly sequence: number;
  /** Reads up to this number arrived before the stamps of the round were sent. */
  arrivalMax: number;
}

interface Asker {
  arrivalMax: number;
  readonly sinceMs: MonotonicMillis;
}

type ReadPath = 'index' | 'version';

/** Reads that ask within so many milliseconds share a deadline. */
const SHARED_MS = 10;
const NO_ERROR = new CaskadeError('tryAgain', 'nothing was refused');

/**
 * Whether a read may be answered by this leader (4.2, 4.4): by the lease; else by read-index, when every member of the
 * lease set has echoed a stamp that was sent after the read arrived; else by a check of the partition's version at the
 * coordinator. Until one of them says so the read is suspended, and after the deadline refused: never answered
 * unconfirmed (L7).
 *
 * One round of stamps and one check are under way at a time; what arrives meanwhile goes with the next.
 */
export class ReadGate {
  suspension: Promise<void> = Promise.resolve();
  refusal: CaskadeError = NO_ERROR;
  byLease = 0;
  byReadIndex = 0;
  byVersionCheck = 0;
  refused = 0;

  readonly #host: ReadGateHost;
  readonly #clock: Clock;
  readonly #settings: ReadGateSettings;
  /** Since then nothing is served, unless it is. */
  #idleSinceMs: MonotonicMillis;
  #confirmedArrival = 0;
  #confirmedBy: ReadPath = 'index';
  /** Up to here nobody confirmed in time. */
  #refusedArrival = 0;
  #askedArrival = 0;
  /** Those that wait, oldest first. */
  #askers: Asker[] = [];
  #round: IndexRound | null = null;
  #isChecking = false;
  #patience: Timer | null = null;
  #deadline: Timer | null = null;
  #deadlineAtMs = Number.POSITIVE_INFINITY;
  #wait = newDeferred();
  #isAwaited = false;
  #closedBy: CaskadeError | null = null;

  constructor(host: ReadGateHost, clock: Clock, settings: ReadGateSettings) {
    this.#host = host;
    this.#clock = clock;
    this.#settings = settings;
    this.#idleSinceMs = clock.monotonicMs();
  }

  confirm(arrival: number): ReadOutcome {
    if (this.#closedBy !== null) return this.#refuse(this.#closedBy);
    if (this.#host.isServing()) {
      if (arrival <= this.#confirmedArrival) return this.#readyBy(this.#confirmedBy);
      if (!this.#host.isBelowMin() && this.#host.isLeaseValid()) {
        this.byLease += 1;
        return ReadOutcome.ready;
      }
    }
    if (arrival <= this.#refusedArrival) return this.#refuse(this.#unconfirmed());
    return this.#ask(arrival);
  }

  /** For a look-up before anything may be served: suspended, or refused once this has gone on for longer than the deadline. */
  awaitServing(): ReadOutcome {
    if (this.#closedBy !== null) return this.#refuse(this.#closedBy);
    const untilMs = this.#idleSinceMs + this.#settings.deadlineMs;
    if (this.#clock.monotonicMs() >= untilMs) return this.#refuse(this.#unconfirmed());
    this.#armDeadline(untilMs);
    return this.#suspend();
  }

  /** Nothing is served from now on, until this closes: look-ups wait for that, up to the deadline (L9). */
  servingEnded(): void {
    this.#idleSinceMs = this.#clock.monotonicMs();
  }

  /** Call when an echo came, the lease set shrank, or serving began: those who wait may go on. */
  look(): void {
    if (this.#closedBy !== null || !this.#host.isServing()) return;
    const round = this.#round;
    if (round !== null && !this.#host.isBelowMin() && this.#host.isEchoedSince(round.sequence)) {
      this.#round = null;
      this.#confirmed(round.arrivalMax, 'index');
    } else if (round === null) {
      this.#wake();
    }
    if (this.#askedArrival > this.#confirmedArrival && this.#askers.length > 0) this.#seek();
  }

  /** The coordinator had our version after all reads up to `upTo` had arrived. */
  confirmedByVersion(upTo: number): void {
    if (this.#closedBy === null) this.#confirmed(upTo, 'version');
  }

  /** No read is confirmed any more; those who wait are refused with `error`. */
  close(error: CaskadeError): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = error;
    this.#round = null;
    this.#askers = [];
    this.#patience?.cancel();
    this.#deadline?.cancel();
    this.#wake();
  }

  #readyBy(path: ReadPath): ReadOutcome {
    if (path === 'index') this.byReadIndex += 1;
    else this.byVersionCheck += 1;
    return ReadOutcome.ready;
  }

  #refuse(error: CaskadeError): ReadOutcome {
    this.refused += 1;
    this.refusal = error;
    return ReadOutcome.refused;
  }

  #suspend(): ReadOutcome {
    this.#isAwaited = true;
    this.suspension = this.#wait.promise;
    return ReadOutcome.suspended;
  }

  #ask(arrival: number): ReadOutcome {
    this.#askedArrival = Math.max(this.#askedArrival, arrival);
    this.#note(arrival);
    if (this.#host.isServing()) this.#seek();
    return this.#suspend();
  }

  /** A read that runs again, still unconfirmed, is among those that wait already. */
  #note(arrival: number): void {
    const last = this.#askers.at(-1);
    if (last !== undefined && arrival <= last.arrivalMax) return;
    const nowMs = this.#clock.monotonicMs();
    if (last !== undefined && nowMs - last.sinceMs < SHARED_MS) last.arrivalMax = arrival;
    else this.#askers.push({ arrivalMax: arrival, sinceMs: nowMs });
    this.#armDeadline(nowMs + this.#settings.deadlineMs);
  }

  #seek(): void {
    if (this.#host.isBelowMin()) {
      this.#round = null;
      void this.#check();
      return;
    }
    const sequence = this.#host.nextStampSequence();
    if (this.#round === null) {
      this.#round = { sequence, arrivalMax: this.#askedArrival };
      this.#host.requestStamps();
    } else if (this.#round.sequence === sequence) {
      // The stamps of the round have not been sent yet.
      this.#round.arrivalMax = this.#askedArrival;
    }
    this.#armPatience();
  }

  #armPatience(): void {
    this.#patience ??= this.#clock.setTimer(this.#settings.patienceMs, () => {
      this.#patience = null;
      if (this.#closedBy !== null || this.#askers.length === 0 || !this.#host.isServing()) return;
      // The stamps may be lost, or one that should echo them is silent: stamps again, which do for the round as well,
      // and the third path beside them.
      if (this.#round !== null) this.#host.requestStamps();
      void this.#check();
      this.#seek();
    });
  }

  async #check(): Promise<void> {
    if (this.#isChecking || this.#closedBy !== null) return;
    this.#isChecking = true;
    await this.#host.checkVersion(this.#askedArrival);
    this.#isChecking = false;
    if (this.#closedBy !== null) return;
    if (this.#askers.length > 0) this.#armPatience();
  }

  #confirmed(arrivalMax: number, path: ReadPath): void {
    if (arrivalMax > this.#confirmedArrival) {
      this.#confirmedArrival = arrivalMax;
      this.#confirmedBy = path;
    }
    this.#askers = this.#askers.filter((asker) => asker.arrivalMax > arrivalMax);
    this.#wake();
  }

  #armDeadline(atMs: number): void {
    if (atMs >= this.#deadlineAtMs) return;
    this.#deadline?.cancel();
    this.#deadlineAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.#clock.monotonicMs());
    this.#deadline = this.#clock.setTimer(delayMs, () => {
      this.#deadlineAtMs = Number.POSITIVE_INFINITY;
      this.#expire();
    });
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs();
    const { deadlineMs } = this.#settings;
    while (this.#askers.length > 0 && nowMs - (this.#askers[0] as Asker).sinceMs >= deadlineMs) {
      this.#refusedArrival = (this.#askers.shift() as Asker).arrivalMax;
    }
    this.#wake();
    const next = this.#askers[0];
    if (next !== undefined) this.#armDeadline(next.sinceMs + deadlineMs);
  }

  #wake(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    const { resolve } = this.#wait;
    this.#wait = newDeferred();
    resolve();
  }

  #unconfirmed(): CaskadeError {
    const { id } = this.#host;
    if (this.#host.isBelowMin()) {
      return new CaskadeError(
        'notEnoughReplicas',
        `Partition ${id} has too few in-sync replicas to be read now`,
      );
    }
    return new CaskadeError(
      'tryAgain',
      `Partition ${id} could not be read: its replicas did not confirm in time that this node still leads it`,
    );
  }
}

function newDeferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
