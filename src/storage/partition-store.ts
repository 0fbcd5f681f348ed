import type { Clock } from '../env/clock.ts';
import type { FileSystem } from '../env/file-system.ts';
import type { Logger } from '../env/logger.ts';
import type { Random } from '../env/random.ts';
import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asOffset, type LeaderEpoch, type Offset } from '../model/numbers.ts';
import { AppendQueue } from './append-queue.ts';
import type { BatchBuilder } from './batch-builder.ts';
import type { BlockCache } from './block-cache.ts';
import { type CommittedIndex, IndexedRecord } from './committed-index.ts';
import type { EpochCache } from './epoch-cache.ts';
import { RECORD_HEADER_BYTES, RecordFlag, RecordKind, RecordView } from './format/record.ts';
import type { KeyHash } from './keydir/key-hash.ts';
import { Overlay } from './overlay.ts';
import { type FlushMode, type PartitionMeta, writePartitionMeta } from './partition-meta.ts';
import { RecordReader } from './record-reader.ts';
import type { RecoveryReport } from './recovery.ts';
import type { SegmentedLog } from './segmented-log.ts';

/** A key as the store takes it: a view, with its hash. */
export interface StoreKey {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly hash: number;
}

/** What a look-up found. One object is reused by the caller; bytes are valid for the turn. */
export interface StoreEntry {
  found: boolean;
  bytes: Uint8Array;
  start: number;
  end: number;
  valueLength: number;
  expiresAtMs: number;
  uncommittedOffset: number;
  offset: number;
}

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
  readonly logEndOffset: Offset;
  readonly report: RecoveryReport;
}

const EMPTY = new Uint8Array(0);

/**
 * The storage of one partition: log, committed index, and the overlay of what is appended but not committed. It knows nothing of
 * replication: somebody tells it the leader epoch and, by `commitTo`, the high watermark.
 */
export class PartitionStore {
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
  readonly #reader: RecordReader;
  readonly #view = new RecordView();
  readonly #record = new IndexedRecord();
  /** Written and, if the mode asks for it, synced; not yet committed. */
  readonly #written: BatchBuilder[] = [];
  #meta: PartitionMeta;
  #durableOffset: Offset;
  #committedOffset: Offset;
  #groupHasRecord = false;

