import { ArgumentViews } from './arguments.ts';
import { splitArguments } from './split-arguments.ts';

/** How an attempt to decode ended. After `failed` the stream makes no sense any more: answer `failure`, then close. */
export const DecodeOutcome = { incomplete: 0, command: 1, failed: 2 } as const;
export type DecodeOutcome = (typeof DecodeOutcome)[keyof typeof DecodeOutcome];

/** What a request may not exceed; checked before memory is taken for it. */
export interface RequestLimits {
  /** Of an inline command, and of a line that holds a length. */
  readonly inlineBytesMax: number;
  readonly multibulkCountMax: number;
  readonly bulkBytesMax: number;
  /** One command with all its arguments. */
  readonly requestBytesMax: number;
}

/**
 * Finds the commands in received bytes: arrays of bulk strings, and inline commands. Pure: no socket, no clock.
 *
 * A command is read in place where it came in one chunk. Only one that spans chunks is copied, into a buffer that
 * doubles as bytes arrive; a length that is merely claimed allocates nothing. The decoder remembers how far it came,
 * so that no byte of a long command is parsed twice.
 *
 * `next` leaves the command in `args`, which stays as it is until the following `next`, however many chunks are fed
 * meanwhile.
 */
export class RequestDecoder {
  readonly args = new ArgumentViews();
  /** Text of the error reply, once `next` answered `failed`. */
  failure = '';

  readonly #limits: RequestLimits;
  /** Fed, but not yet looked at. */
  readonly #queue: Buffer[] = [];
  #bytes: Buffer = NOTHING;
  /** `#bytes` is a chunk of the caller's. */
  #isBorrowed = false;
  /** Bytes of `#bytes` that are filled. */
  #end = 0;
  #at = 0;
  /** Where the command being read begins. */
  #start = 0;
  /** Arguments still to come, 0 between commands. */
  #missing = 0;
  /** Length of the argument being read, -1 before it is known. */
  #bulkLength = -1;
  /** How far the search for a line's end came. */
  #searched = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** Takes a chunk; the caller must not change it before `detach`. */
  feed(chunk: Buffer): void {
    this.#queue.push(chunk);
  }

  next(): DecodeOutcome {
    if (this.failure !== '') return DecodeOutcome.failed;
    for (;;) {
      const outcome = this.#missing > 0 ? this.#bulks() : this.#command();
      if (outcome !== DecodeOutcome.incomplete) return outcome;
      if (this.#queue.length === 0) {
        this.#rest();
        return outcome;
      }
      this.#append(this.#queue.shift() as Buffer);
    }
  }

  /**
   * After it the caller may overwrite the chunks it fed: what is still needed of them is copied. `keepsArguments`: the command in
   * `args` will be run again, so its bytes are needed and its views must not move.
   */
  detach(keepsArguments: boolean): void {
    for (const [index, chunk] of this.#queue.entries()) this.#queue[index] = Buffer.from(chunk);
    if (!this.#isBorrowed) return;
    if (!keepsArguments) {
      this.#move(this.#end - this.#keptFrom());
      return;
    }
    const borrowed = this.#bytes;
    this.#bytes = Buffer.from(borrowed.subarray(0, this.#end));
    if (this.args.bytes === borrowed) this.args.bytes = this.#bytes;
    this.#isBorrowed = false;
  }

  /** Reads from the beginning of a command on. */
  #command(): DecodeOutcome {
    const bytes = this.#bytes;
    while (this.#at < this.#end) {
      this.#start = this.#at;
      if (bytes[this.#at] !== STAR) {
        const outcome = this.#inline();
        if (outcome !== null) return outcome;
        continue;
      }
      const count = this.#smallCount(bytes);
      if (count === INCOMPLETE) return DecodeOutcome.incomplete;
      if (count === TOO_LONG) return this.#fail('too big mbulk count string');
      if (count === NOT_A_NUMBER || count > this.#limits.multibulkCountMax) {
        return this.#fail('invalid multibulk length');
      }
      if (count <= 0) continue;
      this.#missing = count;
      this.args.count = 0;
      return this.#bulks();
    }
    return DecodeOutcome.incomplete;
  }

  /** The count of an array's elements: one digit as a rule. */
  #smallCount(bytes: Buffer): number {
    const at = this.#at;
    const digit =
      at + 4 <= this.#end && bytes[at + 2] === CR ? (bytes[at + 1] as number) - ZERO : NOT_A_NUMBER;
    if (digit < 0 || digit > 9) return this.#length();
    this.#at = at + 4;
    return digit;
  }

  /** Reads the arguments of the command: the path of every request, so its short headers are parsed right here. */
  #bulks(): DecodeOutcome {
    const { args } = this;
    const bytes = this.#bytes;
    const end = this.#end;
    let length = this.#bulkLength;
    for (let missing = this.#missing; missing > 0; missing -= 1) {
      if (length < 0) {
        length = this.#bulkHeader(bytes, end);
        if (length < 0) {
          this.#missing = missing;
          this.#bulkLength = -1;
          return length === INCOMPLETE ? DecodeOutcome.incomplete : this.#failBulk(length);
        }
      }
      const start = this.#at;
      const after = start + length + 2;
      if (after > end) {
        this.#missing = missing;
        this.#bulkLength = length;
        return DecodeOutcome.incomplete;
      }
      args.push(start, after - 2);
      this.#at = after;
      length = -1;
    }
    this.#missing = 0;
    this.#bulkLength = -1;
    args.bytes = bytes;
    return DecodeOutcome.command;
  }

