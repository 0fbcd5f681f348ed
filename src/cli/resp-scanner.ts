import { ProtocolError } from '../resp/protocol-error.ts';

/** Of one line: a header, an error or an inline command. */
const LINE_BYTES_MAX = 1024 * 1024;
/** Of an error that comes as a bulk string (RESP3). */
const ERROR_TEXT_BYTES_MAX = 1024;
const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const BULK_ERROR = 0x21;

export interface RespScannerOptions {
  /** Of requests: a line that begins with none of RESP's types is an inline command. Replies have none. */
  readonly inline?: boolean;
  /** Told the text of every error that is a whole reply. */
  readonly onError?: (text: string) => void;
}

/**
 * Finds where RESP values end without decoding them, so that millions of them a second can be counted. Fed in any
 * split; keeps at most one unfinished line. `scan` throws a ProtocolError when the bytes stop making sense.
 */
export class RespScanner {
  readonly #inline: boolean;
  readonly #onError: ((text: string) => void) | undefined;
  #partial: Buffer = EMPTY;
  /** Bytes of a bulk string, with its line end, still to pass over. */
  #skip = 0;
  /** Values still missing in the outermost aggregate; 0 between two values. */
  #missing = 0;
  #scannedBytes = 0;
  /** The text of the bulk error that is being passed over. */
  #bulkError: Buffer | undefined;
  /** Whole values seen so far. */
  completed = 0;

  constructor({ inline = false, onError }: RespScannerOptions = {}) {
    this.#inline = inline;
    this.#onError = onError;
  }

  /** True when a value has begun and not ended. */
  get unfinished(): boolean {
    return this.#missing > 0 || this.#skip > 0 || this.#partial.length > 0;
  }

  /** Position, from the first byte ever fed, up to which everything made sense. */
  get position(): number {
    return this.#scannedBytes;
  }

  scan(chunk: Buffer): void {
    const bytes = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
    this.#partial = EMPTY;
    let at = 0;
    while (at < bytes.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes.length - at);
        if (this.#bulkError !== undefined) this.#keepError(bytes.subarray(at, at + step));
        this.#skip -= step;
        at += step;
        this.#scannedBytes += step;
        if (this.#skip === 0) this.#bulkEnded();
        continue;
      }
      let end = at;
      while (end < bytes.length && bytes[end] !== LF) end += 1;
      if (end === bytes.length) {
        this.#keep(bytes, at);
        return;
      }
      this.#line(bytes, at, end);
      this.#scannedBytes += end + 1 - at;
      at = end + 1;
    }
  }

  #keep(bytes: Buffer, at: number): void {
    if (bytes.length - at > LINE_BYTES_MAX)
      throw new ProtocolError(`a line of more than ${LINE_BYTES_MAX} bytes`);
    this.#partial = Buffer.from(bytes.subarray(at));
  }

  /** `bytes[at, end)` is a line with its CR, without its LF. */
  #line(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at] as number;
    if (this.#inline && this.#missing === 0 && type !== 0x2a) {
      if (!isBlank(bytes, at, end)) this.completed += 1;
      return;
    }
    if (end - at < 2 || bytes[end - 1] !== CR) throw new ProtocolError('a line does not end in CR LF');
    switch (type) {
      case PLUS:
      case 0x3a: // :
      case 0x5f: // _
      case 0x23: // #
      case 0x2c: // ,
      case 0x28: // (
        this.#valueEnded();
        break;
      case MINUS:
        if (this.#missing === 0) this.#onError?.(bytes.toString('utf8', at + 1, end - 1));
        this.#valueEnded();
        break;
      case 0x24: // $
      case 0x3d: // =
      case BULK_ERROR:
        if (type === BULK_ERROR && this.#missing === 0) this.#bulkError = EMPTY;
        this.#bulk(lengthOf(bytes, at + 1, end - 1));
        break;
      case 0x2a: // *
      case 0x7e: // ~
      case 0x3e: // >
        this.#aggregate(lengthOf(bytes, at + 1, end - 1));
        break;
      case 0x25: // %
        this.#aggregate(2 * lengthOf(bytes, at + 1, end - 1));
        break;
      case 0x7c: // |
        this.#aggregate(2 * lengthOf(bytes, at + 1, end - 1) + 1);
        break;
      default:
        throw new ProtocolError(`a value cannot begin with byte 0x${type.toString(16).padStart(2, '0')}`);
    }
  }

  #bulk(length: number): void {
    if (length < 0) this.#valueEnded();
    else this.#skip = length + 2;
  }

  #bulkEnded(): void {
    if (this.#bulkError !== undefined) this.#onError?.(this.#bulkError.toString().trimEnd());
    this.#bulkError = undefined;
    this.#valueEnded();
  }

  #keepError(piece: Buffer): void {
    const text = Buffer.concat([this.#bulkError ?? EMPTY, piece]);
    this.#bulkError = text.subarray(0, ERROR_TEXT_BYTES_MAX);
  }

  #aggregate(count: number): void {
    if (this.#inline && this.#missing > 0)
      throw new ProtocolError('a request holds an array within an array');
    if (count > 0) this.#missing += count - (this.#missing > 0 ? 1 : 0);
    else if (!this.#inline) this.#valueEnded();
  }

  #valueEnded(): void {
    if (this.#missing > 1) {
      this.#missing -= 1;
      return;
    }
    this.#missing = 0;
    this.completed += 1;
  }
}

function isBlank(bytes: Buffer, at: number, end: number): boolean {
  for (let index = at; index < end; index += 1) {
    const byte = bytes[index] as number;
    if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return false;
  }
  return true;
}

function lengthOf(bytes: Buffer, at: number, end: number): number {
  let value = 0;
  if (end - at === 2 && bytes[at] === MINUS && bytes[at + 1] === 0x31) return -1;
  if (end === at || end - at > 12) throw new ProtocolError('a length is missing or out of range');
  for (let index = at; index < end; index += 1) {
    const digit = (bytes[index] as number) - 0x30;
    if (digit < 0 || digit > 9)
      throw new ProtocolError(`'${bytes.toString('latin1', at, end)}' is not a length`);
    value = value * 10 + digit;
  }
  return value;
}
