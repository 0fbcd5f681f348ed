import { InvariantError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from './integers.ts';
import { RECORD_HEADER_BYTES, RecordFlag, type RecordView } from './record.ts';

/** Extras of a record (docs/FORMATS.md section 4): what goes with it and is neither key nor value. */
export const ExtraId = { producer: 1, user: 2, reply: 3, trace: 4 } as const;

export interface RecordExtra {
  /** One that this version does not know is kept as it is. */
  readonly id: number;
  readonly bytes: Uint8Array;
}

const BLOCK_HEADER_BYTES = 6;
const EXTRA_HEADER_BYTES = 6;

/** The whole block, its length included; it stands between the expiry and the key. */
export function encodeExtras(extras: readonly RecordExtra[]): Buffer {
  if (extras.length > LIMITS.recordExtrasCountMax)
    throw new InvariantError(`a record was given ${extras.length} extras`);
  const bytes = Buffer.allocUnsafe(
    extras.reduce((sum, extra) => sum + EXTRA_HEADER_BYTES + extra.bytes.length, BLOCK_HEADER_BYTES),
  );
  writeUint32(bytes, 0, bytes.length - 4);
  writeUint16(bytes, 4, extras.length);
  let at = BLOCK_HEADER_BYTES;
  for (const extra of extras) {
    if (extra.bytes.length > LIMITS.recordExtraBytesMax)
      throw new InvariantError(`an extra of ${extra.bytes.length} bytes was given to a record`);
    writeUint16(bytes, at, extra.id);
    writeUint32(bytes, at + 2, extra.bytes.length);
    bytes.set(extra.bytes, at + EXTRA_HEADER_BYTES);
    at += EXTRA_HEADER_BYTES + extra.bytes.length;
  }
  return bytes;
}

/**
 * The extras of a block in `bytes[start, end)`, as views; null if it does not add up. Nothing is allocated for a length
 * that was not checked.
 */
export function decodeExtras(bytes: Uint8Array, start: number, end: number): RecordExtra[] | null {
  if (start + BLOCK_HEADER_BYTES > end || start + 4 + readUint32(bytes, start) !== end) return null;
  const count = readUint16(bytes, start + 4);
  if (count > LIMITS.recordExtrasCountMax) return null;
  const extras: RecordExtra[] = [];
  let at = start + BLOCK_HEADER_BYTES;
  for (let index = 0; index < count; index += 1) {
    if (at + EXTRA_HEADER_BYTES > end) return null;
    const length = readUint32(bytes, at + 2);
    const from = at + EXTRA_HEADER_BYTES;
    if (length > LIMITS.recordExtraBytesMax || from + length > end) return null;
    extras.push({ id: readUint16(bytes, at), bytes: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return at === end ? extras : null;
}

/** The bytes of the first extra with this id, as a view, of a record that `view` decoded at `at`; null: it has none. */
export function findExtra(bytes: Uint8Array, at: number, view: RecordView, id: number): Uint8Array | null {
  if ((view.flags & RecordFlag.hasExtras) === 0) return null;
  const start = at + RECORD_HEADER_BYTES + ((view.flags & RecordFlag.hasExpiry) === 0 ? 0 : 8);
  const extras = decodeExtras(bytes, start, view.keyStart);
  if (extras === null) throw new InvariantError('extras that were decoded before do not add up');
  return extras.find((extra) => extra.id === id)?.bytes ?? null;
}
