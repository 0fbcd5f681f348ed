import type { Clock } from '../env/clock.ts';
import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import type { Block, BlockCache } from './block-cache.ts';
import { HeldBlocks, LoadRound } from './held-blocks.ts';
import type { Segment } from './segment.ts';

const { blockBytes } = LIMITS;

/**
 * Finds the bytes of a record in memory or has them loaded. `find` never waits: if something is missing it starts the load and
 * returns false; `loaded` resolves when what the last miss waits for is there. That is kept until the end of the turn after
 * it, and among the last megabyte so loaded, however small the cache, so that whoever waited finds it.
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
  readonly #held = new HeldBlocks();
  readonly #loading = new Map<string, LoadRound>();
  /** Rounds whose waiters have run, oldest first, with what they hold. */
  readonly #recent: LoadRound[] = [];
  #recentBytes = 0;
  #open: LoadRound | null = null;
  /** The round that the last miss waits for. */
  #awaited = new LoadRound();

  constructor(cache: BlockCache, clock: Clock) {
    this.#cache = cache;
    this.#clock = clock;
  }

  get loaded(): Promise<void> {
    return this.#awaited.promise;
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
    if (!complete) {
      this.#holdPresent(segment, first, last);
      return false;
    }
    this.#cache.hits += 1;
    this.bytes = gathered;
    this.start = 0;
    return true;
  }

  /**
   * Blocks of a record that are in memory stay there until those that are not have come: a small cache would swap them
   * for ever.
   */
  #holdPresent(segment: Segment, first: number, last: number): void {
    for (let index = first; index <= last; index += 1) {
      const key = `${segment.cacheId}/${index}`;
      const block = segment.block(index) ?? this.#held.get(key);
      if (block !== undefined) this.#hold(this.#awaited, key, block);
    }
  }

  #cached(segment: Segment, index: number): Block | undefined {
    const block = this.#cache.get(segment.cacheId, index);
    if (block !== undefined) return block;
    const key = `${segment.cacheId}/${index}`;
    const fresh = this.#held.get(key);
    if (fresh !== undefined) return fresh;
    this.#load(segment, key, () => segment.loadBlock(index));
    return undefined;
  }

  /** A large record would only push everything else out of the cache. */
  #findLarge(segment: Segment, position: number, length: number): boolean {
    const key = `${segment.cacheId}@${position}`;
    const fresh = this.#held.get(key);
    if (fresh === undefined) {
      const load = async (): Promise<Block> => ({
        bytes: await segment.load(position, length),
        trusted: false,
      });
      this.#load(segment, key, load);
      return false;
    }
    this.bytes = fresh.bytes;
    this.start = 0;
    this.trusted = false;
    return true;
  }

  #load(segment: Segment, key: string, load: () => Promise<Block>): void {
    const running = this.#loading.get(key);
    if (running !== undefined) {
      this.#awaited = running;
      return;
    }
    this.#throwFailure(key);
    this.#cache.misses += 1;
    this.#open ??= new LoadRound();
    const round = this.#open;
    round.outstanding += 1;
    this.#loading.set(key, round);
    this.#awaited = round;
    const { cacheId } = segment;
    load().then(
      (block) => this.#arrived(round, key, block),
      (error: unknown) => {
        // After a cut whoever waited asks for the file as it is now.
        if (segment.cacheId === cacheId) this.#failed.set(key, error);
        this.#arrived(round, key, null);
      },
    );
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

  #arrived(round: LoadRound, key: string, block: Block | null): void {
    this.#loading.delete(key);
    if (block !== null) this.#hold(round, key, block);
    round.outstanding -= 1;
    if (this.#open === round) this.#open = null;
    if (round.outstanding > 0) return;
    round.resolve();
    // Whoever waited may run at the end of this turn only, or in the next one.
    this.#clock.atTurnEnd(() => this.#clock.atTurnEnd(() => this.#letGo(round)));
  }

  #hold(round: LoadRound, key: string, block: Block): void {
    this.#held.hold(key, block);
    round.keys.push(key);
    round.bytes += block.bytes.length;
  }

  /**
   * The last rounds stay a little longer: a command that misses a second key begins anew when that has come, and then
   * needs the first one's block again. A cache that holds less than one command reads would swap them for ever.
   */
  #letGo(round: LoadRound): void {
    this.#recent.push(round);
    this.#recentBytes += round.bytes;
    while (this.#recentBytes > LIMITS.recentBlocksBytesMax) {
      const oldest = this.#recent.shift() as LoadRound;
      this.#recentBytes -= oldest.bytes;
      for (const key of oldest.keys) this.#held.release(key);
    }
  }
}
