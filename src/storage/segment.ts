import type { FileHandle, FileSystem } from '../env/file-system.ts';
import { CaskadeError, InvariantError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import type { Block, BlockCache } from './block-cache.ts';
import { BATCH_HEADER_BYTES } from './format/batch.ts';
import { SEGMENT_HEADER_BYTES } from './format/segment-header.ts';

const { blockBytes } = LIMITS;

/**
 * One segment file in use: where its tail is, how much of it is alive, who reads it.
 *
 * The block that holds the tail is kept in memory while it fills (`#tail`), so a value just written is never read back from
 * the disk; full blocks go to the cache.
 */
export class Segment {
  /** Number under which the keydir knows it; may be used again after the segment is gone. */
  readonly slot: number;
  /** Its blocks in memory are known under it, here and to whoever waits for one. Another after a cut. */
  cacheId: number;
  readonly base: Offset;
  readonly generation: number;
  readonly path: string;
  readonly handle: FileHandle;
  readonly merged: boolean;
  /** End of the last batch, in bytes. */
  length = SEGMENT_HEADER_BYTES;
  /** Offset after the last one of the segment. */
  end: Offset;
  /** By database id: bytes of records that the keydir or the expiry side table points at. */
  readonly #liveBytes: number[] = [];
  /** Bytes of tombstones and flushes: only a merge of a prefix of the log may drop them. */
  tombstoneBytes = 0;
  /** Bytes of producer snapshots: neither dead nor to be gained by a merge, which would only write another. */
  producerBytes = 0;
  /** Known from its hint: somebody who needs what the log says of producers must read it. */
  speaksOfProducers = false;
  hasHint = false;
  /** Batches in the file; their headers are neither alive nor dead. */
  batchCount = 0;

  readonly #cache: BlockCache;
  #tail: Buffer | null = null;
  #tailIndex = -1;
  #pins = 0;
  #whenUnpinned: (() => void) | null = null;

  constructor(
    fields: Pick<Segment, 'slot' | 'base' | 'generation' | 'path' | 'handle' | 'merged'>,
    cache: BlockCache,
  ) {
    this.slot = fields.slot;
    this.base = fields.base;
    this.generation = fields.generation;
    this.path = fields.path;
    this.handle = fields.handle;
    this.merged = fields.merged;
    this.end = asOffset(fields.base);
    this.cacheId = cache.newSegmentId();
    this.#cache = cache;
  }

  get liveBytes(): number {
    let sum = 0;
    for (const bytes of this.#liveBytes) sum += bytes ?? 0;
    return sum;
  }

  addLiveBytes(database: number, bytes: number): void {
    this.#liveBytes[database] = (this.#liveBytes[database] ?? 0) + bytes;
  }

  /** A flush: nothing of the database is alive here any more. */
  clearLiveBytes(database: number): void {
    this.#liveBytes[database] = 0;
  }

  /** Bytes that a merge of this segment would give back at once. */
  get deadBytes(): number {
    const headerBytes = SEGMENT_HEADER_BYTES + this.batchCount * BATCH_HEADER_BYTES;
    return Math.max(0, this.length - headerBytes - this.liveBytes - this.tombstoneBytes - this.producerBytes);
  }

  /** The block with this index if it is in memory. */
  block(index: number): Block | undefined {
    if (index === this.#tailIndex) return { bytes: this.#tail as Buffer, trusted: true };
    return this.#cache.get(this.cacheId, index);
  }

  /** The tail's buffer if `index` is its block: the hot path of a value just written. */
  tailBlock(index: number): Buffer | null {
    return index === this.#tailIndex ? this.#tail : null;
  }

  /** Reads the block from the file; the caller keeps it, and the cache gets it, unless a cut came meanwhile. */
  async loadBlock(index: number): Promise<Block> {
    const { cacheId } = this;
    const bytes = await this.load(index * blockBytes, Math.min(blockBytes, this.length - index * blockBytes));
    const block = { bytes, trusted: false };
    if (cacheId === this.cacheId) this.#cache.set(cacheId, index, block);
    return block;
  }

  async load(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    this.pin();
    try {
      const read = await this.handle.readAt(bytes, position);
      if (read === length) return bytes;
      throw new CaskadeError(
        'corruptSegment',
        `${this.path}: position ${position}: ${length} bytes were written here, the file now has ${read} of them; restore the file from a replica or a backup`,
      );
    } finally {
      this.unpin();
    }
  }

  /**
   * Remembers bytes just written at `position`; a large value, which is read past the cache, only as far as the tail
   * block needs it.
   */
  remember(bytes: Uint8Array, position: number, isLargeValue = false): void {
    let from = 0;
    while (from < bytes.length) {
      const at = position + from;
      const index = Math.floor(at / blockBytes);
      const inBlock = at - index * blockBytes;
      const count = Math.min(blockBytes - inBlock, bytes.length - from);
      const isLast = from + count === bytes.length;
      if (!isLargeValue || isLast || from === 0)
        this.#fill(bytes.subarray(from, from + count), index, inBlock);
      from += count;
    }
  }

  /** After a restart: reads the part of the tail block that the file already has. */
  async resumeTail(): Promise<void> {
    const index = Math.floor(this.length / blockBytes);
    const tail = Buffer.alloc(blockBytes);
    const kept = this.length - index * blockBytes;
    if (kept > 0) await this.handle.readAt(tail.subarray(0, kept), index * blockBytes);
    this.#tail = tail;
    this.#tailIndex = index;
  }

  /**
   * Cuts the file at `position`, durably; what was in memory of it is forgotten. A load that is under way when it
   * begins asked for more than will be there, and one that is when it ends has seen a tail block that goes on: neither
   * is what anybody finds here then.
   */
  async cut(position: number, end: Offset): Promise<void> {
    this.#forgetBlocks();
    this.length = position;
    await this.handle.truncate(position);
    await this.handle.sync();
    this.#tail = null;
    this.#tailIndex = -1;
    this.end = end;
    await this.resumeTail();
    this.#forgetBlocks();
  }

  /** The segment gets no more bytes: its last block stays in memory like any other. */
  sealTail(): void {
    if (this.#tail !== null)
      this.#cache.set(this.cacheId, this.#tailIndex, { bytes: this.#tail, trusted: true });
    this.#tail = null;
    this.#tailIndex = -1;
  }

  pin(): void {
    this.#pins += 1;
  }

  unpin(): void {
    this.#pins -= 1;
    if (this.#pins < 0) throw new InvariantError(`${this.path}: unpinned more often than pinned`);
    if (this.#pins === 0) this.#whenUnpinned?.();
  }

  /** Waits for its readers, closes the file and removes it (C9, C12). */
  async retire(fileSystem: FileSystem): Promise<void> {
    if (this.#pins > 0) {
      await new Promise<void>((resolve) => {
        this.#whenUnpinned = resolve;
      });
    }
    this.#forgetBlocks();
    await this.handle.close();
    await fileSystem.unlink(this.path);
  }

  /** Of the file as it was: nothing that was loaded of it, or comes yet, is found any more. */
  #forgetBlocks(): void {
    this.#cache.forget(this.cacheId, Math.ceil(this.length / blockBytes));
    this.cacheId = this.#cache.newSegmentId();
  }

  #fill(bytes: Uint8Array, index: number, inBlock: number): void {
    if (index !== this.#tailIndex) {
      this.sealTail();
      this.#tail = Buffer.alloc(blockBytes);
      this.#tailIndex = index;
    }
    (this.#tail as Buffer).set(bytes, inBlock);
  }
}
