import type { Clock } from '../env/clock.ts';
import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import type { Block, BlockCache } from './block-cache.ts';
import type { Segment } from './segment.ts';

const { blockBytes } = LIMITS;

/**
 * Finds the bytes of a record in memory or has them loaded. `find` never waits: if something is missing it starts the load and
 * returns false; `loaded` resolves when everything asked for so far is there. What was loaded is kept until the end of
 * the turn after that, however small the cache, so that whoever waited finds it.
 */
export class RecordReader {
  /** The record lies in `bytes[start, start + length)`; valid for this turn. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  /** False if the bytes came from the disk and no checksum was verified yet. */
  trusted = true;

  readonly #cache: BlockCache;
  readonly #clock: Clock;
  readonly #failed = new Map<string, unknown>();
  readonly #fresh = new Map<string, Block>();
  readonly #loading = new Set<string>();
  #outstanding = 0;
  #loaded: Promise<void> = Promise.resolve();
  #resolve: () => void = () => {};

  constructor(cache: BlockCache, clock: Clock) {
    this.#cache = cache;
    this.#clock = clock;
  }

  get loaded(): Promise<void> {
    return this.#loaded;
  }

  /** Throws the disk's error if an earlier load of these bytes failed; the next call tries again. */
  find(segment: Segment, position: number, length: number): boolean {
    const first = Math.floor(position / blockBytes);
    const inBlock = position - first * blockBytes;
    if (inBlock + length <= blockBytes) return this.#findInBlock(segment, first, inBlock);
    if (length > LIMITS.largeValueBytes) return this.#findLarge(segment, position, length);
    return this.#gather(segment, first, inBlock, length);
  }

  #findInBlock(segment: Segment, index: number, inBlock: number): boolean {
    const tail = segment.tailBlock(index);
    if (tail !== null) {
      this.bytes = tail;
      this.trusted = true;
    } else {
      const block = this.#cached(segment, index);
      if (block === undefined) return false;
      this.bytes = block.bytes;
      this.trusted = block.trusted;
    }
    this.#cache.hits += 1;
    this.start = inBlock;
    return true;
  }

  #gather(segment: Segment, first: number, inBlock: number, length: number): boolean {
    const last = Math.floor((first * blockBytes + inBlock + length - 1) / blockBytes);
    // Memory of its own for each: what was found before stays valid until the end of the turn.
    const gathered = Buffer.allocUnsafe(length);
    let complete = true;
    let filled = 0;
    this.trusted = true;
    for (let index = first; index <= last; index += 1) {
      const block = segment.block(index) ?? this.#cached(segment, index);
      if (block === undefined) {
        complete = false;
        continue;
      }
      const from = index === first ? inBlock : 0;
      const to = Math.min(blockBytes, from + length - filled);
      if (complete) block.bytes.copy(gathered, filled, from, to);
      filled += to - from;
      this.trusted &&= block.trusted;
    }
    if (!complete) return false;
    this.#cache.hits += 1;
    this.bytes = gathered;
    this.start = 0;
    return true;
  }

  #cached(segment: Segment, index: number): Block | undefined {
    const block = this.#cache.get(segment.cacheId, index);
    if (block !== undefined) return block;
    const key = `${segment.cacheId}/${index}`;
    const fresh = this.#fresh.get(key);
    if (fresh !== undefined) return fresh;
    this.#load(key, () => segment.loadBlock(index));
    return undefined;
  }

  /** A large record would only push everything else out of the cache. */
  #findLarge(segment: Segment, position: number, length: number): boolean {
    const key = `${segment.cacheId}@${position}`;
    const fresh = this.#fresh.get(key);
    if (fresh === undefined) {
      this.#load(key, async () => ({ bytes: await segment.load(position, length), trusted: false }));
      return false;
    }
    this.bytes = fresh.bytes;
    this.start = 0;
    this.trusted = false;
    return true;
  }

  #load(key: string, load: () => Promise<Block>): void {
    if (this.#loading.has(key)) return;
    this.#throwFailure(key);
    this.#loading.add(key);
    this.#cache.misses += 1;
    if (this.#outstanding === 0) {
      this.#loaded = new Promise((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#outstanding += 1;
    load().then(
      (block) => this.#arrived(key, block),
      (error: unknown) => {
        this.#failed.set(key, error);
        this.#arrived(key, null);
      },
    );
  }

  #forget(): void {
    if (this.#outstanding === 0) this.#fresh.clear();
  }

  #throwFailure(key: string): void {
    const failure = this.#failed.get(key);
    if (failure === undefined) return;
    this.#failed.delete(key);
    if (failure instanceof CaskadeError) throw failure;
    throw new CaskadeError(
      'diskIo',
      `a read failed: ${failure instanceof Error ? failure.message : 'for an unknown reason'}`,
      { cause: failure },
    );
  }

  #arrived(key: string, block: Block | null): void {
    this.#loading.delete(key);
    if (block !== null) this.#fresh.set(key, block);
    this.#outstanding -= 1;
    if (this.#outstanding > 0) return;
    this.#resolve();
    // Whoever waited may run at the end of this turn only, or in the next one.
    this.#clock.atTurnEnd(() => this.#clock.atTurnEnd(() => this.#forget()));
  }
}
