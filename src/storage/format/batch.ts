import { LIMITS } from '../../model/limits.ts';
import { asLeaderEpoch, asOffset, type LeaderEpoch, type Offset } from '../../model/numbers.ts';
import { continueCrc, crcOf, isDifferenceOfOneBit } from './crc.ts';
import { readUint16, readUint32, readUint64, writeUint16, writeUint32, writeUint64 } from './integers.ts';

/** The batch header of docs/FORMATS.md section 3. */
export const BATCH_HEADER_BYTES = 56;
export const BATCH_MAGIC = 0x424b5343;
const VERSION = 1;
const MUST_UNDERSTAND = 0xff00;
/** No batch within LIMITS.batchBytesMax holds more records. */
const DELTA_MAX = 2 ** 31 - 1;

export const BatchFlag = { merged: 1 } as const;

export interface BatchHeader {
  readonly flags: number;
  readonly length: number;
  readonly crc: number;
  readonly baseOffset: Offset;
  readonly lastOffsetDelta: number;
  readonly count: number;
  readonly leaderEpoch: LeaderEpoch;
  readonly firstTimestampMs: number;
  readonly maxTimestampMs: number;
}

/** What can be wrong with bytes that should be a batch. `future`: valid, but written by a newer version. */
export type BatchFault = 'short' | 'magic' | 'future' | 'length' | 'fields' | 'crc';

/** Reads a header without trusting it: the CRC is checked by `batchCrcHolds` once all bytes are there. */
export function readBatchHeader(bytes: Uint8Array, at: number, limit: number): BatchHeader | BatchFault {
  if (at + BATCH_HEADER_BYTES > limit) return 'short';
  if (readUint32(bytes, at) !== BATCH_MAGIC) return 'magic';
  const length = readUint32(bytes, at + 8);
  if (length < BATCH_HEADER_BYTES || length > LIMITS.batchBytesMax) return 'length';
  const header: BatchHeader = {
    flags: readUint16(bytes, at + 6),
    length,
    crc: readUint32(bytes, at + 12),
    baseOffset: asOffset(readUint64(bytes, at + 16)),
    lastOffsetDelta: readUint32(bytes, at + 24),
    count: readUint32(bytes, at + 28),
    leaderEpoch: asLeaderEpoch(readUint32(bytes, at + 32)),
    firstTimestampMs: readUint64(bytes, at + 40),
    maxTimestampMs: readUint64(bytes, at + 48),
  };
  if (!Number.isSafeInteger(header.baseOffset + header.lastOffsetDelta)) return 'fields';
  if (header.lastOffsetDelta > DELTA_MAX) return 'fields';
  if (header.count === 0 || header.count > header.lastOffsetDelta + 1) return 'fields';
  return header;
}

/** Whether a header that passed its CRC is of a version and with flags that this version understands. */
export function isFutureBatch(bytes: Uint8Array, at: number, header: BatchHeader): boolean {
  return (
    readUint16(bytes, at + 4) !== VERSION ||
    readUint16(bytes, at + 36) !== BATCH_HEADER_BYTES ||
    (header.flags & MUST_UNDERSTAND) !== 0
  );
}

export function nextOffsetOf(header: BatchHeader): Offset {
  return asOffset(header.baseOffset + header.lastOffsetDelta + 1);
}

/** Writes the header over the first 56 bytes of a batch whose records are in place, and seals it with its CRC. */
export function sealBatch(bytes: Uint8Array, at: number, header: Omit<BatchHeader, 'crc'>): void {
  writeUint32(bytes, at, BATCH_MAGIC);
  writeUint16(bytes, at + 4, VERSION);
  writeUint16(bytes, at + 6, header.flags);
  writeUint32(bytes, at + 8, header.length);
  writeUint64(bytes, at + 16, header.baseOffset);
  writeUint32(bytes, at + 24, header.lastOffsetDelta);
  writeUint32(bytes, at + 28, header.count);
  writeUint32(bytes, at + 32, header.leaderEpoch);
  writeUint16(bytes, at + 36, BATCH_HEADER_BYTES);
  writeUint16(bytes, at + 38, 0);
  writeUint64(bytes, at + 40, header.firstTimestampMs);
  writeUint64(bytes, at + 48, header.maxTimestampMs);
  writeUint32(bytes, at + 12, batchCrc(bytes, at, header.length));
}

export function batchCrcHolds(bytes: Uint8Array, at: number, header: BatchHeader): boolean {
  return batchCrc(bytes, at, header.length) === header.crc;
}

/** Whether the batch of this length would hold its CRC if one bit, of the CRC itself or of what it covers, were another. */
export function isOneBitOff(bytes: Uint8Array, at: number, length: number): boolean {
  const difference = batchCrc(bytes, at, length) ^ readUint32(bytes, at + 12);
  if (difference === 0) return false;
  return (difference & (difference - 1)) === 0 || isDifferenceOfOneBit(difference, length - 4);
}

function batchCrc(bytes: Uint8Array, at: number, length: number): number {
  return continueCrc(crcOf(bytes, at, at + 12), bytes, at + 16, at + length);
}
