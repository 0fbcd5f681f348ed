import type { BatchBuilder } from './batch-builder.ts';
import { ALL_DATABASES, RecordKind } from './format/record.ts';

const INITIAL_CAPACITY = 1024;
const NONE = -1;

/**
 * The uncommitted tail of a leader's log, by key: what read-modify-write commands must see (PROTOCOL C2).
 *
 * A ring over offsets, because offsets are dense at a leader: the entry of offset o is slot `o & mask`. Keys are found
 * by chained hashing: `heads[hash & mask]` is the newest offset of the chain and `older[slot]` the one before.
 * Committing an entry only moves `begin`: a chain is ordered from new to old, so whoever meets an offset below `begin`
 * knows that the rest of the chain is gone too. Nothing is ever unlinked.
 */
export class Overlay {
  #capacity = INITIAL_CAPACITY;
  #heads = new Float64Array(INITIAL_CAPACITY).fill(NONE);
  #older = new Float64Array(INITIAL_CAPACITY);
  #hashes = new Uint32Array(INITIAL_CAPACITY);
  #kinds = new Uint8Array(INITIAL_CAPACITY);
  #databases = new Uint32Array(INITIAL_CAPACITY);
  /** Position of the record in its batch. */
  #positions = new Uint32Array(INITIAL_CAPACITY);
  #lengths = new Uint32Array(INITIAL_CAPACITY);
  #keyStarts = new Uint32Array(INITIAL_CAPACITY);
  #keyEnds = new Uint32Array(INITIAL_CAPACITY);
  #expiries = new Float64Array(INITIAL_CAPACITY);
  #batches = new Array<BatchBuilder | null>(INITIAL_CAPACITY).fill(null);
  /** Offset of the newest flush record that is uncommitted; -1: none. */
  #newestFlush = NONE;
  #begin: number;
  #end: number;

  constructor(begin: number) {
    this.#begin = begin;
    this.#end = begin;
  }

  /** Offset of the oldest uncommitted record. */
  get begin(): number {
    return this.#begin;
  }

  /** Offset that the next record will get. */
  get end(): number {
    return this.#end;
  }

