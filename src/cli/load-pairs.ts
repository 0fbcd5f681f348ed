import { LIMITS } from '../model/limits.ts';
import type { LoadCounts } from './load-counts.ts';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const EMPTY = Buffer.alloc(0);
const SET_HEADER = Buffer.from('*3\r\n$3\r\nSET\r\n$');
/** Header, two lengths of at most 9 digits, line ends. */
const FRAME_BYTES_MAX = SET_HEADER.length + 2 * 9 + 7;
const BATCH_BYTES = 64 * 1024;
const LINE_BYTES_MAX = LIMITS.keyBytesMax + LIMITS.valueBytesMaxDefault;
/** Shorter runs of bytes are copied in a loop: a call into native code costs more. */
const SHORT_BYTES = 48;

export interface EncodedBatch {
  readonly bytes: Buffer;
  readonly commands: number;
}

/**
 * Turns `key<TAB>value` lines into SET commands, a batch at a time, without a string or a buffer per line. The first
 * TAB parts the line, a line feed ends it, every other byte belongs to the key or the value. A line without a TAB is
 * counted as malformed under its number.
 */
export class PairEncoder {
  readonly #counts: LoadCounts;
  readonly #batches: EncodedBatch[] = [];
  #batch: Buffer = Buffer.allocUnsafe(BATCH_BYTES);
  #used = 0;
  #commands = 0;
  #lineNumber = 0;
  #partial: Buffer[] = [];
  #partialBytes = 0;
  /** The rest of a line that is too long is passed over. */
  #skipping = false;

  constructor(counts: LoadCounts) {
    this.#counts = counts;
  }

  /** Batches that are full; `chunk` may be reused afterwards. */
  encode(chunk: Buffer): EncodedBatch[] {
    let at = 0;
    if (this.#skipping || this.#partialBytes > 0) {
      const end = chunk.indexOf(LF);
      if (end < 0) {
        this.#keep(chunk);
        return this.#take();
      }
      this.#endPartial(chunk.subarray(0, end));
      at = end + 1;
    }
    this.#wholeLines(chunk, at);
    return this.#take();
  }

  /** What is left, with a last line that has no line feed. */
  finish(): EncodedBatch[] {
    if (this.#skipping || this.#partialBytes > 0) this.#endPartial(EMPTY);
    this.#seal();
    return this.#take();
  }

  #wholeLines(chunk: Buffer, from: number): void {
    const { length } = chunk;
    let start = from;
    let tab = -1;
    for (let at = from; at < length; at += 1) {
      const byte = chunk[at];
      if (byte === TAB) {
        if (tab < 0) tab = at;
      } else if (byte === LF) {
        this.#pair(chunk, start, tab, at);
        start = at + 1;
        tab = -1;
      }
    }
    if (start < length) this.#keep(chunk.subarray(start));
  }

  #keep(piece: Buffer): void {
    if (this.#skipping) return;
    this.#partial.push(Buffer.from(piece));
    this.#partialBytes += piece.length;
    if (this.#partialBytes <= LINE_BYTES_MAX) return;
    this.#skipping = true;
    this.#partial = [];
    this.#partialBytes = 0;
  }

  #endPartial(rest: Buffer): void {
    if (this.#skipping) {
      this.#lineNumber += 1;
      this.#counts.addMalformed(`line ${this.#lineNumber}: longer than ${LINE_BYTES_MAX} bytes`);
    } else {
      const line = Buffer.concat([...this.#partial, rest]);
      this.#pair(line, 0, line.indexOf(TAB), line.length);
    }
    this.#partial = [];
    this.#partialBytes = 0;
    this.#skipping = false;
  }

  /** Key is `bytes[start, tab)`, value `bytes[tab + 1, end)`; `tab` is -1 when the line has none. */
  #pair(bytes: Buffer, start: number, tab: number, end: number): void {
    this.#lineNumber += 1;
    if (tab < 0) {
      this.#counts.addMalformed(`line ${this.#lineNumber}: no TAB between a key and a value`);
      return;
    }
    this.#reserve(FRAME_BYTES_MAX + end - start);
    this.#put(SET_HEADER, 0, SET_HEADER.length);
    this.#length(tab - start);
    this.#put(bytes, start, tab);
    this.#lineEnd();
    this.#batch[this.#used++] = 0x24;
    this.#length(end - tab - 1);
    this.#put(bytes, tab + 1, end);
    this.#lineEnd();
    this.#commands += 1;
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#batch.length) return;
    this.#seal();
    if (bytes > this.#batch.length) this.#batch = Buffer.allocUnsafe(bytes);
  }

  #seal(): void {
    if (this.#commands === 0) return;
    this.#batches.push({ bytes: this.#batch.subarray(0, this.#used), commands: this.#commands });
    // The socket holds on to the old one until it is written.
    this.#batch = Buffer.allocUnsafe(BATCH_BYTES);
    this.#used = 0;
    this.#commands = 0;
  }

  #take(): EncodedBatch[] {
    return this.#batches.splice(0);
  }

  #put(bytes: Buffer, start: number, end: number): void {
    if (end - start > SHORT_BYTES) {
      this.#used += bytes.copy(this.#batch, this.#used, start, end);
      return;
    }
    const batch = this.#batch;
    let used = this.#used;
    for (let at = start; at < end; at += 1) batch[used++] = bytes[at] as number;
    this.#used = used;
  }

  #length(value: number): void {
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits += 1;
    let rest = value;
    for (let at = this.#used + digits - 1; at >= this.#used; at -= 1) {
      this.#batch[at] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.#used += digits;
    this.#lineEnd();
  }

  #lineEnd(): void {
    this.#batch[this.#used++] = CR;
    this.#batch[this.#used++] = LF;
  }
}
