import type { Clock } from '../env/clock.ts';
import { InvariantError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asOffset, type LeaderEpoch, type Offset } from '../model/numbers.ts';
import { BatchBufferPool, BatchBuilder } from './batch-builder.ts';

/**
 * The batches of a leader between append and disk: one open, the others closed and waiting. A batch is closed when the flush
 * takes it, when it is large enough, or around a large value.
 */
export class AppendQueue {
  readonly #clock: Clock;
  readonly #pool = new BatchBufferPool();
  readonly #closed: BatchBuilder[] = [];
  #open: BatchBuilder | null = null;
  /** A large value shares its batch with nothing but its own group. */
  #openHoldsLarge = false;
  #epoch: LeaderEpoch;
  #nextOffset: number;
  #groupDepth = 0;
  #closedBytes = 0;

  constructor(clock: Clock, epoch: LeaderEpoch, nextOffset: Offset) {
    this.#clock = clock;
    this.#epoch = epoch;
    this.#nextOffset = nextOffset;
  }

  get nextOffset(): Offset {
    return asOffset(this.#open === null ? this.#nextOffset : this.#open.nextOffset);
  }

  get isEmpty(): boolean {
    return this.#closed.length === 0 && (this.#open === null || this.#open.count === 0);
  }

  get bytes(): number {
    return this.#closedBytes + (this.#open?.length ?? 0);
  }

  /** 0: this replica does not lead, and nothing may be appended. */
  get epoch(): LeaderEpoch {
    return this.#epoch;
  }

  /** What is appended from now on carries the epoch. */
  beginEpoch(epoch: LeaderEpoch, nextOffset: Offset): void {
    this.discard(nextOffset);
    this.#epoch = epoch;
  }

  /** Records appended until `endGroup` lie in one batch. */
  beginGroup(): void {
    if (this.#groupDepth === 0) this.#closeIfFull();
    this.#groupDepth += 1;
  }

  endGroup(): void {
    this.#groupDepth -= 1;
  }

  get inGroup(): boolean {
    return this.#groupDepth > 0;
  }

  /** The batch that the next record goes into. A large value gets one of its own, unless it is part of a group. */
  batchFor(valueLength: number): BatchBuilder {
    const isLarge = valueLength > LIMITS.largeValueBytes;
    if (this.#groupDepth === 0) this.#closeIfFull(isLarge);
    const batch = this.#open ?? this.#begin();
    this.#openHoldsLarge ||= isLarge;
    return batch;
  }

  /** Takes the oldest batch off the queue, closing the open one if it is the only one. */
  take(): BatchBuilder | null {
    const open = this.#open;
    // An open batch is empty when memory for its first record was not to be had: it stays open.
    if (this.#closed.length === 0 && open !== null && open.count > 0 && this.#groupDepth === 0)
      this.#close(open);
    const batch = this.#closed.shift() ?? null;
    if (batch !== null) this.#closedBytes -= batch.length;
    return batch;
  }

  /** Forgets everything that was not taken; the next record gets `nextOffset`. */
  discard(nextOffset: Offset): void {
    this.#closed.length = 0;
    this.#closedBytes = 0;
    this.#open = null;
    this.#nextOffset = nextOffset;
  }

  /** The batch's bytes are no longer needed. */
  release(batch: BatchBuilder): void {
    this.#pool.give(batch.bytes);
  }

  #begin(): BatchBuilder {
    if (this.#epoch === 0) throw new InvariantError('an append to a partition that has no leader epoch');
    const batch = new BatchBuilder(asOffset(this.#nextOffset), this.#epoch, this.#pool.take());
    batch.firstTimestampMs = this.#clock.wallMs();
    this.#open = batch;
    this.#openHoldsLarge = false;
    return batch;
  }

  #closeIfFull(largeFollows = false): void {
    const open = this.#open;
    if (open === null || open.count === 0) return;
    if (largeFollows || this.#openHoldsLarge || open.length > LIMITS.batchBytesTarget) this.#close(open);
  }

  #close(batch: BatchBuilder): void {
    batch.maxTimestampMs = Math.max(batch.firstTimestampMs, this.#clock.wallMs());
    this.#nextOffset = batch.nextOffset;
    this.#closed.push(batch);
    this.#closedBytes += batch.length;
    this.#open = null;
  }
}
