import { invariant } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { Fragment } from './generated/caskade/v1/common.ts';
import { encodeMessage } from './message-writer.ts';

/**
 * The bytes of frames (`PeerFrame`, `ForwardFrame`), put together from messages that are encoded already: what is large
 * is copied once, into the frame. Both kinds of frames have the fragment in the same field.
 */

/** One field of a frame: an encoded message, of which the last field may lie in other memory. */
export interface FramePart {
  /** Of the frame. */
  readonly field: number;
  readonly head: Uint8Array;
  /** The last field of the message, in pieces. None: the head is all. */
  readonly tailField: number;
  readonly tail: readonly Uint8Array[];
}

export const HELLO_FIELD = 1;
export const FRAGMENT_FIELD = 2;
/** `Fragment.bytes`. */
const FRAGMENT_TAIL_FIELD = 4;
const LENGTH_DELIMITED = 2;

/** A message of this field with nothing in other memory. */
export function wholePart(field: number, head: Uint8Array): FramePart {
  return { field, head, tailField: 0, tail: [] };
}

const sumOf = (pieces: readonly Uint8Array[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

/** Length of the message itself. */
function messageBytes(part: FramePart): number {
  const tailBytes = sumOf(part.tail);
  if (tailBytes === 0) return part.head.length;
  return part.head.length + varintBytes(tagOf(part.tailField)) + varintBytes(tailBytes) + tailBytes;
}

/** What a part adds to a frame. */
export function partBytes(part: FramePart): number {
  const bytes = messageBytes(part);
  return varintBytes(tagOf(part.field)) + varintBytes(bytes) + bytes;
}

/** Length of the frame that these make. */
export const frameBytes = (parts: readonly FramePart[]): number =>
  parts.reduce((sum, part) => sum + partBytes(part), 0);

/** `frame`: where it is written, of just that length. */
export function encodeFrame(
  parts: readonly FramePart[],
  frame: Buffer = Buffer.allocUnsafe(frameBytes(parts)),
): Buffer {
  let at = 0;
  for (const part of parts) {
    at = putVarint(frame, at, tagOf(part.field));
    at = putVarint(frame, at, messageBytes(part));
    for (const piece of piecesOf(part)) {
      frame.set(piece, at);
      at += piece.length;
    }
  }
  invariant(at === frame.length, `a frame of ${frame.length} bytes was filled with ${at}`);
  return frame;
}

/** The fragments of a message that is too large for a frame, in order, each a part for a frame of its own. */
export function* fragmentsOf(part: FramePart, bytesMax: number = LIMITS.frameBytesMax): Generator<FramePart> {
  const pieces = piecesOf(part);
  const totalBytes = sumOf(pieces);
  for (let start = 0; start < totalBytes; start += bytesMax) {
    const tail = rangeOf(pieces, start, Math.min(start + bytesMax, totalBytes));
    const fields = { field: part.field, totalBytes, start, bytes: NO_BYTES };
    const head = encodeMessage(Fragment, fields);
    yield { field: FRAGMENT_FIELD, head, tailField: FRAGMENT_TAIL_FIELD, tail };
  }
}

const NO_BYTES = new Uint8Array(0);

/** The message in the memory where it lies, in order. */
function piecesOf({ head, tailField, tail }: FramePart): readonly Uint8Array[] {
  const tailBytes = sumOf(tail);
  if (tailBytes === 0) return [head];
  const border = new Uint8Array(varintBytes(tagOf(tailField)) + varintBytes(tailBytes));
  putVarint(border, putVarint(border, 0, tagOf(tailField)), tailBytes);
  return [head, border, ...tail];
}

function rangeOf(pieces: readonly Uint8Array[], start: number, end: number): Uint8Array[] {
  const range: Uint8Array[] = [];
  let at = 0;
  for (const piece of pieces) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, piece.length);
    if (from < to) range.push(piece.subarray(from, to));
    at += piece.length;
  }
  return range;
}

const tagOf = (field: number): number => (field << 3) | LENGTH_DELIMITED;

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

function putVarint(target: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    target[at] = (rest % 0x80) | 0x80;
    at += 1;
  }
  target[at] = rest;
  return at + 1;
}
