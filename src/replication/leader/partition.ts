import type { Clock } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import { CaskadeError, InvariantError } from '../../model/errors.ts';
import {
  asOffset,
  type DatabaseId,
  type EpochMillis,
  type LeaderEpoch,
  type Offset,
  type PartitionId,
} from '../../model/numbers.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import {
  type Admission,
  type CommitListener,
  type EntryView,
  KeyView,
  type LeaderPartition,
  type NumberedCommand,
  type PartitionStats,
  ReadOutcome,
  type ScannedKey,
  TombstoneReason,
} from '../leader-partition.ts';
import { NumberedCommands } from '../producers/numbered-commands.ts';
import { ProducerTable } from '../producers/producer-table.ts';
import { AppendOutcomes } from './append-outcomes.ts';
import { DueKeys } from './due-keys.ts';
import { ExpirySweeper } from './expiry-sweeper.ts';
import { Pause } from './pause.ts';
import type { ReadGate } from './read-gate.ts';
import type { StallTarget } from './stall-watch.ts';
import type { WriteGate } from './write-gate.ts';

/** What the partition counts itself. */
export type OwnStat = 'expiredKeys' | 'expiryLagMs' | 'answeredRetries';

/** What the partition asks of the leader's role around it. */
export interface PartitionHost {
  /** Something was appended: it is to be flushed. */
  appended(): void;
  /** Somebody waits for this node's disk alone (L10). */
  flushAwaited(): void;
  /** What is appended waits for replicas to follow in this epoch (R17), not for the disk. */
  isHeld(): boolean;
  /** False: nothing may be expired actively (R4). */
  mayExpire(): boolean;
  /** A committed record cannot be read. */
  corrupt(): void;
  mergeNow(): Promise<void>;
  stats(): Omit<PartitionStats, OwnStat>;
}

export interface PartitionParts {
  readonly id: PartitionId;
  readonly leaderEpoch: LeaderEpoch;
  readonly store: PartitionStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A write that is not committed by then is in doubt. */
  readonly writeTimeoutMs: number;
  readonly writeGate: WriteGate;
  readonly readGate: ReadGate;
}

const SUSPENDED: Admission = { verdict: 'suspended' };
const NO_ERROR = new CaskadeError('tryAgain', 'nothing was refused');

/**
 * One partition as its leader serves it, in one leader epoch: what commands append to and read from. What is committed,
 * and when reads may be served, the role around it says. A node that is alone leads in the same way.
 *
 * All appends and look-ups are synchronous.
 */
export class Partition implements LeaderPartition, StallTarget {
  readonly id: PartitionId;
  readonly leaderEpoch: LeaderEpoch;
  suspension: Promise<void> = Promise.resolve();
  refusal: CaskadeError = NO_ERROR;

  readonly #host: PartitionHost;
  readonly #store: PartitionStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #writeGate: WriteGate;
  readonly #readGate: ReadGate;
  readonly #outcomes: AppendOutcomes;
  readonly #sweeper: ExpirySweeper;
  /** Null: nobody remembers producers here, and none may come. */
  readonly #commands: NumberedCommands | null;
  #highWatermark: Offset;
  #isServing = false;
  #confirmsAlone = false;
  /** Of the end of the role: the store lives on in another one. */
  #lastDurableOffset: Offset | null = null;
  #isOver = false;
  readonly #pause = new Pause();
  #expiredKeys = 0;

  constructor(parts: PartitionParts, host: PartitionHost) {
    const { store, clock } = parts;
    this.id = parts.id;
    this.leaderEpoch = parts.leaderEpoch;
    this.#host = host;
    this.#store = store;
    this.#clock = clock;
    this.#logger = parts.logger;
    this.#writeGate = parts.writeGate;
    this.#readGate = parts.readGate;
    this.#highWatermark = store.committedOffset;
    this.#outcomes = new AppendOutcomes(this, clock, parts.writeTimeoutMs);
    this.#sweeper = this.#newSweeper();
    const { producers } = store;
    this.#commands = producers instanceof ProducerTable ? new NumberedCommands(store, producers) : null;
  }

  get highWatermark(): Offset {
    return this.#highWatermark;
  }

  get logEndOffset(): Offset {
    return this.#store.logEndOffset;
  }

  get durableOffset(): Offset {
    return this.#lastDurableOffset ?? this.#store.durableOffset;
  }

  get congestion(): Promise<void> | null {
    return this.#pause.end ?? this.#outcomes.congestion;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get isFenced(): boolean {
    return this.#writeGate.isFenced;
  }

  /** Look-ups are answered: everything inherited is committed, and the role may act. */
  get isServing(): boolean {
    return this.#isServing;
  }

  hash(bytes: Uint8Array, start: number, end: number): number {
    return this.#store.hash(bytes, start, end);
  }

  // Reads

