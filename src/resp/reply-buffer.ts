import type { OutputPool } from './output-pool.ts';
import type { ReplyWriter, RespVersion } from './reply-writer.ts';

/**
 * A connection's replies as bytes, in order: written at one end by handlers, taken at the other by the socket. All
 * positions are counted from the connection's beginning and never move, so that a reply which must wait can be named by
 * its range.
 *
 * Output lies in a list of buffers, each full one closed for good: nothing written is copied again. While anything
 * waits the list is not empty; once all has left, the last buffer goes back to the pool.
 *
 *   sent <= position; [sent, position) is what waits
 */
export class ReplyBuffer implements ReplyWriter {
  version: RespVersion = 2;

  readonly #pool: OutputPool;
  /** Full buffers with bytes that were not taken yet, oldest first. */
  readonly #closed: ClosedBuffer[] = [];
  /** Buffers whose bytes were all taken, but which the socket may still read. */
  readonly #lent: Buffer[] = [];
  readonly #replacements: Replacement[] = [];
  #filledBytes = 0;
  #tail: Buffer = NOTHING;
  /** Next byte to write in the tail. */
  #at = 0;
  /** Position of the tail's first byte. */
  #tailPosition = 0;
  #sent = 0;

  constructor(pool: OutputPool) {
    this.#pool = pool;
  }

  get position(): number {
    return this.#tailPosition + this.#at;
  }

  /** Position up to which bytes were taken. */
  get sent(): number {
    return this.#sent;
  }

  // Writing

  ok(): void {
    this.#constant(OK);
  }

  simple(text: string): void {
    this.#line(PLUS, text);
  }

  error(text: string): void {
    this.#line(MINUS, /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, ' ') : text);
  }

  integer(value: number): void {
    this.#number(COLON, value);
  }

  integerText(text: string): void {
    this.#line(COLON, text);
  }

  bulk(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#room(length + HEADER_BYTES_MAX);
    let at = putLength(this.#tail, this.#at, DOLLAR, length);
    const tail = this.#tail;
    if (length <= LOOP_BYTES_MAX) {
      for (let from = start; from < end; from += 1) {
        tail[at] = bytes[from] as number;
        at += 1;
      }
    } else {
      tail.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at);
      at += length;
    }
    tail[at] = CR;
    tail[at + 1] = LF;
    this.#at = at + 2;
  }

  bulkText(text: string): void {
    this.#bulkOf(DOLLAR, text);
  }

  nil(): void {
    this.#constant(this.version === 3 ? NULL : NULL_BULK);
  }

  nilArray(): void {
    this.#constant(this.version === 3 ? NULL : NULL_ARRAY);
  }

  array(count: number): void {
    this.#number(STAR, count);
  }

  map(count: number): void {
    if (this.version === 3) this.#number(PERCENT, count);
    else this.#number(STAR, count * 2);
  }

  set(count: number): void {
    this.#number(this.version === 3 ? TILDE : STAR, count);
  }

  push(count: number): void {
    this.#number(this.version === 3 ? GREATER : STAR, count);
  }

  boolean(value: boolean): void {
    if (this.version === 3) this.#constant(value ? TRUE : FALSE);
    else this.#number(COLON, value ? 1 : 0);
  }

  double(value: number): void {
    if (this.version === 3) this.#line(COMMA, doubleText(value));
    else this.bulkText(doubleText(value));
  }

  verbatim(format: string, text: string): void {
    if (this.version === 3) this.#bulkOf(EQUALS, `${format}:${text}`);
    else this.bulkText(text);
  }

  bigNumber(text: string): void {
    if (this.version === 3) this.#line(OPEN_PARENTHESIS, text);
    else this.bulkText(text);
  }

  // Second thoughts, before the bytes were taken

  /** Takes back everything written from `position` on. */
  rewind(position: number): void {
    while (position < this.#tailPosition) {
      this.#pool.give(this.#tail);
      const last = this.#closed.pop() as ClosedBuffer;
      this.#tail = last.bytes;
      this.#tailPosition = last.position;
    }
    this.#at = position - this.#tailPosition;
  }

