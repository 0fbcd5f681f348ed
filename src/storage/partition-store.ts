import type { Clock } from '../env/clock.ts';
import type { FileSystem } from '../env/file-system.ts';
import type { Logger } from '../env/logger.ts';
import type { Random } from '../env/random.ts';
import { InvariantError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asLeaderEpoch, type LeaderEpoch, type Offset } from '../model/numbers.ts';
import type { Producer, ProducerNote } from '../model/producer.ts';
import { AppendQueue } from './append-queue.ts';
import { BatchCommitter } from './batch-committer.ts';
import type { BlockCache } from './block-cache.ts';
import { CommitLog } from './commit-log.ts';
import type { CommittedIndex } from './committed-index.ts';
import type { EpochCache, EpochEnd } from './epoch-cache.ts';
import type { Journal } from './journal/journal.ts';
import type { KeyHash } from './keydir/key-hash.ts';
import type { LogMemory } from './log-memory.ts';
import { Overlay } from './overlay.ts';
import type { FlushMode, PartitionMeta } from './partition-meta.ts';
import type { PendingBatch } from './pending-batch.ts';
import type { ProducerRecords } from './producer-records.ts';
import type { RecoveryReport } from './recovery.ts';
import type { AppendFetchedOptions, LogSlice, ReplicaLog } from './replica-log.ts';
import type { SegmentedLog } from './segmented-log.ts';
import { StoreAppends } from './store-appends.ts';
import { type StoreEntry, type StoreKey, StoreLookups } from './store-lookups.ts';

/** The doors and shared parts that every partition of a node is given. */
export interface StoreDoors {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly cache: BlockCache;
  /** What logs of one node share for their syncs. Absent: every file is synced by itself. */
  readonly journal?: Journal;
}

/** What `open` hands to the store. */
export interface OpenedPartition {
  readonly directory: string;
  readonly meta: PartitionMeta;
  readonly epochs: EpochCache;
  readonly log: SegmentedLog;
  readonly index: CommittedIndex;
  readonly hasher: KeyHash;
  readonly producers: ProducerRecords;
  readonly memory: LogMemory;
  /** What is indexed: everything below META's high watermark. */
  readonly committedOffset: Offset;
  readonly logEndOffset: Offset;
  /** The batches between the two. */
  readonly pending: readonly PendingBatch[];
  readonly report: RecoveryReport;
  /** Nothing that was acknowledged under this directory is missing (R6). */
  readonly isWhole: boolean;
}

const NO_EPOCH = asLeaderEpoch(0);
const nothing = (): null => null;

/**
 * The storage of one partition: the log with its marks, the committed index, and, for a leader, what is appended and
 * not committed, by key. It knows nothing of replication: somebody tells it the leader epoch and, by `commitTo`, the
 * high watermark.
 */
export class PartitionStore implements ReplicaLog {
  readonly directory: string;
  readonly log: SegmentedLog;
  readonly index: CommittedIndex;
  readonly epochs: EpochCache;
  readonly hasher: KeyHash;
  readonly report: RecoveryReport;
  readonly producers: ProducerRecords;
  readonly #commitLog: CommitLog;
  readonly #overlay: Overlay;
  readonly #queue: AppendQueue;
  readonly #appends: StoreAppends;
  readonly #lookups: StoreLookups;
  #isWhole: boolean;
  /** Grows when what was appended is forgotten: a flush that is only making room then writes nothing. */
  #term = 0;

