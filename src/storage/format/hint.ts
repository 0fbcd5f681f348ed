import { LIMITS } from '../../model/limits.ts';
import type { IndexedRecord } from '../committed-index.ts';
import { crcOf } from './crc.ts';
import { readUint16, readUint32, readUint64, writeUint16, writeUint32, writeUint64 } from './integers.ts';
import { RecordFlag } from './record.ts';

/** The hint file of docs/FORMATS.md section 9. */
export const HINT_HEADER_BYTES = 64;
export const HINT_BLOCK_HEADER_BYTES = 8;
export const HINT_TRAILER_BYTES = 16;
const ENTRY_HEADER_BYTES = 28;
const MAGIC = Buffer.from('CSKDHNT\n', 'latin1');
const VERSION = 1;
const AT_BATCH_COUNT = 56;

/** Which segment file, in which state, and under which hash seed a hint speaks of. */
export interface HintIdentity {
  readonly base: number;
  readonly generation: number;
  readonly segmentLength: number;
  readonly end: number;
  /** 16 hexadecimal digits. */
  readonly hashSeed: string;
}

/** The count of batches that a checked header states. */
export function hintBatchCount(bytes: Buffer): number {
  return readUint32(bytes, AT_BATCH_COUNT);
}

export function encodeHintHeader(identity: HintIdentity, batchCount: number): Buffer {
  const bytes = Buffer.alloc(HINT_HEADER_BYTES);
  MAGIC.copy(bytes);
  writeUint16(bytes, 8, VERSION);
  writeUint16(bytes, 10, HINT_HEADER_BYTES);
  writeUint64(bytes, 16, identity.base);
  writeUint64(bytes, 24, identity.generation);
  writeUint64(bytes, 32, identity.segmentLength);
  writeUint64(bytes, 40, identity.end);
  bytes.write(identity.hashSeed, 48, 'hex');
  writeUint32(bytes, AT_BATCH_COUNT, batchCount);
  writeUint32(bytes, 60, crcOf(bytes, 0, 60));
  return bytes;
}

/** Whether the header is whole and speaks of exactly this segment. */
export function hintHeaderMatches(bytes: Buffer, identity: HintIdentity): boolean {
  if (bytes.length < HINT_HEADER_BYTES) return false;
  const expected = encodeHintHeader(identity, hintBatchCount(bytes));
  return bytes.subarray(0, HINT_HEADER_BYTES).equals(expected);
}

/** Entries of one block; grows up to LIMITS.hintBlockBytes and is then encoded. */
export class HintBlock {
  #bytes = Buffer.allocUnsafe(LIMITS.hintBlockBytes + LIMITS.keyBytesMax + 64);
  #length = HINT_BLOCK_HEADER_BYTES;

  get isFull(): boolean {
    return this.#length >= LIMITS.hintBlockBytes;
  }

  get isEmpty(): boolean {
    return this.#length === HINT_BLOCK_HEADER_BYTES;
  }

  add(record: IndexedRecord): void {
    const bytes = this.#bytes;
    const at = this.#length;
    const keyLength = record.keyEnd - record.keyStart;
    const hasExpiry = record.expiresAtMs > 0;
    writeUint32(bytes, at, record.hash);
    writeUint32(bytes, at + 4, record.position);
    writeUint32(bytes, at + 8, record.length);
    writeUint64(bytes, at + 12, record.offset);
    bytes[at + 20] = record.kind;
    bytes[at + 21] = hasExpiry ? RecordFlag.hasExpiry : 0;
    writeUint16(bytes, at + 22, keyLength);
    writeUint32(bytes, at + 24, record.database);
    let body = at + ENTRY_HEADER_BYTES;
    if (hasExpiry) {
      writeUint64(bytes, body, record.expiresAtMs);
      body += 8;
    }
    bytes.set(record.bytes.subarray(record.keyStart, record.keyEnd), body);
    this.#length = body + keyLength;
  }

  /** The finished block, a copy; the next one begins empty. */
  take(): Buffer {
    const bytes = this.#bytes;
    const length = this.#length - HINT_BLOCK_HEADER_BYTES;
    writeUint32(bytes, 0, length);
    writeUint32(bytes, 4, crcOf(bytes, HINT_BLOCK_HEADER_BYTES, this.#length));
    const block = Buffer.from(bytes.subarray(0, this.#length));
    this.#length = HINT_BLOCK_HEADER_BYTES;
    return block;
  }
}

/** Length of the entries of the block that begins at `at`, 0 for the trailer, -1 if it cannot be. */
export function hintBlockLength(bytes: Buffer, at: number): number {
  const length = readUint32(bytes, at);
  return length <= LIMITS.hintBlockBytesMax ? length : -1;
}

/** Whether the entries in `bytes[start, end)` have the checksum that stands before them. */
export function hintCrcHolds(bytes: Buffer, start: number, end: number, crc: number): boolean {
  return crcOf(bytes, start, end) === crc;
}

/** Decodes the entry at `at` into `record`; returns the position after it, or -1 if it does not add up. */
export function decodeHintEntry(bytes: Buffer, at: number, end: number, record: IndexedRecord): number {
  if (at + ENTRY_HEADER_BYTES > end) return -1;
  const hasExpiry = ((bytes[at + 21] as number) & RecordFlag.hasExpiry) !== 0;
  const body = at + ENTRY_HEADER_BYTES + (hasExpiry ? 8 : 0);
  const keyEnd = body + readUint16(bytes, at + 22);
  if (keyEnd > end) return -1;
  record.hash = readUint32(bytes, at);
  record.position = readUint32(bytes, at + 4);
  record.length = readUint32(bytes, at + 8);
  record.offset = readUint64(bytes, at + 12);
  record.kind = bytes[at + 20] as number;
  record.database = readUint32(bytes, at + 24);
  record.expiresAtMs = hasExpiry ? readUint64(bytes, body - 8) : 0;
  record.bytes = bytes;
  record.keyStart = body;
  record.keyEnd = keyEnd;
  return keyEnd;
}

export function encodeHintTrailer(entryCount: number): Buffer {
  const bytes = Buffer.alloc(HINT_TRAILER_BYTES);
  writeUint64(bytes, 8, entryCount);
  writeUint32(bytes, 4, crcOf(bytes, 8, 16));
  return bytes;
}

/** The count of entries that the trailer at `at` states, or -1 if it is damaged. */
export function decodeHintTrailer(bytes: Buffer, at: number): number {
  if (at + HINT_TRAILER_BYTES > bytes.length) return -1;
  if (readUint32(bytes, at) !== 0 || readUint32(bytes, at + 4) !== crcOf(bytes, at + 8, at + 16)) return -1;
  return readUint64(bytes, at + 8);
}