  constructor(opened: OpenedPartition, doors: StoreDoors, flushMode: FlushMode, epoch: LeaderEpoch) {
    this.directory = opened.directory;
    this.log = opened.log;
    this.index = opened.index;
    this.epochs = opened.epochs;
    this.report = opened.report;
    this.#meta = opened.meta;
    this.#doors = doors;
    this.#hasher = opened.hasher;
    this.#flushMode = flushMode;
    this.#durableOffset = opened.logEndOffset;
    this.#committedOffset = opened.logEndOffset;
    this.#overlay = new Overlay(opened.logEndOffset);
    this.#queue = new AppendQueue(doors.clock, epoch, opened.logEndOffset);
    this.#reader = new RecordReader(doors.cache, doors.clock);
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

  get logEndOffset(): Offset {
    return this.#queue.nextOffset;
  }

  /** Everything below it is on disk (under `always`), or handed to the operating system. */
  get durableOffset(): Offset {
    return this.#durableOffset;
  }

  get unflushedBytes(): number {
    return this.#queue.bytes;
  }

  get hasUnflushed(): boolean {
    return !this.#queue.isEmpty;
  }

  /** Resolves when what the last look-up missed is in memory. */
  get loaded(): Promise<void> {
    return this.#reader.loaded;
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

  /** Committed state. Throws `corruptSegment` or the disk's error. */
  readCommitted(database: number, key: StoreKey, entry: StoreEntry, withValue: boolean): boolean {
    entry.uncommittedOffset = -1;
    const keydir = this.index.keydir(database);
    if (keydir === undefined || !keydir.find(key.hash, key.bytes, key.start, key.end)) {
      entry.found = false;
      entry.expiresAtMs = 0;
      entry.offset = -1;
      return true;
    }
    entry.found = true;
    entry.expiresAtMs = keydir.expiresAtMs;
    entry.offset = keydir.offset;
    return !withValue || this.#readValue(keydir.segment, keydir.position, keydir.length, key, entry);
  }

  /** Newest appended state: the overlay, else what is committed. */
  readAppended(database: number, key: StoreKey, entry: StoreEntry, withValue: boolean): boolean {
    const newest = this.#overlay.find(database, key.hash, key.bytes, key.start, key.end);
    const flushed = this.#overlay.flushedAbove(database, newest);
    if (flushed >= 0) return this.#absent(entry, flushed);
    if (newest < 0) return this.readCommitted(database, key, entry, withValue);
    const put = this.#putBelow(newest);
    if (put >= 0 && this.#overlay.kind(put) === RecordKind.tombstone) return this.#absent(entry, newest);
    if (put >= 0) this.#fromOverlay(put, entry);
    else if (!this.readCommitted(database, key, entry, withValue)) return false;
    if (!entry.found) return this.#absent(entry, newest);
    if (newest !== put) entry.expiresAtMs = Math.max(0, this.#overlay.expiresAtMs(newest));
    entry.uncommittedOffset = newest;
    entry.offset = newest;
    return true;
  }

  /** Offset of the newest uncommitted record that decides about the key, or -1: what is committed is the newest. */
  newestUncommitted(database: number, key: StoreKey): number {
    const newest = this.#overlay.find(database, key.hash, key.bytes, key.start, key.end);
    return Math.max(newest, this.#overlay.flushedAbove(database, newest));
  }

  // Flush and commit

  /**
   * Writes the oldest unflushed batch and syncs it if the mode asks for it. One batch a sync: see ADR 1, decision 7.
   * A failure before the write throws with `stage` "reserve" (nothing of it can ever appear), a later one "write".
   */
  async flushOne(): Promise<void> {
    const batch = this.#queue.take();
    if (batch === null) return;
    try {
      await this.log.reserve(batch.length, batch.baseOffset);
    } catch (error) {
      throw new FlushFailure('reserve', batch, error);
    }
    try {
      batch.seal();
      await this.log.append(batch);
      if (this.#flushMode === 'always') await this.log.sync();
    } catch (error) {
      throw new FlushFailure('write', batch, error);
    }
    this.#written.push(batch);
    this.#durableOffset = batch.nextOffset;
  }

  /** Moves everything below `highWatermark` from the overlay into the committed index. */
  commitTo(highWatermark: Offset): void {
    let done = 0;
    for (const batch of this.#written) {
      if (batch.nextOffset > highWatermark) break;
      this.#commit(batch);
      done += 1;
    }
    for (const batch of this.#written.splice(0, done)) this.#queue.release(batch);
  }

  /** Forgets all that was appended and not written: it never happened. */
  discardUnwritten(): void {
    this.#queue.discard(this.#durableOffset);
    this.#overlay.truncateTo(this.#durableOffset);
  }

  /** Whether a batch of the usual size would fit on the disk now; throws what stands in the way. */
  async probeRoom(): Promise<void> {
    await this.log.reserve(LIMITS.batchBytesTarget, this.#durableOffset);
  }

  /** Seals the active segment if it holds anything, so that a merge by hand covers it. Serial with the flush. */
  async rollNow(): Promise<void> {
    if (this.log.active.batchCount > 0) await this.log.roll(this.#durableOffset);
  }

  async syncNow(): Promise<void> {
    await this.log.sync();
  }

  /** Records in META what is known to be committed; a later start checks the log against it. */
  async saveMeta(): Promise<void> {
    this.#meta = { ...this.#meta, highWatermark: this.#committedOffset };
    await writePartitionMeta(this.#doors.fileSystem, this.directory, this.#meta);
  }

  async close(): Promise<void> {
    await this.log.sync();
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

  /** From a newest record down over expiry changes: the put or tombstone they apply to, or -1 if it is committed. */
  #putBelow(newest: number): number {
    let offset = newest;
    while (offset >= 0 && this.#overlay.kind(offset) === RecordKind.expiryChange) {
      offset = this.#overlay.findOlder(offset);
    }
    return offset;
  }

  #fromOverlay(put: number, entry: StoreEntry): void {
    const overlay = this.#overlay;
    entry.found = true;
    entry.bytes = overlay.batch(put).bytes;
    entry.start = overlay.keyEnd(put);
    entry.end = overlay.position(put) + overlay.length(put);
    entry.valueLength = entry.end - entry.start;
    entry.expiresAtMs = Math.max(0, overlay.expiresAtMs(put));
  }

  #absent(entry: StoreEntry, uncommittedOffset: number): true {
    entry.found = false;
    entry.expiresAtMs = 0;
    entry.uncommittedOffset = uncommittedOffset;
    entry.offset = uncommittedOffset;
    return true;
  }

  #readValue(slot: number, position: number, length: number, key: StoreKey, entry: StoreEntry): boolean {
    const reader = this.#reader;
    const segment = this.log.bySlot(slot);
    if (!reader.find(segment, position, length)) return false;
    const { bytes, start } = reader;
    const end = start + length;
    const flags = bytes[start + 13] as number;
    if (reader.trusted && (flags & RecordFlag.hasExtras) === 0) {
      const body = start + RECORD_HEADER_BYTES + ((flags & RecordFlag.hasExpiry) === 0 ? 0 : 8);
      entry.start = body + key.end - key.start;
    } else {
      const fault = this.#view.decode(bytes, start, end, true);
      if (fault !== null || this.#view.length !== length) {
        throw new CaskadeError(
          'corruptSegment',
          `${segment.path}: position ${position}: a committed record cannot be read (${fault ?? 'length'}); restore the file from a replica or a backup`,
        );
      }
      entry.start = this.#view.valueStart;
    }
    entry.bytes = bytes;
    entry.end = end;
    entry.valueLength = end - entry.start;
    return true;
  }

  #commit(batch: BatchBuilder): void {
    const overlay = this.#overlay;
    const record = this.#record;
    const segment = this.log.bySlot(batch.segment);
    const end = batch.nextOffset;
    record.bytes = batch.bytes;
    for (let offset: number = batch.baseOffset; offset < end; offset += 1) {
      record.kind = overlay.kind(offset);
      record.database = overlay.database(offset);
      record.hash = overlay.hash(offset);
      record.offset = offset;
      record.position = batch.position + overlay.position(offset);
      record.length = overlay.length(offset);
      record.expiresAtMs = Math.max(0, overlay.expiresAtMs(offset));
      record.keyStart = overlay.keyStart(offset);
      record.keyEnd = overlay.keyEnd(offset);
      this.index.apply(record, segment);
    }
    overlay.commitTo(end);
    this.#committedOffset = end;
  }
}

/** A flush that failed, and whether anything of the batch may have reached the disk. */
export class FlushFailure extends Error {
  readonly stage: 'reserve' | 'write';
  /** The batch that failed: from its first offset to the one after its last. */
  readonly firstOffset: Offset;
  readonly nextOffset: Offset;

  constructor(stage: 'reserve' | 'write', batch: BatchBuilder, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'FlushFailure';
    this.stage = stage;
    this.firstOffset = batch.baseOffset;
    this.nextOffset = batch.nextOffset;
  }
}