  constructor(opened: OpenedPartition, doors: StoreDoors, flushMode: FlushMode) {
    this.directory = opened.directory;
    this.log = opened.log;
    this.index = opened.index;
    this.epochs = opened.epochs;
    this.hasher = opened.hasher;
    this.report = opened.report;
    this.producers = opened.producers;
    this.#isWhole = opened.isWhole;
    this.#overlay = new Overlay(opened.logEndOffset);
    this.#queue = new AppendQueue(doors.clock, NO_EPOCH, opened.logEndOffset);
    this.#appends = new StoreAppends(this.#queue, this.#overlay, opened.producers);
    this.#lookups = new StoreLookups(this.log, this.index, this.#overlay, doors.cache, doors.clock);
    const committer = new BatchCommitter(opened, this.#overlay, (batch) => this.#queue.release(batch));
    this.#commitLog = new CommitLog(opened, doors, flushMode, committer);
  }

  hash(bytes: Uint8Array, start: number, end: number): number {
    return this.hasher.hash(bytes, start, end);
  }

  get meta(): PartitionMeta {
    return this.#commitLog.keeper.meta;
  }

  get directoryId(): string {
    return this.meta.directoryId;
  }

  get partitionUuid(): string {
    return this.meta.partitionUuid;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  get committedOffset(): Offset {
    return this.#commitLog.committedOffset;
  }

  /** So far it has been said that everything is committed; `committedOffset` comes after it. */
  get commitTarget(): Offset {
    return this.#commitLog.commitTarget;
  }

  /** Everything below it is on disk (under `always`), or handed to the operating system. */
  get durableOffset(): Offset {
    return this.#commitLog.durableOffset;
  }

  get sealedOffset(): Offset {
    return this.#commitLog.sealedOffset;
  }

  get logEndOffset(): Offset {
    return this.#queue.epoch === NO_EPOCH ? this.sealedOffset : this.#queue.nextOffset;
  }

  get logStartOffset(): Offset {
    return this.#commitLog.startOffset;
  }

  get removedFloor(): number {
    return this.log.manifest.removedFloor;
  }

  get removalCount(): number {
    return this.log.removalCount;
  }

  get lastEpoch(): LeaderEpoch {
    return this.#commitLog.lastEpoch;
  }

  get latestEpoch(): LeaderEpoch {
    return this.epochs.latest?.epoch ?? NO_EPOCH;
  }

  epochEnd(epoch: LeaderEpoch): EpochEnd {
    return this.epochs.endOf(epoch, this.logEndOffset);
  }

  get unflushedBytes(): number {
    return this.#queue.bytes;
  }

  get hasUnflushed(): boolean {
    return !this.#queue.isEmpty;
  }

  // Appends: synchronous, into the open batch.

  beginGroup(): void {
    this.#appends.beginGroup();
  }

  endGroup(): void {
    this.#appends.endGroup();
  }

  /**
   * The next record is the first of this command (R14): it carries the note. Forgotten where no record follows; then
   * call `appendOutcome`.
   */
  beginCommand(note: ProducerNote | null): void {
    this.#appends.beginCommand(note);
  }

  /** A numbered command that appended nothing, and whose outcome must be remembered. */
  appendOutcome(note: ProducerNote): Offset {
    return this.#appends.outcome(note);
  }

  /** The log forgets a producer: a decision of the leader, so that all replicas agree. */
  forgetProducer(producer: Producer): Offset {
    return this.#appends.forgetProducer(producer);
  }

  put(
    database: number,
    key: StoreKey,
    value: Uint8Array,
    start: number,
    end: number,
    expiresAtMs: number,
  ): Offset {
    return this.#appends.put(database, key, value, start, end, expiresAtMs);
  }

  remove(database: number, key: StoreKey, reason: number): Offset {
    return this.#appends.remove(database, key, reason);
  }

  changeExpiry(database: number, key: StoreKey, expiresAtMs: number): Offset {
    return this.#appends.changeExpiry(database, key, expiresAtMs);
  }

  flushDatabase(database: number): Offset {
    return this.#appends.flushDatabase(database);
  }

  // Look-ups. `false` from those with a value: it is not in memory; wait for `loaded` and ask again.

  /** Resolves when what the last look-up missed is in memory. */
  get loaded(): Promise<void> {
    return this.#lookups.loaded;
  }

  /** Committed state. Throws `corruptSegment` or the disk's error. */
  readCommitted(database: number, key: StoreKey, entry: StoreEntry, withValue: boolean): boolean {
    return this.#lookups.readCommitted(database, key, entry, withValue);
  }

  /** Newest appended state: the overlay, else what is committed. */
  readAppended(database: number, key: StoreKey, entry: StoreEntry, withValue: boolean): boolean {
    return this.#lookups.readAppended(database, key, entry, withValue);
  }

  /** Offset of the newest uncommitted record that decides about the key, or -1: what is committed is the newest. */
  newestUncommitted(database: number, key: StoreKey): number {
    return this.#lookups.newestUncommitted(database, key);
  }

  // Leader

  async beginEpoch(epoch: LeaderEpoch): Promise<void> {
    const { sealedOffset } = this;
    await this.epochs.begin(epoch, sealedOffset);
    this.#overlay.reset(sealedOffset);
    this.#queue.beginEpoch(epoch, sealedOffset);
  }

  endEpoch(): Offset {
    const { sealedOffset } = this;
    this.#term += 1;
    this.#queue.beginEpoch(NO_EPOCH, sealedOffset);
    this.#overlay.reset(sealedOffset);
    // What was sealed is told of again when it is committed, as of any batch that this leader did not build.
    this.producers.truncateTo(this.committedOffset);
    return sealedOffset;
  }

  /**
   * Writes the oldest unflushed batch and syncs it if the mode asks for it. One batch a sync: see ADR 1, decision 7.
   * `onSealed` is called once it may be fetched, before it is written; what it returns is waited for then. A failure before the write throws with `stage`
   * "reserve" (nothing of it can ever appear), a later one "write".
   */
  async flushOne(onSealed: () => Promise<void> | null = nothing): Promise<void> {
    const batch = this.#queue.take();
    if (batch === null) return;
    const term = this.#term;
    await this.#commitLog.reserve(batch);
    if (term !== this.#term) return;
    batch.seal();
    await this.#commitLog.append(batch, onSealed);
  }

  /** Forgets all that was appended and not sealed; after a failure, all that is not on the disk: it never happened. */
  discardUnwritten(): void {
    this.#term += 1;
    this.#commitLog.dropUnwritten();
    this.#queue.discard(this.sealedOffset);
    this.#overlay.truncateTo(this.sealedOffset);
    this.producers.truncateTo(this.sealedOffset);
  }

  /** Whether a batch of the usual size would fit on the disk now; throws what stands in the way. */
  async probeRoom(): Promise<void> {
    await this.log.reserve(LIMITS.batchBytesTarget, this.sealedOffset);
  }

  // Follower

  async appendFetched(
    bytes: Uint8Array,
    nextOffset: Offset,
    options: AppendFetchedOptions = {},
  ): Promise<void> {
    this.#refuseAsLeader('was given fetched batches');
    await this.#commitLog.appendFetched(bytes, nextOffset, options);
  }

  async truncateTo(offset: Offset): Promise<void> {
    this.#refuseAsLeader('was told to truncate');
    await this.#commitLog.truncateTo(offset);
  }

  async raiseRemovedFloor(floor: number): Promise<void> {
    await this.log.raiseRemovedFloor(floor);
  }

  // Both

  commitTo(highWatermark: Offset): Promise<void> | null {
    return this.#commitLog.commitTo(highWatermark);
  }

  readLog(offset: Offset, bytesMax: number): LogSlice | Promise<LogSlice> {
    return this.#commitLog.readLog(offset, bytesMax);
  }

  /** Seals the active segment if it holds anything, so that a merge by hand covers it. Serial with the flush. */
  async rollNow(): Promise<void> {
    await this.#commitLog.roll();
  }

  async syncNow(): Promise<void> {
    await this.#commitLog.sync();
  }

  /**
   * Makes everything committed durable, and META say so: from then on older records that it superseded may go, and a
   * start will still know that it was committed (C2, R18).
   */
  async syncEvidence(): Promise<void> {
    await this.syncNow();
    await this.saveMeta();
  }

  async saveMeta(): Promise<void> {
    await this.#commitLog.keeper.change((meta) => ({
      ...meta,
      highWatermark: Math.min(this.committedOffset, this.durableOffset),
    }));
  }

  /** The log is not to be trusted, also by the next life, until `clearLossy` or another directory takes its place (R6, C11). */
  async markLossy(): Promise<void> {
    this.#isWhole = false;
    await this.#commitLog.keeper.change((meta) => ({ ...meta, lossy: true }));
  }

  async clearLossy(): Promise<void> {
    await this.#commitLog.keeper.change(({ lossy: _lossy, ...meta }) => meta);
    this.#isWhole = true;
  }

  async close(): Promise<void> {
    try {
      await this.syncNow();
      await this.saveMeta();
    } finally {
      await this.log.close();
    }
  }

  /** Closes the files and leaves everything as it is: after a failure nothing more may be claimed. */
  async abandon(): Promise<void> {
    await this.log.close();
  }

  // Inside

  #refuseAsLeader(what: string): void {
    if (this.#queue.epoch === NO_EPOCH) return;
    throw new InvariantError(`${this.directory}: the leader of epoch ${this.#queue.epoch} ${what}`);
  }
}
