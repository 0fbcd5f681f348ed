import type { Offset } from '../model/numbers.ts';

/** What the ring must know of a partition. */
export interface HeldPartition {
  /** Every offset below it is committed. */
  readonly highWatermark: number;
}

/** A reply that waits: its range in the output and the record it rests on. */
export interface Hold<Partition> {
  readonly start: number;
  readonly end: number;
  readonly partition: Partition;
  readonly offset: Offset;
  /** The command appended the record itself; else it only saw it. */
  readonly own: boolean;
  /** The reply rests on other partitions too. */
  readonly isPart: boolean;
}

/**
 * Replies that must not leave before what they rest on is committed, in the order of the output: a ring of parallel
 * arrays, without an object per hold. A reply that rests on two partitions has two entries.
 *
 * Only the head is looked at: a hold behind it is checked when it becomes the head, so each costs O(1) however
 * the partitions' commits interleave.
 */
export class HoldRing<Partition extends HeldPartition> {
  #starts = new Float64Array(0);
  #ends = new Float64Array(0);
  #offsets = new Float64Array(0);
  /** Bit 0: own, bit 1: part. */
  #flags = new Uint8Array(0);
  #partitions: (Partition | undefined)[] = [];
  /** Both count up for ever; the slot is the count modulo the capacity, a power of two. */
  #head = 0;
  #tail = 0;

  get isEmpty(): boolean {
    return this.#head === this.#tail;
  }

  /** Ranges come in ascending order; entries of one reply have the same range. */
  add(start: number, end: number, partition: Partition, offset: Offset, own: boolean, isPart = false): void {
    if (this.#tail - this.#head === this.#starts.length) this.#resize(Math.max(16, this.#starts.length * 2));
    const slot = this.#tail & (this.#starts.length - 1);
    this.#starts[slot] = start;
    this.#ends[slot] = end;
    this.#offsets[slot] = offset;
    this.#flags[slot] = (own ? OWN : 0) | (isPart ? PART : 0);
    this.#partitions[slot] = partition;
    this.#tail += 1;
  }

  /** Drops what is resolved and returns the position before which everything may leave: `written` if nothing waits. */
  release(written: number): number {
    const mask = this.#starts.length - 1;
    while (this.#head !== this.#tail) {
      const slot = this.#head & mask;
      const partition = this.#partitions[slot] as Partition;
      if ((this.#offsets[slot] as number) >= partition.highWatermark) return this.#starts[slot] as number;
      this.#partitions[slot] = undefined;
      this.#head += 1;
    }
    if (this.#starts.length > CAPACITY_KEPT_MAX) this.#resize(0);
    return written;
  }

  /** Resolves, as not committed, every hold on `partition` from `firstOffset` on that `visit` accepts. */
  fail(partition: Partition, firstOffset: Offset, visit: (hold: Hold<Partition>) => boolean): void {
    const mask = this.#starts.length - 1;
    for (let count = this.#head; count !== this.#tail; count += 1) {
      const slot = count & mask;
      const offset = this.#offsets[slot] as Offset;
      if (this.#partitions[slot] !== partition || offset < firstOffset) continue;
      const hold = {
        start: this.#starts[slot] as number,
        end: this.#ends[slot] as number,
        partition,
        offset,
        own: ((this.#flags[slot] as number) & OWN) !== 0,
        isPart: ((this.#flags[slot] as number) & PART) !== 0,
      };
      if (visit(hold)) this.#offsets[slot] = RESOLVED;
    }
  }

  #resize(capacity: number): void {
    const starts = new Float64Array(capacity);
    const ends = new Float64Array(capacity);
    const offsets = new Float64Array(capacity);
    const flags = new Uint8Array(capacity);
    const partitions: (Partition | undefined)[] = new Array<Partition | undefined>(capacity);
    const count = this.#tail - this.#head;
    for (let index = 0; index < count; index += 1) {
      const slot = (this.#head + index) & (this.#starts.length - 1);
      starts[index] = this.#starts[slot] as number;
      ends[index] = this.#ends[slot] as number;
      offsets[index] = this.#offsets[slot] as number;
      flags[index] = this.#flags[slot] as number;
      partitions[index] = this.#partitions[slot];
    }
    this.#starts = starts;
    this.#ends = ends;
    this.#offsets = offsets;
    this.#flags = flags;
    this.#partitions = partitions;
    this.#head = 0;
    this.#tail = count;
  }
}

/** Below every high watermark. */
const RESOLVED = -1;
const CAPACITY_KEPT_MAX = 64;
const OWN = 1;
const PART = 2;
