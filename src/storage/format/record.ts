import { LIMITS } from '../../model/limits.ts';
import { crcOf } from './crc.ts';
import { readUint16, readUint32, readUint64 } from './integers.ts';

/** The record of docs/FORMATS.md section 4. */
export const RecordKind = {
  put: 1,
  tombstone: 2,
  expiryChange: 3,
  flush: 4,
  outcome: 5,
  producerSnapshot: 6,
  databaseMap: 7,
  leaderStart: 8,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

export const RecordFlag = { continues: 1, hasExpiry: 2, hasExtras: 4 } as const;
const KNOWN_FLAGS = 7;

export const RECORD_HEADER_BYTES = 24;
/** Database id of a flush of all databases. */
export const ALL_DATABASES = 0xffffffff;

const AT_LENGTH = 4;
const AT_DELTA = 8;
const AT_KIND = 12;
const AT_FLAGS = 13;
const AT_CODEC = 14;
const AT_DETAIL = 15;
const AT_DATABASE = 16;
const AT_KEY_LENGTH = 20;

export const RECORD_AT = {
  length: AT_LENGTH,
  delta: AT_DELTA,
  kind: AT_KIND,
  flags: AT_FLAGS,
  codec: AT_CODEC,
  detail: AT_DETAIL,
  database: AT_DATABASE,
  keyLength: AT_KEY_LENGTH,
} as const;

/** What can be wrong with bytes that should be a record. */
export type RecordFault = 'short' | 'length' | 'crc' | 'flags' | 'kind' | 'codec' | 'layout';

/** One decoded record, as positions in the bytes it was read from. One object is reused. */
export class RecordView {
  length = 0;
  offsetDelta = 0;
  kind: number = RecordKind.put;
  flags = 0;
  codec = 0;
  detail = 0;
  database = 0;
  expiresAtMs = 0;
  keyStart = 0;
  keyEnd = 0;
  /** The value ends where the record ends. */
  valueStart = 0;
  valueEnd = 0;

  /**
   * Decodes the record at `at`, which must end before `limit`. Every length is checked before it is used.
   * `checkCrc` false only for bytes that were checked before, or that never left memory.
   */
  decode(bytes: Uint8Array, at: number, limit: number, checkCrc: boolean): RecordFault | null {
    if (at + RECORD_HEADER_BYTES > limit) return 'short';
    const length = readUint32(bytes, at + AT_LENGTH);
    if (length < RECORD_HEADER_BYTES || length > LIMITS.batchBytesMax) return 'length';
    if (at + length > limit) return 'short';
    if (checkCrc && crcOf(bytes, at + 4, at + length) !== readUint32(bytes, at)) return 'crc';
    this.length = length;
    this.offsetDelta = readUint32(bytes, at + AT_DELTA);
    this.kind = bytes[at + AT_KIND] as number;
    this.flags = bytes[at + AT_FLAGS] as number;
    this.codec = bytes[at + AT_CODEC] as number;
    this.detail = bytes[at + AT_DETAIL] as number;
    this.database = readUint32(bytes, at + AT_DATABASE);
    if ((this.flags & ~KNOWN_FLAGS) !== 0) return 'flags';
    if (this.kind < RecordKind.put || this.kind > RecordKind.leaderStart) return 'kind';
    if (this.codec !== 0) return 'codec';
    return this.#decodeBody(bytes, at);
  }

  #decodeBody(bytes: Uint8Array, at: number): RecordFault | null {
    const end = at + this.length;
    let body = at + RECORD_HEADER_BYTES;
    this.expiresAtMs = 0;
    if ((this.flags & RecordFlag.hasExpiry) !== 0) {
      if (body + 8 > end) return 'layout';
      this.expiresAtMs = readUint64(bytes, body);
      if (!Number.isSafeInteger(this.expiresAtMs)) return 'layout';
      body += 8;
    }
    if ((this.flags & RecordFlag.hasExtras) !== 0) {
      body = endOfExtras(bytes, body, end);
      if (body < 0) return 'layout';
    }
    this.keyStart = body;
    this.keyEnd = body + readUint32(bytes, at + AT_KEY_LENGTH);
    this.valueStart = this.keyEnd;
    this.valueEnd = end;
    return this.keyEnd > end ? 'layout' : null;
  }
}

/** Position after the extras block at `at`, or -1 if it does not add up. */
function endOfExtras(bytes: Uint8Array, at: number, end: number): number {
  if (at + 6 > end) return -1;
  const blockEnd = at + 4 + readUint32(bytes, at);
  const count = readUint16(bytes, at + 4);
  if (blockEnd > end || count > LIMITS.recordExtrasCountMax) return -1;
  let next = at + 6;
  for (let index = 0; index < count; index += 1) {
    if (next + 6 > blockEnd) return -1;
    const length = readUint32(bytes, next + 2);
    if (length > LIMITS.recordExtraBytesMax) return -1;
    next += 6 + length;
  }
  return next === blockEnd ? blockEnd : -1;
}
