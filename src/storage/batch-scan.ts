import type { FileHandle } from '../env/file-system.ts';
import { LIMITS } from '../model/limits.ts';
import {
  BATCH_HEADER_BYTES,
  type BatchFault,
  type BatchHeader,
  batchCrcHolds,
  isFutureBatch,
  readBatchHeader,
} from './format/batch.ts';
import { SEGMENT_HEADER_BYTES } from './format/segment-header.ts';

export interface ScannedBatch {
  /** Position of the batch in the file. */
  readonly position: number;
  readonly header: BatchHeader;
  /** The batch begins at `start` of these bytes; valid until the scan goes on. */
  readonly bytes: Buffer;
  readonly start: number;
}

/** Why a scan ended before the end of the bytes it was to read. */
export interface ScanEnd {
  readonly position: number;
  readonly fault: BatchFault | null;
}

/**
 * Reads the batches of a segment file one after the other, in chunks, each checked by its CRC. It stops at `length`, or at the
 * first thing that is not a whole valid batch, and says in `end` where and why. What that means is the caller's.
 */
export class BatchScan {
  readonly #handle: FileHandle;
  readonly #length: number;
  #window = Buffer.alloc(0);
  #windowPosition = 0;
  end: ScanEnd = { position: SEGMENT_HEADER_BYTES, fault: null };

  constructor(handle: FileHandle, length: number) {
    this.#handle = handle;
    this.#length = length;
  }

  async *batches(from = SEGMENT_HEADER_BYTES): AsyncGenerator<ScannedBatch> {
    let position = from;
    while (position < this.#length) {
      const batch = await this.#next(position);
      if (typeof batch === 'string') {
        this.end = { position, fault: batch };
        return;
      }
      position += batch.header.length;
      this.end = { position, fault: null };
      yield batch;
    }
  }

  async #next(position: number): Promise<ScannedBatch | BatchFault> {
    await this.#show(position, BATCH_HEADER_BYTES);
    const start = position - this.#windowPosition;
    const header = readBatchHeader(this.#window, start, this.#window.length);
    if (typeof header === 'string') return header;
    if (position + header.length > this.#length) return 'short';
    await this.#show(position, header.length);
    const at = position - this.#windowPosition;
    if (at + header.length > this.#window.length) return 'short';
    if (!batchCrcHolds(this.#window, at, header)) return 'crc';
    if (isFutureBatch(this.#window, at, header)) return 'future';
    return { position, header, bytes: this.#window, start: at };
  }

  /** Makes the window cover `bytes` from `position` on, as far as the file goes. */
  async #show(position: number, bytes: number): Promise<void> {
    const have = this.#windowPosition + this.#window.length - position;
    if (position >= this.#windowPosition && have >= bytes) return;
    const wanted = Math.min(Math.max(bytes, LIMITS.scanChunkBytes), this.#length - position);
    const window = Buffer.allocUnsafe(wanted);
    const read = await this.#handle.readAt(window, position);
    this.#window = window.subarray(0, read);
    this.#windowPosition = position;
  }
}
