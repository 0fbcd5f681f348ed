/**
 * Splits a typed line into arguments by the quoting rules of Redis' inline commands and of redis-cli:
 * "double quotes" know \xHH, \n, \r, \t, \b, \a and take any other escaped byte as it is; 'single quotes' know only \';
 * a closing quote must be followed by white space or the end. A NUL ends the line. Null if the quotes do not balance.
 */
export function splitArguments(line: Uint8Array): Buffer[] | null {
  const end = line.indexOf(0);
  return new Splitter(end < 0 ? line : line.subarray(0, end)).run();
}

const BACKSLASH = 0x5c;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const LETTER_X = 0x78;

const ESCAPES: ReadonlyMap<number, number> = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x61, 0x07],
]);

class Splitter {
  readonly #line: Uint8Array;
  readonly #scratch: Buffer;
  #at = 0;
  #length = 0;

  constructor(line: Uint8Array) {
    this.#line = line;
    this.#scratch = Buffer.allocUnsafe(line.length);
  }

  run(): Buffer[] | null {
    const found: Buffer[] = [];
    for (;;) {
      while (this.#at < this.#line.length && isSpace(this.#line[this.#at] as number)) this.#at += 1;
      if (this.#at >= this.#line.length) return found;
      if (!this.#word()) return null;
      found.push(Buffer.from(this.#scratch.subarray(0, this.#length)));
    }
  }

  /** One argument; a quote may open in its middle, as in a"b c". */
  #word(): boolean {
    this.#length = 0;
    while (this.#at < this.#line.length) {
      const byte = this.#line[this.#at] as number;
      if (isSpace(byte)) return true;
      this.#at += 1;
      if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) return this.#quoted(byte);
      this.#take(byte);
    }
    return true;
  }

  #quoted(quote: number): boolean {
    while (this.#at < this.#line.length) {
      const byte = this.#line[this.#at] as number;
      this.#at += 1;
      if (byte === quote) return this.#at >= this.#line.length || isSpace(this.#line[this.#at] as number);
      if (byte === BACKSLASH && this.#at < this.#line.length) this.#escaped(quote);
      else this.#take(byte);
    }
    return false;
  }

  #escaped(quote: number): void {
    const next = this.#line[this.#at] as number;
    if (quote === SINGLE_QUOTE) {
      if (next === SINGLE_QUOTE) this.#at += 1;
      this.#take(next === SINGLE_QUOTE ? next : BACKSLASH);
      return;
    }
    const high = hexDigit(this.#line[this.#at + 1]);
    const low = hexDigit(this.#line[this.#at + 2]);
    if (next === LETTER_X && high >= 0 && low >= 0) {
      this.#at += 3;
      this.#take(high * 16 + low);
      return;
    }
    this.#at += 1;
    this.#take(ESCAPES.get(next) ?? next);
  }

  #take(byte: number): void {
    this.#scratch[this.#length] = byte;
    this.#length += 1;
  }
}

/** C's isspace. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const folded = byte | 0x20;
  return folded >= 0x61 && folded <= 0x66 ? folded - 0x57 : -1;
}
