import type { Clock } from '../env/clock.ts';
import type { FileSystem } from '../env/file-system.ts';
import type { Logger } from '../env/logger.ts';
import type { Random } from '../env/random.ts';
import { CaskadeError, InvariantError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asLeaderEpoch, asOffset, type LeaderEpoch, type Offset } from '../model/numbers.ts';
import { AppendQueue } from './append-queue.ts';
import { BatchBuilder } from './batch-builder.ts';
import { BatchCommitter } from './batch-committer.ts';
import type { BlockCache } from './block-cache.ts';
import type { CommittedIndex } from './committed-index.ts';
import type { EpochCache, EpochEnd } from './epoch-cache.ts';
import { splitFetched } from './fetched-batches.ts';
import { RECORD_HEADER_BYTES, RecordFlag, RecordKind } from './format/record.ts';
import type { KeyHash } from './keydir/key-hash.ts';
import { LogReader } from './log-reader.ts';
import { Overlay } from './overlay.ts';
import { type FlushMode, type PartitionMeta, writePartitionMeta } from './partition-meta.ts';
import type { FetchedBatch, PendingBatch } from './pending-batch.ts';
import { PendingTail } from './pending-tail.ts';
import type { RecoveryReport } from './recovery.ts';
import type { AppendFetchedOptions, LogSlice, ReplicaLog } from './replica-log.ts';
import type { SegmentedLog } from './segmented-log.ts';
import { SerialQueue } from './serial-queue.ts';
import { Slices } from './slices.ts';
import { type StoreEntry, type StoreKey, StoreLookups } from './store-lookups.ts';

export type { StoreEntry, StoreKey } from './store-lookups.ts';

/** The doors and shared parts that every partition of a node is given. */
export interface StoreDoors {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly cache: BlockCache;
}

/** What `open` hands to the store. */
export interface OpenedPartition {
  readonly directory: string;
  readonly meta: PartitionMeta;
  readonly epochs: EpochCache;
  readonly log: SegmentedLog;
  readonly index: CommittedIndex;
  readonly hasher: KeyHash;
  /** What is indexed: everything below META's high watermark. */
  readonly committedOffset: Offset;
  readonly logEndOffset: Offset;
  /** The batches between the two. */
  readonly pending: readonly PendingBatch[];
  readonly report: RecoveryReport;
  /** Nothing that was acknowledged under this directory is missing (R6). */
  readonly isWhole: boolean;
}

const EMPTY = new Uint8Array(0);
const NO_BYTES = Buffer.alloc(0);
const NO_EPOCH = asLeaderEpoch(0);
const nothing = (): void => {};

/**
 * The storage of one partition: log, committed index, the sealed batches that are not committed, and, for a leader, the overlay of what is appended. It knows
 * nothing of replication: somebody tells it the leader epoch and, by `commitTo`, the high watermark.
 */
export class PartitionStore implements ReplicaLog {
  readonly directory: string;
  readonly log: SegmentedLog;
  readonly index: CommittedIndex;
  readonly epochs: EpochCache;
  readonly report: RecoveryReport;
  readonly #doors: StoreDoors;
  readonly #hasher: KeyHash;
  readonly #flushMode: FlushMode;
  readonly #overlay: Overlay;
  readonly #queue: AppendQueue;
  readonly #lookups: StoreLookups;
  readonly #tail = new PendingTail();
  readonly #committer: BatchCommitter;
  readonly #logReader: LogReader;
  readonly #metaWrites = new SerialQueue();
  #meta: PartitionMeta;
  #isWhole: boolean;
  #committedOffset: Offset;
  #durableOffset: Offset;
  #sealedOffset: Offset;
  #groupHasRecord = false;
  /** Grows when what was appended is forgotten: a flush that is only making room then writes nothing. */
  #term = 0;
  /** Grows with every cut: a read of the files that was under way says nothing then. */
  #cuts = 0;
  /** What made the log unusable: a write or sync that failed is final. */
  #failure: unknown = null;
  #committing: Promise<void> | null = null;
  #commitTarget: Offset;