  /** The length that `$<length>` claims, already within the limits; or one of the negative marks below. */
  #bulkHeader(bytes: Buffer, end: number): number {
    const start = this.#at;
    const stop = Math.min(start + 10, end);
    let at = start + 1;
    let length = 0;
    if (start < end && bytes[start] === DOLLAR) {
      for (; at < stop; at += 1) {
        const digit = (bytes[at] as number) - ZERO;
        if (digit < 0 || digit > 9) break;
        length = length * 10 + digit;
      }
    }
    if (
      at > start + 1 &&
      at + 1 < end &&
      bytes[at] === CR &&
      (bytes[start + 1] !== ZERO || at === start + 2)
    ) {
      this.#at = at + 2;
    } else {
      if (start < end) length = this.#length();
      else length = INCOMPLETE;
      if (length === INCOMPLETE || length === TOO_LONG) return length;
      if (bytes[start] !== DOLLAR) {
        this.#at = start;
        return NO_DOLLAR;
      }
      if (length < 0) return NOT_A_NUMBER;
    }
    if (length > this.#limits.bulkBytesMax) return NOT_A_NUMBER;
    return this.#at + length - this.#start > this.#limits.requestBytesMax ? TOO_MUCH : length;
  }

  #failBulk(mark: number): DecodeOutcome {
    if (mark === TOO_LONG) return this.#fail('too big bulk count string');
    if (mark === NO_DOLLAR) {
      return this.#fail(`expected '$', got '${String.fromCharCode(this.#bytes[this.#at] as number)}'`);
    }
    if (mark === TOO_MUCH) return this.#fail(`request of more than ${this.#limits.requestBytesMax} bytes`);
    return this.#fail('invalid bulk length');
  }

  /** The number on the line that begins with a type byte at `#at`, as strict as Redis: no plus, no leading zero. */
  #length(): number {
    const bytes = this.#bytes;
    const start = this.#at;
    const found = this.#find(CR, start);
    if (found < 0) return this.#end - start > this.#limits.inlineBytesMax ? TOO_LONG : INCOMPLETE;
    if (found + 2 > this.#end) return INCOMPLETE;
    this.#searched = 0;
    this.#at = found + 2;
    if (found - start > NUMBER_BYTES_MAX) return NOT_A_NUMBER;
    const text = bytes.toString('latin1', start + 1, found);
    if (!/^(0|-?[1-9]\d*)$/.test(text)) return NOT_A_NUMBER;
    const value = Number(text);
    return value < 0 ? NEGATIVE : value;
  }

  /** Position of `byte` from `start` on, or -1; goes on where the last search for the same line ended. */
  #find(byte: number, start: number): number {
    const from = Math.max(this.#searched, start);
    const found = this.#bytes.indexOf(byte, from);
    if (found >= 0 && found < this.#end) return found;
    this.#searched = this.#end;
    return -1;
  }

  /** Null: an empty line, which asks for nothing. */
  #inline(): DecodeOutcome | null {
    const start = this.#at;
    const found = this.#find(LF, start);
    const length = (found < 0 ? this.#end : found) - start;
    if (length > this.#limits.inlineBytesMax) return this.#fail('too big inline request');
    if (found < 0) return DecodeOutcome.incomplete;
    this.#searched = 0;
    this.#at = found + 1;
    const end = found > start && this.#bytes[found - 1] === CR ? found - 1 : found;
    if (!this.#plainWords(start, end) && !this.#quotedWords(this.#bytes.subarray(start, end))) {
      return this.#fail('unbalanced quotes in request');
    }
    return this.args.count > 0 ? DecodeOutcome.command : null;
  }

  /** Views of the words in a line without quotes; false if it has some. */
  #plainWords(start: number, end: number): boolean {
    const { args } = this;
    const bytes = this.#bytes;
    args.reset(bytes);
    let word = -1;
    for (let at = start; at < end; at += 1) {
      const byte = bytes[at] as number;
      if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE || byte === 0) return false;
      const isSpace = byte === SPACE || (byte >= TAB && byte <= CR);
      if (isSpace && word >= 0) args.push(word, at);
      if (isSpace) word = -1;
      else if (word < 0) word = at;
    }
    if (word >= 0) args.push(word, end);
    return true;
  }

  #quotedWords(line: Buffer): boolean {
    const words = splitArguments(line);
    if (words === null) return false;
    this.args.reset(Buffer.concat(words));
    let at = 0;
    for (const word of words) {
      this.args.push(at, at + word.length);
      at += word.length;
    }
    return true;
  }

  #fail(text: string): DecodeOutcome {
    this.failure = `Protocol error: ${text}`;
    this.#queue.length = 0;
    this.#bytes = NOTHING;
    this.#isBorrowed = false;
    this.#at = 0;
    this.#end = 0;
    this.#missing = 0;
    return DecodeOutcome.failed;
  }

  /** Puts `chunk` behind the unfinished command. */
  #append(chunk: Buffer): void {
    const kept = this.#keptFrom();
    if (kept === this.#end) {
      this.#bytes = chunk;
      this.#isBorrowed = true;
      this.#at = 0;
      this.#start = 0;
      this.#searched = 0;
      this.#end = chunk.length;
      return;
    }
    const needed = this.#end - kept + chunk.length;
    if (this.#end + chunk.length > this.#bytes.length) this.#move(this.#roomFor(needed));
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /** Where the bytes begin that are still needed. */
  #keptFrom(): number {
    return this.#missing > 0 ? this.#start : this.#at;
  }

  /** Doubles, but not beyond the end of an argument whose length is known. */
  #roomFor(needed: number): number {
    const kept = this.#end - this.#keptFrom();
    const known = this.#bulkLength < 0 ? 0 : this.#at - this.#keptFrom() + this.#bulkLength + 2;
    return known >= needed ? Math.max(needed, Math.min(kept * 2, known)) : Math.max(needed, kept * 2);
  }

  /** Moves the unfinished command to the front of a buffer of its own of `size` bytes. */
  #move(size: number): void {
    const kept = this.#keptFrom();
    const room = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(room, 0, kept, this.#end);
    if (this.#missing > 0 && kept > 0) this.args.shift(-kept);
    this.args.bytes = room;
    this.#bytes = room;
    this.#isBorrowed = false;
    this.#end -= kept;
    this.#at -= kept;
    this.#start = 0;
    this.#searched = this.#searched > kept ? this.#searched - kept : 0;
  }

  /** Nothing more can be read now: lets go of the memory that the rest does not need. */
  #rest(): void {
    const kept = this.#end - this.#keptFrom();
    if (kept === 0) {
      if (this.#bytes === NOTHING) return;
      this.#bytes = NOTHING;
      this.#isBorrowed = false;
      this.#at = 0;
      this.#start = 0;
      this.#end = 0;
      this.args.release();
      return;
    }
    if (this.#bytes.length > 4096 && kept * 4 < this.#bytes.length) this.#move(kept);
  }
}

const NOTHING = Buffer.alloc(0);

const STAR = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const NUMBER_BYTES_MAX = 21;

// Marks in the place of a length.
const NEGATIVE = -1;
const INCOMPLETE = -2;
const NOT_A_NUMBER = -3;
const TOO_LONG = -4;
const NO_DOLLAR = -5;
const TOO_MUCH = -6;
