import { ProtocolError } from './protocol-error.ts';

const CR = 0x0d;
const MINUS = 0x2d;

/** Where values of a finished reply begin and end, without decoding them. Throws a ProtocolError where it is no reply. */
export function endOfReply(bytes: Buffer, start: number): number {
  let at = start;
  for (let missing = 1; missing > 0; missing -= 1) {
    const lineEnd = endOfLine(bytes, at);
    const type = bytes[at] as number;
    const held = itemsOf(type);
    if (held > 0) {
      missing += Math.max(0, lengthIn(bytes, at, lineEnd)) * held;
      if (type === ATTRIBUTE) missing += 1;
      at = lineEnd;
    } else {
      at = BULKS.includes(type) ? endOfBulk(lengthIn(bytes, at, lineEnd), lineEnd) : lineEnd;
    }
  }
  if (at > bytes.length) throw new ProtocolError('a reply is cut off');
  return at;
}

/** The items of the array at `start`: where the first begins, and where each ends; null: it is no array. */
export function itemsOfArray(
  bytes: Buffer,
  start = 0,
): { readonly first: number; readonly ends: readonly number[] } | null {
  if (bytes[start] !== ARRAY) return null;
  const first = endOfLine(bytes, start);
  const ends: number[] = [];
  let at = first;
  for (let count = lengthIn(bytes, start, first); count > 0; count -= 1) {
    at = endOfReply(bytes, at);
    ends.push(at);
  }
  return { first, ends };
}

/** How many items the array at `start` has, and where the first begins; null: it is no array. */
export function headerOfArray(
  bytes: Buffer,
  start = 0,
): { readonly count: number; readonly first: number } | null {
  if (bytes[start] !== ARRAY) return null;
  const first = endOfLine(bytes, start);
  return { count: Math.max(0, lengthIn(bytes, start, first)), first };
}

/** The text of a simple reply, an error or an integer, without its type. */
export function lineOf(bytes: Buffer): string {
  return bytes.toString('utf8', 1, endOfLine(bytes, 0) - 2);
}

export function isError(bytes: Uint8Array): boolean {
  return bytes[0] === MINUS || bytes[0] === BULK_ERROR;
}

function endOfLine(bytes: Buffer, at: number): number {
  const end = bytes.indexOf(CR, at);
  if (end < 0 || end + 2 > bytes.length) throw new ProtocolError('a reply is cut off');
  return end + 2;
}

function lengthIn(bytes: Buffer, at: number, lineEnd: number): number {
  const length = Number(bytes.toString('latin1', at + 1, lineEnd - 2));
  if (!Number.isSafeInteger(length)) throw new ProtocolError('a length of a reply is no number');
  return length;
}

function endOfBulk(length: number, lineEnd: number): number {
  return length < 0 ? lineEnd : lineEnd + length + 2;
}

const ARRAY = 0x2a;
const MAP = 0x25;
const ATTRIBUTE = 0x7c;
const BULK_ERROR = 0x21;
/** `$`, `=`, `!`. */
const BULKS: readonly number[] = [0x24, 0x3d, BULK_ERROR];

/** Values for each that the header counts; 0: it holds none. */
function itemsOf(type: number): 0 | 1 | 2 {
  if (type === ARRAY || type === 0x7e || type === 0x3e) return 1;
  return type === MAP || type === ATTRIBUTE ? 2 : 0;
}
