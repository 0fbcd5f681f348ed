import { LIMITS } from '../model/limits.ts';
import type { Fragment } from './generated/caskade/v1/common.ts';

/** A message that is whole again: the frame's field that it belongs to, and its bytes. */
export interface WholeMessage {
  readonly field: number;
  readonly bytes: Uint8Array;
}

/** `misplaced`: it does not go on where the last one ended; `tooLarge`: more than a message may have. */
export type FragmentFault = 'misplaced' | 'tooLarge';

/** Puts the fragments of one stream together again. One message at a time, for they follow one another. */
export class Reassembler {
  readonly #bytesMax: number;
  #field = 0;
  #bytes: Uint8Array | null = null;
  #filled = 0;

  constructor(bytesMax: number = LIMITS.nodeMessageBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** Of the message that is not yet whole. */
  get bytesHeld(): number {
    return this.#bytes?.length ?? 0;
  }

  /** Null: more is to come. After a fault nothing of the stream can be trusted. */
  take({ field, totalBytes, start, bytes }: Fragment): WholeMessage | FragmentFault | null {
    if (start === 0) {
      if (this.#bytes !== null) return this.#fault('misplaced');
      if (totalBytes > this.#bytesMax) return this.#fault('tooLarge');
      this.#field = field;
      this.#bytes = new Uint8Array(totalBytes);
      this.#filled = 0;
    }
    const target = this.#bytes;
    const end = start + bytes.length;
    if (target === null || start !== this.#filled || field !== this.#field) return this.#fault('misplaced');
    if (end > target.length || totalBytes !== target.length) return this.#fault('misplaced');
    target.set(bytes, start);
    this.#filled = end;
    if (end < target.length) return null;
    this.drop();
    return { field, bytes: target };
  }

  /** What is not whole will never be. */
  drop(): void {
    this.#bytes = null;
    this.#filled = 0;
  }

  #fault(fault: FragmentFault): FragmentFault {
    this.drop();
    return fault;
  }
}