  constructor(opened: OpenedPartition, doors: StoreDoors, flushMode: FlushMode) {
    this.directory = opened.directory;
    this.log = opened.log;
    this.index = opened.index;
    this.epochs = opened.epochs;
    this.report = opened.report;
    this.#meta = opened.meta;
    this.#isWhole = opened.isWhole;
    this.#doors = doors;
    this.#hasher = opened.hasher;
    this.#flushMode = flushMode;
    this.#committedOffset = opened.committedOffset;
    this.#commitTarget = opened.committedOffset;
    this.#durableOffset = opened.logEndOffset;
    this.#sealedOffset = opened.logEndOffset;
    this.#overlay = new Overlay(opened.logEndOffset);
    this.#queue = new AppendQueue(doors.clock, NO_EPOCH, opened.logEndOffset);
    this.#lookups = new StoreLookups(this.log, this.index, this.#overlay, doors.cache, doors.clock);
    this.#committer = new BatchCommitter(this.log, this.index, opened.hasher);
    this.#logReader = new LogReader(this.log);
    for (const batch of opened.pending) this.#tail.push(batch);
  }

  get hasher(): KeyHash {
    return this.#hasher;
  }

  hash(bytes: Uint8Array, start: number, end: number): number {
    return this.#hasher.hash(bytes, start, end);
  }

  get meta(): PartitionMeta {
    return this.#meta;
  }

  get directoryId(): string {
    return this.#meta.directoryId;
  }

  get partitionUuid(): string {
    return this.#meta.partitionUuid;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  get committedOffset(): Offset {
    return this.#committedOffset;
  }

  /** Everything below it is on disk (under `always`), or handed to the operating system. */
  get durableOffset(): Offset {
    return this.#durableOffset;
  }

  get sealedOffset(): Offset {
    return this.#sealedOffset;
  }

  get logEndOffset(): Offset {
    return this.#queue.nextOffset;
  }

  get logStartOffset(): Offset {
    return asOffset(this.log.segments[0]?.base ?? 0);
  }

  get removedFloor(): number {
    return this.log.manifest.removedFloor;
  }

