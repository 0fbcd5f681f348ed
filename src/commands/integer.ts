const ZERO = 0x30;
const MINUS = 0x2d;
/** Any number of so many digits is a safe integer. */
const SAFE_DIGITS = 15;
/** Digits of the largest 64-bit integer. */
const DIGITS_MAX = 19;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/**
 * Reads a 64-bit decimal integer as strictly as Redis does: no plus sign, no spaces, no leading zero, no "-0".
 * NaN: not such an integer. Plus or minus Infinity: one, but beyond the safe integers (`parseBigInteger` has its value).
 */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  if (at === end) return Number.NaN;
  const negative = bytes[at] === MINUS;
  if (negative) at += 1;
  if (bytes[at] === ZERO || at === end) return !negative && end - at === 1 ? 0 : Number.NaN;
  if (end - at > SAFE_DIGITS) return parseLong(bytes, start, end, end - at);
  let value = 0;
  for (; at < end; at += 1) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

function parseLong(bytes: Uint8Array, start: number, end: number, digits: number): number {
  if (digits > DIGITS_MAX) return Number.NaN;
  for (let at = end - digits; at < end; at += 1) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
  }
  const value = parseBigInteger(bytes, start, end);
  if (!isInt64(value)) return Number.NaN;
  const rounded = Number(value);
  if (Number.isSafeInteger(rounded)) return rounded;
  return value < 0n ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** The value of what `parseInteger` accepted. */
export function parseBigInteger(bytes: Uint8Array, start: number, end: number): bigint {
  return BigInt(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'));
}

export function isInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

export const INT64_LOWEST = INT64_MIN;

const TEXT_BYTES = 20;

/** Writes integers as decimal text into bytes of its own, without making a string of the small ones. */
export class IntegerText {
  /** The text of the last integer lies in `bytes[start, end)`. */
  readonly bytes = Buffer.alloc(TEXT_BYTES);
  readonly end = TEXT_BYTES;
  start = TEXT_BYTES;

  write(value: number): void {
    if (value > 0x7fffffff || value < -0x7fffffff) this.writeText(String(value));
    else this.#writeSmall(value);
  }

  /** `text` is decimal and at most 20 characters long. */
  writeText(text: string): void {
    this.start = TEXT_BYTES - text.length;
    this.bytes.write(text, this.start, 'latin1');
  }

  #writeSmall(value: number): void {
    const { bytes } = this;
    let rest = value < 0 ? -value : value;
    let at = TEXT_BYTES;
    do {
      const tenth = (rest / 10) | 0;
      at -= 1;
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    } while (rest > 0);
    if (value < 0) {
      at -= 1;
      bytes[at] = MINUS;
    }
    this.start = at;
  }
}