  readCommitted(database: DatabaseId, key: KeyView, entry: EntryView, withValue: boolean): ReadOutcome {
    if (!this.#isServing) return this.#gated(this.#readGate.awaitServing());
    try {
      if (!this.#store.readCommitted(database, key, entry, withValue))
        return this.#suspend(this.#store.loaded);
    } catch (error) {
      return this.#refuseRead(error);
    }
    if (entry.expiresAtMs === 0 || entry.expiresAtMs > this.#clock.wallMs()) return ReadOutcome.ready;
    return this.#awaitExpiry(database, key);
  }

  readAppended(database: DatabaseId, key: KeyView, entry: EntryView, withValue: boolean): ReadOutcome {
    if (!this.#isServing) return this.#gated(this.#readGate.awaitServing());
    try {
      if (!this.#store.readAppended(database, key, entry, withValue))
        return this.#suspend(this.#store.loaded);
    } catch (error) {
      return this.#refuseRead(error);
    }
    if (entry.expiresAtMs === 0 || entry.expiresAtMs > this.#clock.wallMs()) return ReadOutcome.ready;
    const refused = this.#writeGate.refusal;
    if (refused !== null) return this.#refuse(refused);
    if (this.#pause.end !== null) return this.#suspend(this.#pause.end);
    entry.offset = this.#appendExpired(database, key);
    entry.uncommittedOffset = entry.offset;
    entry.found = false;
    entry.expiresAtMs = 0;
    return ReadOutcome.ready;
  }

  confirmRead(arrival: number): ReadOutcome {
    if (this.#confirmsAlone && this.#isServing) return ReadOutcome.ready;
    return this.#gated(this.#readGate.confirm(arrival));
  }

  // Appends

  writeRefusal(): CaskadeError | null {
    return this.#writeGate.refusal;
  }

  beginGroup(): void {
    this.#store.beginGroup();
  }

  endGroup(): void {
    this.#store.endGroup();
  }

  put(
    database: DatabaseId,
    key: KeyView,
    value: Uint8Array,
    start: number,
    end: number,
    expiresAtMs: EpochMillis,
  ): Offset {
    return this.#appended(this.#store.put(database, key, value, start, end, expiresAtMs));
  }

  remove(database: DatabaseId, key: KeyView, reason: TombstoneReason): Offset {
    return this.#appended(this.#store.remove(database, key, reason));
  }

  changeExpiry(database: DatabaseId, key: KeyView, expiresAtMs: EpochMillis): Offset {
    return this.#appended(this.#store.changeExpiry(database, key, expiresAtMs));
  }

  flushDatabase(database: DatabaseId): Offset {
    return this.#appended(this.#store.flushDatabase(database));
  }

  // Numbered commands

  admit(command: NumberedCommand): Admission {
    if (this.#isServing) return this.#numbered.admit(command);
    if (this.#gated(this.#readGate.awaitServing()) === ReadOutcome.suspended) return SUSPENDED;
    return { verdict: 'refuse', error: this.refusal };
  }

  beginCommand(command: NumberedCommand, outcome?: Uint8Array): void {
    this.#numbered.begin(command, outcome);
  }

  endCommand(outcome: Uint8Array): Offset {
    return this.#appended(this.#numbered.end(outcome));
  }

  listen(listener: CommitListener): void {
    this.#outcomes.listen(listener, asOffset(this.#store.logEndOffset - 1));
  }

  whenResolved(offset: Offset): Promise<void> {
    if (offset < this.#highWatermark || this.#isDone || offset >= this.#store.logEndOffset) {
      return Promise.resolve();
    }
    return this.#outcomes.whenResolved(offset);
  }

  whenFlushed(offset: Offset): Promise<void> {
    if (offset < this.durableOffset || this.#isDone || offset >= this.#store.logEndOffset) {
      return Promise.resolve();
    }
    this.#host.flushAwaited();
    return this.#outcomes.whenFlushed(offset);
  }

  // Keys

  keyCount(database: DatabaseId): number {
    return this.#store.index.keydir(database)?.size ?? 0;
  }

  expiringKeyCount(database: DatabaseId): number {
    return this.#store.index.keydir(database)?.expiringCount ?? 0;
  }

  scan(database: DatabaseId, position: number, countMax: number, visit: ScannedKey): number {
    return this.#store.index.keydir(database)?.scan(position, countMax, visit) ?? 0;
  }

  stats(): PartitionStats {
    const answeredRetries = this.#commands?.answered ?? 0;
    const { lagMs } = this.#sweeper;
    return { ...this.#host.stats(), expiredKeys: this.#expiredKeys, expiryLagMs: lagMs, answeredRetries };
  }

  mergeNow(): Promise<void> {
    return this.#host.mergeNow();
  }

  // The write deadline: called by the stall watch

  get isWaiting(): boolean {
    return this.#highWatermark < this.#store.logEndOffset && !this.#isDone;
  }

  stalled(afterMs: number): void {
    const isOnDisk = this.#host.isHeld() || this.#store.durableOffset >= this.#store.logEndOffset;
    const reason = `${isOnDisk ? 'too few replicas have' : 'the disk has not'} answered for ${afterMs} ms`;
    this.#writeGate.stall(
      new CaskadeError('overloaded', `Partition ${this.id} takes no writes now: ${reason}`),
    );
    this.#outcomes.stalled(this.#highWatermark, reason);
  }

  // Told by the role

  /** Everything below is committed and in the index. Waiters complete here and nowhere else (I6). */
  committed(highWatermark: Offset): void {
    this.#highWatermark = highWatermark;
    this.#writeGate.endStall();
    this.#outcomes.committed(highWatermark);
    this.sweep();
  }

  /** A batch is on the own disk. */
  flushed(): void {
    this.#outcomes.flushed(this.#store.durableOffset, this.#store.unflushedBytes);
  }

  /** True: nobody else can be elected, and every read is confirmed by that. */
  confirmsAlone(needsNobody: boolean): void {
    this.#confirmsAlone = needsNobody;
  }

  /** From now on look-ups are answered. */
  serve(): void {
    this.#isServing = true;
    this.sweep();
  }

  /** Call when due keys may be expired that could not be before. */
  sweep(): void {
    if (this.#isServing) this.#sweeper.look();
  }

  /** What was appended from `firstOffset` on is in doubt, from `refusedFrom` on it never was. */
  giveUp(firstOffset: Offset, refusedFrom: Offset, error: CaskadeError): void {
    this.#outcomes.giveUp(firstOffset, refusedFrom, error);
  }

  /** L9: until `resume` writers wait, as in a congestion, and nothing is expired. */
  pause(): void {
    this.#pause.begin();
  }

  resume(): void {
    this.#pause.stop();
    this.sweep();
  }

  /** L9: no look-up is answered any more. Nothing is pending; who asks waits for the end. */
  retire(): void {
    this.#isServing = false;
  }

  /** Nothing is expired actively any more; look-ups and appends go on. */
  stopSweeping(): void {
    this.#sweeper.stop();
  }

  /** Nothing is served any more. `readGate` and `writeGate` were closed before. */
  end(): void {
    this.#isServing = false;
    this.#isOver = true;
    this.#lastDurableOffset = this.#store.durableOffset;
    this.#sweeper.stop();
    this.#outcomes.stop();
    this.#pause.stop();
  }

  // Inside

  get #numbered(): NumberedCommands {
    if (this.#commands === null)
      throw new InvariantError('a partition without producers was sent a numbered command');
    return this.#commands;
  }

  /** Nothing that was appended is committed any more. */
  get #isDone(): boolean {
    return this.#isOver || this.isFenced;
  }

  #suspend(until: Promise<void>): ReadOutcome {
    this.suspension = until;
    return ReadOutcome.suspended;
  }

  #refuse(error: CaskadeError): ReadOutcome {
    this.refusal = error;
    return ReadOutcome.refused;
  }

  #gated(outcome: ReadOutcome): ReadOutcome {
    if (outcome === ReadOutcome.suspended) this.suspension = this.#readGate.suspension;
    else if (outcome === ReadOutcome.refused) this.refusal = this.#readGate.refusal;
    return outcome;
  }

  #refuseRead(error: unknown): ReadOutcome {
    if (!(error instanceof CaskadeError)) throw error;
    this.#logger.error({ err: error, partition: this.id }, 'a read failed');
    if (error.code === 'corruptSegment') this.#host.corrupt();
    return this.#refuse(error);
  }

  /** A due key is shown neither as there nor as gone before its tombstone is committed (R4). */
  #awaitExpiry(database: DatabaseId, key: KeyView): ReadOutcome {
    const refused = this.#writeGate.refusal;
    if (refused !== null) return this.#refuse(refused);
    if (this.#pause.end !== null) return this.#suspend(this.#pause.end);
    let newest = this.#store.newestUncommitted(database, key);
    if (newest < 0) newest = this.#appendExpired(database, key);
    return this.#suspend(this.whenResolved(asOffset(newest)));
  }

  #appendExpired(database: DatabaseId, key: KeyView): Offset {
    this.#expiredKeys += 1;
    return this.remove(database, key, TombstoneReason.expired);
  }

  #appended(offset: Offset): Offset {
    this.#outcomes.appended(this.#store.unflushedBytes);
    this.#host.appended();
    return offset;
  }

  #newSweeper(): ExpirySweeper {
    const isBusy = (): boolean =>
      !this.#isServing ||
      !this.#host.mayExpire() ||
      this.#writeGate.refusal !== null ||
      this.congestion !== null;
    const host = {
      get isBusy() {
        return isBusy();
      },
      appendExpired: (database: DatabaseId, due: KeyView) => void this.#appendExpired(database, due),
    };
    return new ExpirySweeper(this.#clock, new DueKeys(this.#store, host, new KeyView()));
  }
}
