import { join } from 'node:path';
import type { Clock } from '../env/clock.ts';
import type { FileHandle, FileSystem } from '../env/file-system.ts';
import { CaskadeError, InvariantError, isDiskFull } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import type { BlockCache } from './block-cache.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './format/segment-header.ts';
import type { Journal } from './journal/journal.ts';
import type { LogSettings } from './log-settings.ts';
import { type Manifest, type ManifestSegment, segmentFileName, writeManifest } from './manifest.ts';
import type { PendingBatch } from './pending-batch.ts';
import { Segment } from './segment.ts';
import { ZeroFill } from './zero-fill.ts';

/** The keydir names a segment with 16 bits. */
const SLOT_MAX = 0xffff;

/**
 * The log of one partition: sealed segments and one active one. Its caller is serial: one append, roll or exchange at a time.
 * The manifest is the truth about which files belong to it (C9).
 */
export class SegmentedLog {
  readonly settings: LogSettings;
  readonly #fileSystem: FileSystem;
  readonly #clock: Clock;
  readonly #cache: BlockCache;
  /** Null: every file is synced by itself. */
  readonly #journal: Journal | null;
  /** By slot, as the keydir names them. */
  readonly #bySlot: (Segment | null)[] = [];
  /** Merges since the log was opened that left out tombstones, above or below the removed floor (C5). */
  removalCount = 0;
  #ordered: Segment[] = [];
  #manifest: Manifest;
  /** Ahead of the manifest's: a merge takes numbers while a roll writes the manifest. */
  #nextGeneration: number;
  #zeros: ZeroFill | null = null;
  /** What the last manifest failed with from its rename on; null: a start finds the one that is known here. */
  #doubt: unknown = null;

  constructor(
    settings: LogSettings,
    fileSystem: FileSystem,
    clock: Clock,
    cache: BlockCache,
    manifest: Manifest,
    journal: Journal | null = null,
  ) {
    this.settings = settings;
    this.#fileSystem = fileSystem;
    this.#clock = clock;
    this.#cache = cache;
    this.#journal = journal;
    this.#manifest = manifest;
    this.#nextGeneration = manifest.nextGeneration;
  }

  get segments(): readonly Segment[] {
    return this.#ordered;
  }