  get lastEpoch(): LeaderEpoch {
    return this.epochs.epochBelow(this.#sealedOffset);
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
    if (!this.#queue.inGroup) this.#groupHasRecord = false;
    this.#queue.beginGroup();
  }

  endGroup(): void {
    this.#queue.endGroup();
  }

  put(
    database: number,
    key: StoreKey,
    value: Uint8Array,
    start: number,
    end: number,
    expiresAtMs: number,
  ): Offset {
    const batch = this.#queue.batchFor(end - start);
    const expiry = expiresAtMs > 0 ? expiresAtMs : -1;
    const flags = this.#groupFlags();
    const at = batch.append(
      RecordKind.put,
      flags,
      0,
      database,
      expiry,
      key.bytes,
      key.start,
      key.end,
      value,
      start,
      end,
    );
    return this.#noted(batch, RecordKind.put, database, key, at, expiry);
  }

  remove(database: number, key: StoreKey, reason: number): Offset {
    return this.#keyOnly(RecordKind.tombstone, reason, database, key, -1);
  }

  changeExpiry(database: number, key: StoreKey, expiresAtMs: number): Offset {
    return this.#keyOnly(RecordKind.expiryChange, 0, database, key, expiresAtMs);
  }

  flushDatabase(database: number): Offset {
    return this.#keyOnly(RecordKind.flush, 0, database, { bytes: EMPTY, start: 0, end: 0, hash: 0 }, -1);
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
    const { logEndOffset } = this;
    await this.epochs.begin(epoch, logEndOffset);
    this.#overlay.reset(logEndOffset);
    this.#queue.beginEpoch(epoch, logEndOffset);
  }

  endEpoch(): Offset {
    const from = this.#sealedOffset;
    this.#term += 1;
    this.#queue.beginEpoch(NO_EPOCH, from);
    this.#overlay.reset(from);
    return from;
  }

  /**
   * Writes the oldest unflushed batch and syncs it if the mode asks for it. One batch a sync: see ADR 1, decision 7. `onSealed` is called once it may be
   * fetched, before it is written. A failure before the write throws with `stage` "reserve" (nothing of it can ever appear), a later one "write".
   */
  async flushOne(onSealed: () => void = nothing): Promise<void> {
    const batch = this.#queue.take();
    if (batch === null) return;
    const term = this.#term;
    await this.#reserve(batch);
    if (term !== this.#term) return;
    batch.seal();
    this.#tail.push(batch);
    this.#sealedOffset = batch.nextOffset;
    onSealed();
    await this.#write(batch, this.#flushMode === 'always');
    this.#durableOffset = batch.nextOffset;
  }

  /** Forgets all that was appended and not sealed; after a failed write, all that is not on the disk: it never happened. */
  discardUnwritten(): void {
    this.#term += 1;
    if (this.#failure !== null) {
      this.#tail.truncateTo(this.#durableOffset);
      this.#sealedOffset = this.#durableOffset;
    }
    this.#queue.discard(this.#sealedOffset);
    this.#overlay.truncateTo(this.#sealedOffset);
  }

  /** Whether a batch of the usual size would fit on the disk now; throws what stands in the way. */
  async probeRoom(): Promise<void> {
    await this.log.reserve(LIMITS.batchBytesTarget, this.#sealedOffset);
  }

  // Follower

  async appendFetched(
    bytes: Uint8Array,
    nextOffset: Offset,
    options: AppendFetchedOptions = {},
  ): Promise<void> {
    this.#refuseAsLeader('was given fetched batches');
    const { directory, lastEpoch } = this;
    const place = { directory, logEndOffset: this.#sealedOffset, lastEpoch };
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const batches = splitFetched(view, nextOffset, place);
    for (const batch of batches) await this.#appendOne(batch, options);
    if (nextOffset > this.#sealedOffset) await this.#skipTo(nextOffset, options);
  }

  async truncateTo(offset: Offset): Promise<void> {
    this.#refuseAsLeader('was told to truncate');
    if (offset < this.#committedOffset) {
      throw new InvariantError(
        `${this.directory}: a truncation to ${offset}, but ${this.#committedOffset} is committed (I3)`,
      );
    }
    if (offset >= this.#sealedOffset) {
      await this.epochs.trimTo(offset);
      return;
    }
    try {
      await this.#cut(asOffset(Math.max(this.#committedOffset, this.#tail.borderAt(offset))));
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  // Both

  commitTo(highWatermark: Offset): Promise<void> | null {
    if (highWatermark > this.#commitTarget) this.#commitTarget = highWatermark;
    if (this.#committing !== null) return this.#committing;
    const target = this.#commitTarget;
    const first = this.#tail.first;
    if (first !== undefined && !this.#isOwn(first)) {
      const { bytes, isWhole } = this.#tail.heldBelow(target);
      if (!isWhole || bytes > LIMITS.commitBytesPerTurnMax) return this.#commitInTurns();
    }
    for (let batch = first; batch !== undefined && batch.nextOffset <= target; batch = this.#tail.first) {
      this.#commit(batch, batch.image);
    }
    this.#settle(target);
    return null;
  }

  readLog(offset: Offset, bytesMax: number): LogSlice | Promise<LogSlice> {
    if (offset < this.logStartOffset || offset > this.#sealedOffset) {
      throw new InvariantError(
        `${this.directory}: a read at ${offset} of a log from ${this.logStartOffset} to ${this.#sealedOffset}`,
      );
    }
    if (offset === this.#sealedOffset) return { bytes: NO_BYTES, nextOffset: offset, epochs: [] };
    const held = this.#tail.slice(offset, bytesMax);
    if (held !== null) return { ...held, epochs: this.#epochsIn(offset, held.nextOffset) };
    return this.#readFiles(offset, bytesMax);
  }

  /** Seals the active segment if it holds anything, so that a merge by hand covers it. Serial with the flush. */
  async rollNow(): Promise<void> {
    if (this.log.active.batchCount > 0) await this.log.roll(this.#sealedOffset);
  }

  async syncNow(): Promise<void> {
    const sealed = this.#sealedOffset;
    await this.log.sync();
    // A leader's batch is synced by its own flush; here a rebuild makes up for what it put off.
    if (this.#queue.epoch === 0 && sealed > this.#durableOffset) this.#durableOffset = sealed;
  }

  /** Makes everything committed durable, and META say so: from then on older records that it superseded may go (C2, R18). */
  async syncEvidence(): Promise<void> {
    await this.syncNow();
    await this.saveMeta();
  }

  async saveMeta(): Promise<void> {
    await this.#changeMeta((meta) => ({
      ...meta,
      highWatermark: Math.min(this.#committedOffset, this.#durableOffset),
    }));
  }

  async clearLossy(): Promise<void> {
    await this.#changeMeta(({ lossy: _lossy, ...meta }) => meta);
    this.#isWhole = true;
  }

  async raiseRemovedFloor(floor: number): Promise<void> {
    await this.log.raiseRemovedFloor(floor);
  }

  async close(): Promise<void> {
    await this.syncNow();
    await this.saveMeta();
    await this.log.close();
  }

  /** Closes the files and leaves everything as it is: after a failure nothing more may be claimed. */
  async abandon(): Promise<void> {
    await this.log.close();
  }

  // Inside

  #keyOnly(kind: RecordKind, detail: number, database: number, key: StoreKey, expiresAtMs: number): Offset {
    const batch = this.#queue.batchFor(0);
    const flags = this.#groupFlags();
    const at = batch.append(kind, flags, detail, database, expiresAtMs, key.bytes, key.start, key.end);
    return this.#noted(batch, kind, database, key, at, expiresAtMs);
  }

  #groupFlags(): number {
    if (!this.#queue.inGroup) return 0;
    const flags = this.#groupHasRecord ? RecordFlag.continues : 0;
    this.#groupHasRecord = true;
    return flags;
  }

  #noted(
    batch: BatchBuilder,
    kind: RecordKind,
    database: number,
    key: StoreKey,
    at: number,
    expiry: number,
  ): Offset {
    const keyStart = at + RECORD_HEADER_BYTES + (expiry >= 0 ? 8 : 0);
    const keyEnd = keyStart + key.end - key.start;
    return asOffset(this.#overlay.add(batch, kind, database, key.hash, at, keyStart, keyEnd, expiry));
  }

  async #appendOne(batch: FetchedBatch, options: AppendFetchedOptions): Promise<void> {
    const start = { epoch: batch.leaderEpoch, startOffset: batch.baseOffset };
    const starts = (options.epochs ?? []).filter(({ startOffset }) => startOffset <= batch.baseOffset);
    await this.#reserve(batch);
    await this.epochs.assign([...starts, start], this.lastEpoch, batch.leaderEpoch);
    const syncs = this.#flushMode === 'always' && options.deferSync !== true;
    await this.#write(batch, syncs);
    this.#tail.push(this.#tail.heldBytes > LIMITS.pendingBytesMax ? batch.withoutImage() : batch);
    this.#standAt(batch.nextOffset);
    if (options.deferSync !== true) this.#durableOffset = batch.nextOffset;
  }

  async #skipTo(nextOffset: Offset, options: AppendFetchedOptions): Promise<void> {
    const starts = options.epochs ?? [];
    const newest = starts.at(-1)?.epoch ?? this.lastEpoch;
    await this.epochs.assign(starts, this.lastEpoch, newest);
    await this.log.roll(nextOffset);
    this.#standAt(nextOffset);
    this.#durableOffset = nextOffset;
  }

  #standAt(offset: Offset): void {
    this.#sealedOffset = offset;
    this.#queue.discard(offset);
  }

  async #reserve(batch: PendingBatch): Promise<void> {
    this.#refuseBroken(batch);
    try {
      await this.log.reserve(batch.length, batch.baseOffset);
    } catch (error) {
      if (!(error instanceof CaskadeError) || error.code !== 'diskFull') this.#failure = error;
      throw new FlushFailure('reserve', batch, error);
    }
  }

  async #write(batch: PendingBatch, syncs: boolean): Promise<void> {
    try {
      await this.log.append(batch);
      if (syncs) await this.log.sync();
    } catch (error) {
      this.#failure = error;
      throw new FlushFailure('write', batch, error);
    }
  }

  async #cut(end: Offset): Promise<void> {
    const index = this.log.indexAt(end);
    const target = this.log.segments[index];
    if (target === undefined) throw new InvariantError(`${this.directory}: nothing holds offset ${end}`);
    const dropped = this.#tail.truncateTo(end).filter(({ segment }) => segment === target.slot);
    const position = dropped[0]?.position ?? target.length;
    this.#cuts += 1;
    this.#logReader.forget();
    await this.#changeMeta((meta) => ({ ...meta, cut: { offset: end, base: target.base, position } }));
    target.batchCount -= dropped.length;
    await this.log.truncate(index, position, end);
    await this.epochs.trimTo(end);
    await this.#changeMeta(({ cut: _done, ...meta }) => meta);
    this.#standAt(end);
    this.#durableOffset = end;
    this.#overlay.reset(end);
  }

  /** Batches that the overlay knows are committed by it, all others by their bytes. */
  #isOwn(batch: PendingBatch): batch is BatchBuilder {
    return batch instanceof BatchBuilder && this.#overlay.begin === batch.baseOffset;
  }

  #commit(batch: PendingBatch, bytes: Buffer | null): void {
    this.#tail.shift();
    if (this.#isOwn(batch)) {
      this.#committer.commitOwn(batch, this.#overlay);
      this.#queue.release(batch);
    } else {
      this.#committer.commit(batch, bytes as Buffer);
    }
    this.#committedOffset = batch.nextOffset;
  }

  /** Batches that must be read back, or so many that one turn is not enough for them. */
  #commitInTurns(): Promise<void> {
    this.#committing = this.#commitSlowly().finally(() => {
      this.#committing = null;
    });
    return this.#committing;
  }