  /**
   * Sends the error `text` instead of the whole reply [start, end), none of which was taken; a second one for the same
   * reply adds to the first. No other position changes.
   */
  replaceByError(start: number, end: number, text: string): void {
    const clean = text.replace(/[\r\n]/g, ' ');
    let index = this.#replacements.length;
    while (index > 0 && (this.#replacements[index - 1] as Replacement).start > start) index -= 1;
    const before = this.#replacements[index - 1];
    if (before?.start === start) before.text += `; ${clean}`;
    else this.#replacements.splice(index, 0, { start, end, text: clean, bytes: null });
  }

  /** Keeps a place of one byte for a reply that comes later; `fill` it before it is taken. */
  reserve(): void {
    this.#room(1);
    this.#at += 1;
  }

  /** Sends `bytes`, a finished reply, in the place that was reserved at `start`. No other position changes. */
  fill(start: number, bytes: Uint8Array): void {
    let index = this.#replacements.length;
    while (index > 0 && (this.#replacements[index - 1] as Replacement).start > start) index -= 1;
    this.#replacements.splice(index, 0, { start, end: start + 1, text: '', bytes });
    this.#filledBytes += bytes.length;
  }

  /** Bytes that were filled in and not taken yet. */
  get filledBytes(): number {
    return this.#filledBytes;
  }

  /** A finished reply, as bytes. */
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#tail.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** A copy of what was written from `position` on; nothing of it was taken or replaced. */
  copyFrom(position: number): Buffer {
    const copy = Buffer.allocUnsafe(this.position - position);
    for (const { bytes, position: first, end } of this.#closed)
      if (end > position)
        bytes.copy(copy, Math.max(0, first - position), Math.max(0, position - first), end - first);
    const first = this.#tailPosition;
    this.#tail.copy(copy, Math.max(0, first - position), Math.max(0, position - first), this.#at);
    return copy;
  }

  // Taking

  /**
   * The next bytes to send, at most `bytesMax` and none from `until` on, which is the border of a reply. They stay as
   * they are until `settle`. Only to be called with `sent` below `until`.
   */
  take(until: number, bytesMax: number): Buffer {
    if (this.#replacements.length > 0) return this.#takeReplaced(until, bytesMax);
    return this.#takeWritten(until, bytesMax);
  }

  /** The socket reads none of the taken bytes any more: their buffers serve again. */
  settle(): void {
    while (this.#lent.length > 0) this.#pool.give(this.#lent.pop() as Buffer);
    if (this.#at === 0 || this.#sent !== this.position) return;
    this.#tailPosition = this.#sent;
    this.#at = 0;
    this.#pool.give(this.#tail);
    this.#tail = NOTHING;
  }

  #takeReplaced(until: number, bytesMax: number): Buffer {
    const first = this.#replacements[0] as Replacement;
    if (this.#sent < first.start) return this.#takeWritten(Math.min(until, first.start), bytesMax);
    this.#replacements.shift();
    while (this.#sent < first.end) this.#takeWritten(first.end, first.end);
    if (first.bytes === null) return Buffer.from(`-${first.text}\r\n`);
    return this.#takeFilled(first.bytes, until);
  }

  /** With those behind it, as long as they are small: one piece for the socket instead of many. */
  #takeFilled(first: Uint8Array, until: number): Buffer {
    const pieces = [first];
    let length = first.length;
    let next = this.#replacements[0];
    while (
      length < GATHERED_BYTES &&
      next !== undefined &&
      next.bytes !== null &&
      next.start === this.#sent &&
      next.end <= until
    ) {
      this.#replacements.shift();
      this.#takeWritten(next.end, 1);
      pieces.push(next.bytes);
      length += next.bytes.length;
      next = this.#replacements[0];
    }
    this.#filledBytes -= length;
    if (pieces.length > 1) return Buffer.concat(pieces, length);
    return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
  }

  #takeWritten(until: number, bytesMax: number): Buffer {
    const closed = this.#closed[0];
    const bytes = closed === undefined ? this.#tail : closed.bytes;
    const position = closed === undefined ? this.#tailPosition : closed.position;
    const bound = closed === undefined || until < closed.end ? until : closed.end;
    const from = this.#sent;
    this.#sent = bound - from > bytesMax ? from + bytesMax : bound;
    if (closed !== undefined && this.#sent === closed.end)
      this.#lent.push((this.#closed.shift() as ClosedBuffer).bytes);
    return bytes.subarray(from - position, this.#sent - position);
  }

  // Inside

  #room(bytes: number): void {
    if (this.#at + bytes > this.#tail.length) this.#extend(bytes);
  }

  #extend(bytes: number): void {
    const end = this.position;
    if (this.#at > 0) {
      if (this.#sent < end) this.#closed.push({ bytes: this.#tail, position: this.#tailPosition, end });
      else this.#lent.push(this.#tail);
    }
    this.#tail = this.#pool.take(bytes, this.#at > 0);
    this.#tailPosition = end;
    this.#at = 0;
  }

  #constant(bytes: Uint8Array): void {
    this.#room(bytes.length);
    const tail = this.#tail;
    let at = this.#at;
    for (let from = 0; from < bytes.length; from += 1) {
      tail[at] = bytes[from] as number;
      at += 1;
    }
    this.#at = at;
  }

  /** `value` is an integer. */
  #number(type: number, value: number): void {
    if (value >= 0 && value <= DIGITS_VALUE_MAX) {
      this.#room(HEADER_BYTES_MAX);
      this.#at = putLength(this.#tail, this.#at, type, value);
    } else {
      this.#line(type, value.toString());
    }
  }

  #line(type: number, text: string): void {
    this.#room(text.length * UTF8_BYTES_MAX + 3);
    this.#tail[this.#at] = type;
    this.#at += 1;
    this.#text(text);
    this.#lineEnd();
  }

  #bulkOf(type: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.#room(length + HEADER_BYTES_MAX);
    this.#at = putLength(this.#tail, this.#at, type, length);
    this.#at += this.#tail.write(text, this.#at);
    this.#lineEnd();
  }

  /** Short ASCII goes byte by byte; there must be room. */
  #text(text: string): void {
    const tail = this.#tail;
    if (text.length <= LOOP_BYTES_MAX) {
      let index = 0;
      for (; index < text.length; index += 1) {
        const code = text.charCodeAt(index);
        if (code > 127) break;
        tail[this.#at + index] = code;
      }
      if (index === text.length) {
        this.#at += index;
        return;
      }
    }
    this.#at += tail.write(text, this.#at);
  }

  #lineEnd(): void {
    this.#tail[this.#at] = CR;
    this.#tail[this.#at + 1] = LF;
    this.#at += 2;
  }
}

interface ClosedBuffer {
  readonly bytes: Buffer;
  /** Position of its first byte. */
  readonly position: number;
  /** Position after its last byte. */
  readonly end: number;
}

interface Replacement {
  readonly start: number;
  readonly end: number;
  text: string;
  /** In place of an error's text. */
  readonly bytes: Uint8Array | null;
}

/** Writes `<type><value>\r\n` at `at` and returns the position after it; `value` is at most DIGITS_VALUE_MAX. */
function putLength(target: Buffer, at: number, type: number, value: number): number {
  target[at] = type;
  let end = at + 1;
  if (value < 10) {
    target[end] = ZERO + value;
    end += 1;
  } else {
    for (let bound = 10; bound <= value; bound *= 10) end += 1;
    end += 1;
    let rest = value;
    for (let digit = end - 1; digit > at; digit -= 1) {
      const tenth = (rest / 10) | 0;
      target[digit] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
  }
  target[end] = CR;
  target[end + 1] = LF;
  return end + 2;
}

function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  return value === Number.NEGATIVE_INFINITY ? '-inf' : value.toString();
}

const NOTHING = Buffer.alloc(0);
const OK = Buffer.from('+OK\r\n');
const NULL = Buffer.from('_\r\n');
const NULL_BULK = Buffer.from('$-1\r\n');
const NULL_ARRAY = Buffer.from('*-1\r\n');
const TRUE = Buffer.from('#t\r\n');
const FALSE = Buffer.from('#f\r\n');

const PLUS = 0x2b;
const MINUS = 0x2d;
const COLON = 0x3a;
const DOLLAR = 0x24;
const STAR = 0x2a;
const PERCENT = 0x25;
const TILDE = 0x7e;
const GREATER = 0x3e;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const OPEN_PARENTHESIS = 0x28;
const ZERO = 0x30;
const CR = 0x0d;
const LF = 0x0a;

/** A type byte, ten digits and two line ends. */
const HEADER_BYTES_MAX = 16;
/** Digits up to here are made by 32-bit arithmetic. */
const DIGITS_VALUE_MAX = 0x7fffffff;
const UTF8_BYTES_MAX = 3;
/** Small replies that were filled in leave together, until they are so many bytes. */
const GATHERED_BYTES = 16 * 1024;
/** Up to here a loop is faster than a call into the engine. */
const LOOP_BYTES_MAX = 128;
