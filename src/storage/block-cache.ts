import { LRUCache } from 'lru-cache';
import { LIMITS } from '../model/limits.ts';

/** 16 KiB of a segment file in memory; immutable once it is in the cache. */
export interface Block {
  readonly bytes: Buffer;
  /** True if the bytes never left memory; bytes that came from the disk are checked record by record. */
  readonly trusted: boolean;
}

/** Blocks of one segment; a segment never has more (LIMITS.segmentBytesMax and one large batch above it). */
const BLOCKS_PER_SEGMENT = 2 ** 17;

/**
 * The node's cache of segment blocks, bounded in bytes. Values come from here, not from a cache entry per record: an entry
 * per block costs a thousandth of the memory and the look-up key is a small integer.
 */
export class BlockCache {
  readonly #blocks: LRUCache<number, Block>;
  #segmentIds = 0;
  hits = 0;
  misses = 0;

  constructor(bytesMax: number) {
    this.#blocks = new LRUCache({
      maxSize: Math.max(bytesMax, LIMITS.blockBytes),
      sizeCalculation: (block) => block.bytes.length,
    });
  }

  /** A number for a segment file that no other file of this process ever had: stale blocks cannot be found. */
  newSegmentId(): number {
    const id = this.#segmentIds;
    this.#segmentIds += 1;
    return id;
  }

  get(segmentId: number, index: number): Block | undefined {
    return this.#blocks.get(segmentId * BLOCKS_PER_SEGMENT + index);
  }

  set(segmentId: number, index: number, block: Block): void {
    this.#blocks.set(segmentId * BLOCKS_PER_SEGMENT + index, block);
  }

  /** Drops the blocks of a file that is about to go. */
  forget(segmentId: number, blockCount: number): void {
    for (let index = 0; index < blockCount; index += 1) {
      this.#blocks.delete(segmentId * BLOCKS_PER_SEGMENT + index);
    }
  }

  get bytes(): number {
    return this.#blocks.calculatedSize;
  }
}