  async #commitSlowly(): Promise<void> {
    const slices = new Slices(this.#doors.clock);
    for (
      let batch = this.#tail.first;
      batch !== undefined && batch.nextOffset <= this.#commitTarget;
      batch = this.#tail.first
    ) {
      const bytes = batch.image ?? (await this.#committer.load(batch));
      this.#commit(batch, bytes);
      if (slices.isSpent) await slices.rest();
    }
    this.#settle(this.#commitTarget);
  }

  /** No batch is left below the target: what is above the last one is a gap. */
  #settle(target: Offset): void {
    const end = this.#tail.first?.baseOffset ?? this.#sealedOffset;
    const reached = Math.min(target, end);
    if (reached > this.#committedOffset) this.#committedOffset = asOffset(reached);
  }

  async #readFiles(offset: Offset, bytesMax: number): Promise<LogSlice> {
    const cuts = this.#cuts;
    const floor = this.removedFloor;
    const limit = this.#tail.heldAbove(offset, this.#sealedOffset);
    const slice = await this.#logReader.read(offset, bytesMax, limit);
    // A cut, or a merge that took tombstones which the reader needs, made it meaningless: nothing was read.
    const isFloorRaised = this.removedFloor !== floor && this.removedFloor >= offset;
    if (cuts !== this.#cuts || isFloorRaised) return { bytes: NO_BYTES, nextOffset: offset, epochs: [] };
    if (slice.bytes.length > 0 || slice.nextOffset === this.#sealedOffset) {
      return { ...slice, epochs: this.#epochsIn(offset, slice.nextOffset) };
    }
    const rest = await this.readLog(slice.nextOffset, bytesMax);
    return { ...rest, epochs: this.#epochsIn(offset, rest.nextOffset) };
  }

  #epochsIn(offset: Offset, nextOffset: Offset): LogSlice['epochs'] {
    return this.epochs.entries.filter(({ startOffset }) => startOffset >= offset && startOffset < nextOffset);
  }

  /** METAs are written one after the other: each starts from what the one before it wrote. */
  async #changeMeta(change: (meta: PartitionMeta) => PartitionMeta): Promise<void> {
    await this.#metaWrites.run(async () => {
      const meta = change(this.#meta);
      await writePartitionMeta(this.#doors.fileSystem, this.directory, meta);
      this.#meta = meta;
    });
  }

  #refuseAsLeader(what: string): void {
    if (this.#queue.epoch === 0) return;
    throw new InvariantError(`${this.directory}: the leader of epoch ${this.#queue.epoch} ${what}`);
  }

  #refuseBroken(batch: PendingBatch): void {
    if (this.#failure !== null) throw new FlushFailure('reserve', batch, this.#failure);
  }
}

/** A flush that failed, and whether anything of the batch may have reached the disk. */
export class FlushFailure extends Error {
  readonly stage: 'reserve' | 'write';
  /** The batch that failed: from its first offset to the one after its last. */
  readonly firstOffset: Offset;
  readonly nextOffset: Offset;

  constructor(
    stage: 'reserve' | 'write',
    batch: Pick<PendingBatch, 'baseOffset' | 'nextOffset'>,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'FlushFailure';
    this.stage = stage;
    this.firstOffset = batch.baseOffset;
    this.nextOffset = batch.nextOffset;
  }
}
