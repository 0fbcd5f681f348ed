import { asOffset, type Offset } from '../model/numbers.ts';
import type { PendingBatch } from './pending-batch.ts';
import type { LogSlice } from './replica-log.ts';

/**
 * The sealed batches above the committed offset, in order. What is fetched by followers in step with the leader is
 * served from here; what is truncated goes from here.
 */
export class PendingTail {
  #batches: (PendingBatch | undefined)[] = [];
  /** Index of the first one; those before it are committed. */
  #head = 0;
  #heldBytes = 0;

  get first(): PendingBatch | undefined {
    return this.#batches[this.#head];
  }

  /** Bytes of the batches that are in memory. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  push(batch: PendingBatch): void {
    this.#batches.push(batch);
    if (batch.image !== null) this.#heldBytes += batch.length;
  }

  /** Takes the first batch off: it is committed. */
  shift(): void {
    const batch = this.#batches[this.#head];
    if (batch === undefined) return;
    if (batch.image !== null) this.#heldBytes -= batch.length;
    this.#batches[this.#head] = undefined;
    this.#head += 1;
    if (this.#head * 2 < this.#batches.length) return;
    this.#batches = this.#batches.slice(this.#head);
    this.#head = 0;
  }

  /**
   * Bytes of the batches that end at or below `offset` and are in memory before the first that is not; `isWhole`: all
   * of them are.
   */
  heldBelow(offset: Offset): { readonly bytes: number; readonly isWhole: boolean } {
    let bytes = 0;
    for (let at = this.#head; at < this.#batches.length; at += 1) {
      const batch = this.#batches[at] as PendingBatch;
      if (batch.nextOffset > offset) break;
      if (batch.image === null) return { bytes, isWhole: false };
      bytes += batch.length;
    }
    return { bytes, isWhole: true };
  }

  /** A copy of whole batches from `offset` on, or null: the first of them is not here, or not in memory. */
  slice(offset: Offset, bytesMax: number): Omit<LogSlice, 'epochs'> | null {
    const from = this.#indexOf(offset);
    const first = this.#batches[from];
    if (first === undefined || (from === this.#head && first.baseOffset > offset)) return null;
    const images: Buffer[] = [];
    let length = 0;
    let nextOffset = offset;
    for (let at = from; at < this.#batches.length; at += 1) {
      const batch = this.#batches[at] as PendingBatch;
      if (batch.image === null || (length > 0 && length + batch.length > bytesMax)) break;
      images.push(batch.image);
      length += batch.length;
      nextOffset = batch.nextOffset;
    }
    return length === 0 ? null : { bytes: Buffer.concat(images, length), nextOffset };
  }

  /** Where memory begins to serve again what lies above `offset`; `sealedOffset`: nowhere. */
  heldAbove(offset: Offset, sealedOffset: Offset): Offset {
    for (let at = this.#indexOf(offset); at < this.#batches.length; at += 1) {
      const batch = this.#batches[at] as PendingBatch;
      if (batch.image !== null) return batch.baseOffset;
    }
    return sealedOffset;
  }

  /** The batch border at or below `offset`, where a cut at `offset` must be made. */
  borderAt(offset: Offset): Offset {
    const batch = this.#batches[this.#indexOf(offset)];
    return batch === undefined ? offset : asOffset(Math.min(offset, batch.baseOffset));
  }

  /** The batches from `offset`, a border, on, in order. */
  from(offset: Offset): readonly PendingBatch[] {
    return this.#batches.slice(this.#indexOf(offset)) as PendingBatch[];
  }

  /** Forgets the batches from `offset`, a border, on; returns them in order. */
  truncateTo(offset: Offset): readonly PendingBatch[] {
    const dropped = this.#batches.splice(this.#indexOf(offset)) as PendingBatch[];
    for (const batch of dropped) if (batch.image !== null) this.#heldBytes -= batch.length;
    return dropped;
  }

  /** Index of the first batch that ends above `offset`. */
  #indexOf(offset: Offset): number {
    let low = this.#head;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#batches[middle] as PendingBatch).nextOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