  /** Has room for one more when it returns; whatever it throws, nothing is changed. */
  reserve(): void {
    if (this.#end - this.#begin === this.#capacity) this.#grow();
  }

  /** Cannot fail after `reserve`. */
  add(
    batch: BatchBuilder,
    kind: RecordKind,
    database: number,
    hash: number,
    position: number,
    keyStart: number,
    keyEnd: number,
    expiresAtMs: number,
  ): number {
    this.reserve();
    const offset = this.#end;
    const mask = this.#capacity - 1;
    const slot = offset & mask;
    this.#hashes[slot] = hash;
    this.#kinds[slot] = kind;
    this.#databases[slot] = database;
    this.#positions[slot] = position;
    this.#lengths[slot] = batch.length - position;
    this.#keyStarts[slot] = keyStart;
    this.#keyEnds[slot] = keyEnd;
    this.#expiries[slot] = expiresAtMs;
    this.#batches[slot] = batch;
    if (kind === RecordKind.flush) {
      this.#newestFlush = offset;
    } else if (kind !== RecordKind.outcome) {
      this.#older[slot] = this.#heads[hash & mask] as number;
      this.#heads[hash & mask] = offset;
    }
    this.#end = offset + 1;
    return offset;
  }

  /** Offset of the newest uncommitted record of the key, or -1. Flushes are not looked at: see `flushedAbove`. */
  find(database: number, hash: number, bytes: Uint8Array, start: number, end: number): number {
    if (this.#begin === this.#end) return NONE;
    return this.#search(
      this.#heads[hash & (this.#capacity - 1)] as number,
      database,
      hash,
      bytes,
      start,
      end,
    );
  }

  /** The next older uncommitted record of the same key as that of `offset`, or -1. */
  findOlder(offset: number): number {
    const slot = offset & (this.#capacity - 1);
    const batch = this.#batches[slot] as BatchBuilder;
    return this.#search(
      this.#older[slot] as number,
      this.#databases[slot] as number,
      this.#hashes[slot] as number,
      batch.bytes,
      this.#keyStarts[slot] as number,
      this.#keyEnds[slot] as number,
    );
  }

  /** Offset of the newest uncommitted flush of the database, or of all, that is above `offset`, or -1. */
  flushedAbove(database: number, offset: number): number {
    if (this.#newestFlush < this.#begin) return NONE;
    for (let at = this.#newestFlush; at > offset && at >= this.#begin; at -= 1) {
      if (this.kind(at) !== RecordKind.flush) continue;
      const flushed = this.database(at);
      if (flushed === database || flushed === ALL_DATABASES) return at;
    }
    return NONE;
  }

  kind(offset: number): number {
    return this.#kinds[offset & (this.#capacity - 1)] as number;
  }
  database(offset: number): number {
    return this.#databases[offset & (this.#capacity - 1)] as number;
  }
  hash(offset: number): number {
    return this.#hashes[offset & (this.#capacity - 1)] as number;
  }
  position(offset: number): number {
    return this.#positions[offset & (this.#capacity - 1)] as number;
  }
  length(offset: number): number {
    return this.#lengths[offset & (this.#capacity - 1)] as number;
  }
  keyStart(offset: number): number {
    return this.#keyStarts[offset & (this.#capacity - 1)] as number;
  }
  keyEnd(offset: number): number {
    return this.#keyEnds[offset & (this.#capacity - 1)] as number;
  }
  expiresAtMs(offset: number): number {
    return this.#expiries[offset & (this.#capacity - 1)] as number;
  }
  batch(offset: number): BatchBuilder {
    return this.#batches[offset & (this.#capacity - 1)] as BatchBuilder;
  }

  /** Everything below `offset` is committed: forgotten here. */
  commitTo(offset: number): void {
    const mask = this.#capacity - 1;
    for (let at = this.#begin; at < offset; at += 1) this.#batches[at & mask] = null;
    this.#begin = offset;
  }

  /** Everything from `offset` on never happened. */
  truncateTo(offset: number): void {
    this.#newestFlush = NONE;
    this.#heads.fill(NONE);
    for (let at = this.#begin; at < offset; at += 1) this.#relink(at);
    this.#end = Math.max(offset, this.#begin);
  }

  /** Forgets everything; the next record gets `offset`, which may be below those that were here. */
  reset(offset: number): void {
    this.#heads.fill(NONE);
    this.#batches.fill(null);
    this.#newestFlush = NONE;
    this.#begin = offset;
    this.#end = offset;
  }

  #relink(offset: number): void {
    const mask = this.#capacity - 1;
    const slot = offset & mask;
    if (this.#kinds[slot] === RecordKind.flush) {
      this.#newestFlush = offset;
      return;
    }
    if (this.#kinds[slot] === RecordKind.outcome) return;
    const head = (this.#hashes[slot] as number) & mask;
    this.#older[slot] = this.#heads[head] as number;
    this.#heads[head] = offset;
  }

  #search(
    from: number,
    database: number,
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const mask = this.#capacity - 1;
    let offset = from;
    while (offset >= this.#begin && offset < this.#end) {
      const slot = offset & mask;
      if (this.#hashes[slot] === hash && this.#databases[slot] === database) {
        const keyStart = this.#keyStarts[slot] as number;
        if ((this.#keyEnds[slot] as number) - keyStart === end - start) {
          const { bytes: own } = this.#batches[slot] as BatchBuilder;
          if (sameBytes(own, keyStart, bytes, start, end)) return offset;
        }
      }
      offset = this.#older[slot] as number;
    }
    return NONE;
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    const move = <T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T => {
      for (let at = this.#begin; at < this.#end; at += 1) {
        to[at & (capacity - 1)] = from[at & (this.#capacity - 1)] as number;
      }
      return to;
    };
    const batches = new Array<BatchBuilder | null>(capacity).fill(null);
    for (let at = this.#begin; at < this.#end; at += 1) batches[at & (capacity - 1)] = this.batch(at);
    // All memory is had before anything is changed.
    const hashes = move(this.#hashes, new Uint32Array(capacity));
    const kinds = move(this.#kinds, new Uint8Array(capacity));
    const databases = move(this.#databases, new Uint32Array(capacity));
    const positions = move(this.#positions, new Uint32Array(capacity));
    const lengths = move(this.#lengths, new Uint32Array(capacity));
    const keyStarts = move(this.#keyStarts, new Uint32Array(capacity));
    const keyEnds = move(this.#keyEnds, new Uint32Array(capacity));
    const expiries = move(this.#expiries, new Float64Array(capacity));
    const older = new Float64Array(capacity);
    const heads = new Float64Array(capacity).fill(NONE);
    this.#hashes = hashes;
    this.#kinds = kinds;
    this.#databases = databases;
    this.#positions = positions;
    this.#lengths = lengths;
    this.#keyStarts = keyStarts;
    this.#keyEnds = keyEnds;
    this.#expiries = expiries;
    this.#older = older;
    this.#heads = heads;
    this.#batches = batches;
    this.#capacity = capacity;
    for (let at = this.#begin; at < this.#end; at += 1) this.#relink(at);
  }
}

function sameBytes(
  left: Uint8Array,
  leftStart: number,
  right: Uint8Array,
  start: number,
  end: number,
): boolean {
  let at = leftStart;
  for (let from = start; from < end; from += 1) {
    if (left[at] !== right[from]) return false;
    at += 1;
  }
  return true;
}