  get active(): Segment {
    const active = this.#ordered.at(-1);
    if (active === undefined) throw new InvariantError('the log has no active segment');
    return active;
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  /** The last manifest failed while it was written: a start may find it, or the one before. Until another is written. */
  get isInDoubt(): boolean {
    return this.#doubt !== null;
  }

  /** Whether it was by this failure: what the manifest was to name may be named. Any other left it as it was. */
  isInDoubtBy(error: unknown): boolean {
    return this.#doubt === error;
  }

  bySlot(slot: number): Segment {
    const segment = this.#bySlot[slot];
    if (segment == null) throw new InvariantError(`the keydir names segment slot ${slot}, which is free`);
    return segment;
  }

  /** All that are open: those of the log, and merged ones whose readers are not done yet. */
  get opened(): readonly Segment[] {
    return this.#bySlot.filter((segment) => segment !== null);
  }

  get bytes(): number {
    return this.#ordered.reduce((sum, segment) => sum + segment.length, 0);
  }

  get deadBytes(): number {
    return this.#ordered.reduce((sum, segment) => sum + segment.deadBytes, 0);
  }

  /** Opens a file that the manifest names; `writable` if it is the active one or a truncation may make it that again. */
  async openSegment(entry: ManifestSegment, writable: boolean): Promise<Segment> {
    const path = join(this.settings.directory, segmentFileName(entry.base, entry.generation));
    const handle = writable
      ? await this.#openWritable(path, 'write')
      : await this.#fileSystem.open(path, 'read');
    const segment = this.#admit(entry, path, handle);
    this.#ordered.push(segment);
    return segment;
  }

  async #openWritable(path: string, mode: 'write' | 'create'): Promise<FileHandle> {
    const handle = await this.#fileSystem.open(path, mode);
    if (this.#journal === null) return handle;
    try {
      return await this.#journal.attach(handle, mode === 'create');
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The tail of the active segment is known now: appends may begin there. */
  resume(zeroedTo: number): void {
    this.#zerosFrom(this.active, zeroedTo);
  }

  #zerosFrom(segment: Segment, zeroedTo: number): void {
    this.#zeros = new ZeroFill(this.#fileSystem, segment.path, this.settings, zeroedTo);
  }

  /** Creates the first segment of an empty log. */
  /** After a failure the log is to be closed. */
  async createFirst(): Promise<void> {
    const segment = await this.#create(asOffset(0));
    this.#ordered = [segment];
    await this.#commitManifest([segment]);
    this.resume(segment.length + this.#firstZeros());
  }

  /**
   * Makes sure that `bytes` more fit, rolling to a new segment if they do not; `nextOffset` is the base of the batch to come.
   * Fails with `diskFull` before anything is written.
   */
  async reserve(bytes: number, nextOffset: Offset): Promise<void> {
    const { active } = this;
    const isEmpty = active.length === SEGMENT_HEADER_BYTES;
    if (!isEmpty && active.length + bytes > this.settings.segmentBytesMax) await this.roll(nextOffset);
    await (this.#zeros as ZeroFill).reserve(this.active.length, bytes);
  }

  /** Writes a sealed batch at the tail. Not durable before `sync`. */
  async append(batch: PendingBatch): Promise<void> {
    const { active } = this;
    const bytes = batch.image;
    if (bytes === null) throw new InvariantError('a batch without bytes was appended');
    const position = active.length;
    await active.handle.writeAt([bytes], position);
    batch.segment = active.slot;
    batch.position = position;
    active.remember(bytes, position, batch.count === 1 && batch.length > LIMITS.largeValueBytes);
    active.length = position + batch.length;
    active.end = batch.nextOffset;
    active.batchCount += 1;
    (this.#zeros as ZeroFill).keepAhead(active.length);
  }

  async sync(): Promise<void> {
    await this.active.handle.sync();
  }

  /** Seals the active segment and begins a new one at `nextOffset`. */
  async roll(nextOffset: Offset): Promise<void> {
    if (this.#ordered.length >= LIMITS.segmentsMax) {
      throw new CaskadeError(
        'limitExceeded',
        `${this.settings.directory} has ${this.#ordered.length} segments, the limit is ${LIMITS.segmentsMax}; raise storage.segmentBytesMax`,
      );
    }
    const old = this.active;
    const fresh = await this.#create(nextOffset);
    try {
      await this.#zeros?.close();
      await old.handle.truncate(old.length);
      await old.handle.sync();
      this.resume(old.length);
      old.end = nextOffset;
      await this.#commitManifest([...this.#ordered, fresh]);
    } catch (error) {
      await this.#takeBack(fresh, error);
      throw error;
    }
    old.sealTail();
    this.#ordered = [...this.#ordered, fresh];
    this.#zeros = new ZeroFill(
      this.#fileSystem,
      fresh.path,
      this.settings,
      fresh.length + this.#firstZeros(),
    );
  }

  /** Where nothing was renamed the fresh segment goes, so that a next try finds its room again; in doubt its file stays. */
  async #takeBack(fresh: Segment, error: unknown): Promise<void> {
    if (this.isInDoubtBy(error)) await this.release(fresh);
    else await this.retire(fresh);
  }

  /** Index of the segment that holds `offset`, or would: the last one whose base is not above it. */
  indexAt(offset: Offset): number {
    let low = 0;
    let high = this.#ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ordered[middle] as Segment).base <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /**
   * Cuts the log back: the segment with this index becomes the active one, and ends at `position`, which is offset
   * `end`. Later ones go with one rewrite of the manifest. What a crash leaves half done is finished by a start (META
   * `cut`).
   */
  async truncate(index: number, position: number, end: Offset): Promise<void> {
    const target = this.#ordered[index] as Segment;
    if (target.merged) throw new InvariantError(`${target.path}: a merged segment was to be cut (C3)`);
    await this.#zeros?.close();
    await target.cut(position, end);
    this.#zerosFrom(target, position);
    const dropped = this.#ordered.slice(index + 1);
    if (dropped.length === 0) return;
    const kept = this.#ordered.slice(0, index + 1);
    await this.#commitManifest(kept);
    this.#ordered = kept;
    for (const segment of dropped) await this.retire(segment);
  }

  /** Durable: no follower that ends at or below `floor` can be brought up from this log (C5). */
  async raiseRemovedFloor(floor: number): Promise<void> {
    if (floor <= this.#manifest.removedFloor) return;
    await this.#commitManifest(this.#ordered, floor);
  }

  /** A number for a file name that was never used here; durable with the next manifest. */
  takeGeneration(): number {
    const generation = this.#nextGeneration;
    this.#nextGeneration += 1;
    return generation;
  }

  /** Registers a finished, synced file of a merge; it joins the log by `exchange`. */
  async admitMerged(entry: ManifestSegment, path: string): Promise<Segment> {
    const segment = this.#admit(entry, path, await this.#fileSystem.open(path, 'read'));
    segment.length = entry.length;
    segment.end = entry.end;
    return segment;
  }

  /** Commits a merge: one rename of the manifest puts `outputs` where `inputs` were. The inputs' files remain. */
  async exchange(
    inputs: readonly Segment[],
    outputs: readonly Segment[],
    removedFloor: number,
  ): Promise<void> {
    const first = this.#ordered.indexOf(inputs[0] as Segment);
    const stays = inputs.every((segment, index) => this.#ordered[first + index] === segment);
    if (first < 0 || !stays)
      throw new InvariantError('a merge came to commit over segments that have changed');
    const ordered = this.#ordered.toSpliced(first, inputs.length, ...outputs);
    await this.#commitManifest(ordered, Math.max(this.#manifest.removedFloor, removedFloor));
    this.#ordered = ordered;
    if (removedFloor >= 0) this.removalCount += 1;
  }

  /** The keydir no longer names the segment: its slot is free, its file goes when its readers are done. */
  async retire(segment: Segment): Promise<void> {
    this.#bySlot[segment.slot] = null;
    await segment.retire(this.#fileSystem);
  }

  /**
   * The segment did not join the log, or nobody knows whether it did: its slot is free and its file closed, but left
   * where it is.
   */
  async release(segment: Segment): Promise<void> {
    this.#bySlot[segment.slot] = null;
    await segment.handle.close();
  }

  async close(): Promise<void> {
    try {
      await this.#zeros?.close();
    } finally {
      await Promise.all(this.opened.map((segment) => segment.handle.close()));
    }
  }

  async #create(base: Offset): Promise<Segment> {
    const generation = this.takeGeneration();
    const { directory, partitionUuid, directoryId } = this.settings;
    const path = join(directory, segmentFileName(base, generation));
    const handle = await this.#openWritable(path, 'create');
    const header = encodeSegmentHeader(
      { partitionUuid, directoryId, baseOffset: base, generation },
      this.#clock.wallMs(),
    );
    try {
      await handle.writeAt([header, Buffer.alloc(this.#firstZeros())], 0);
      await handle.sync();
      await this.#fileSystem.syncDirectory(directory);
    } catch (error) {
      // No manifest names it: half a file would only keep the room that the next try needs.
      await handle.close();
      await this.#fileSystem.unlink(path);
      throw error;
    }
    const segment = this.#admit({ base, end: base, generation, length: 0, state: 'active' }, path, handle);
    segment.remember(header, 0);
    return segment;
  }

  #firstZeros(): number {
    const { preallocationBytes, segmentBytesMax } = this.settings;
    return Math.max(0, Math.min(preallocationBytes, segmentBytesMax) - SEGMENT_HEADER_BYTES);
  }

  #admit(entry: ManifestSegment, path: string, handle: Segment['handle']): Segment {
    let slot = this.#bySlot.indexOf(null);
    if (slot < 0) slot = this.#bySlot.length;
    if (slot > SLOT_MAX) {
      throw new CaskadeError(
        'limitExceeded',
        `${path}: more than ${SLOT_MAX + 1} segments are open; raise storage.segmentBytesMax`,
      );
    }
    const { base, generation } = entry;
    const merged = entry.state === 'merged';
    const segment = new Segment({ slot, base, generation, path, handle, merged }, this.#cache);
    this.#bySlot[slot] = segment;
    return segment;
  }

  async #commitManifest(
    ordered: readonly Segment[],
    removedFloor = this.#manifest.removedFloor,
  ): Promise<void> {
    const manifest: Manifest = {
      ...this.#manifest,
      nextGeneration: this.#nextGeneration,
      removedFloor,
      segments: ordered.map((segment, index) => entryOf(segment, index === ordered.length - 1)),
    };
    let isRenaming = false;
    try {
      await writeManifest(this.#fileSystem, this.settings.directory, manifest, () => {
        isRenaming = true;
      });
    } catch (error) {
      if (isRenaming && !isDiskFull(error)) this.#doubt = error;
      throw error;
    }
    this.#manifest = manifest;
    this.#doubt = null;
  }
}

function entryOf(segment: Segment, isActive: boolean): ManifestSegment {
  const { base, generation } = segment;
  if (isActive) return { base, end: base, generation, length: 0, state: 'active' };
  const state = segment.merged ? 'merged' : 'sealed';
  return { base, end: segment.end, generation, length: segment.length, state };
}
