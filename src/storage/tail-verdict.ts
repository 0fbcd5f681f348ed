import { LIMITS } from '../model/limits.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  batchCrcHolds,
  isOneBitOff,
  readBatchHeader,
} from './format/batch.ts';
import { endOfData, isAllZero, readUint32 } from './format/integers.ts';
import { RecordView } from './format/record.ts';

/**
 * What the bytes after the last valid batch of the active segment mean (PROTOCOL R19).
 * - `clean`: nothing but zeros.
 * - `torn`: a write that a crash cut short, and that therefore was never acknowledged.
 * - `rotten`: one bad batch and no sign that a crash did it. It may have been acknowledged. A file that ends inside its last
 *   batch is no sign: a batch overwrites zeros that were laid and synced before.
 * - `corrupt`: a valid batch comes after the bad one, so the bad one was once whole and synced.
 */
export type TailVerdict = 'clean' | 'torn' | 'rotten' | 'corrupt';

const SECTOR_BYTES = 512;
/** Position of the record count in a batch header. */
const AT_COUNT = 28;
/** A larger batch is not searched for one flipped bit: it takes a tenth of a second, and finds one by mere chance too often. */
const ONE_BIT_BYTES_MAX = 8 * 1024 * 1024;

/**
 * @param bytes what the file holds from the scan's end on
 * @param position where `bytes` begin in the file
 * @param nextOffset the base offset that the bad batch has, or less; a value may hold the image of an older batch
 */
export function judgeTail(bytes: Buffer, position: number, nextOffset = -1): TailVerdict {
  const dataEnd = endOfData(bytes);
  if (dataEnd === 0) return 'clean';
  if (hasValidBatch(bytes, 1, nextOffset)) return 'corrupt';
  if (lacksFirstSector(bytes, position)) return 'torn';
  if (hasAllRecords(bytes) || isWholeButForOneBit(bytes)) return 'rotten';
  const claimed = claimedLength(bytes);
  return hasZeroSector(bytes, position, Math.min(bytes.length, Math.max(claimed, dataEnd)))
    ? 'torn'
    : 'rotten';
}

/**
 * The header lies over a border, and of its two sectors only the second was written: its count and every record may be whole, and
 * yet a crash did it.
 */
function lacksFirstSector(bytes: Buffer, position: number): boolean {
  const first = SECTOR_BYTES - (position % SECTOR_BYTES);
  return first < BATCH_HEADER_BYTES && isAllZero(bytes, 0, Math.min(first, bytes.length));
}

/** Every record that the header counts is there and whole: only the header is bad, and no crash did that. */
function hasAllRecords(bytes: Buffer): boolean {
  if (bytes.length < BATCH_HEADER_BYTES) return false;
  const count = readUint32(bytes, AT_COUNT);
  const record = new RecordView();
  let at = BATCH_HEADER_BYTES;
  for (let index = 0; index < count; index += 1) {
    if (record.decode(bytes, at, bytes.length, true) !== null) return false;
    at += record.length;
  }
  return count > 0;
}

/** Sectors of zeros may be what was written. But one flipped bit shows in the checksum, and a crash flips none. */
function isWholeButForOneBit(bytes: Buffer): boolean {
  const length = claimedLength(bytes);
  if (length < BATCH_HEADER_BYTES || length > Math.min(bytes.length, ONE_BIT_BYTES_MAX)) return false;
  return isOneBitOff(bytes, 0, length);
}

/** The length in the header of the bad batch, if what stands there may be one; else 0. */
function claimedLength(bytes: Buffer): number {
  if (bytes.length < 12 || readUint32(bytes, 0) !== BATCH_MAGIC) return 0;
  const length = readUint32(bytes, 8);
  return length <= LIMITS.batchBytesMax ? length : 0;
}

/** A sector, or the part of one that belongs to the batch, that still holds the zeros laid before the write. */
function hasZeroSector(bytes: Buffer, position: number, length: number): boolean {
  let from = 0;
  while (from < length) {
    const to = Math.min(length, from + SECTOR_BYTES - ((position + from) % SECTOR_BYTES));
    if (isAllZero(bytes, from, to)) return true;
    from = to;
  }
  return false;
}

function hasValidBatch(bytes: Buffer, from: number, nextOffset: number): boolean {
  const magic = Buffer.from([0x43, 0x53, 0x4b, 0x42]);
  let at = bytes.indexOf(magic, from);
  while (at >= 0) {
    const header = readBatchHeader(bytes, at, bytes.length);
    if (
      typeof header !== 'string' &&
      header.baseOffset > nextOffset &&
      at + header.length <= bytes.length &&
      batchCrcHolds(bytes, at, header)
    ) {
      return true;
    }
    at = bytes.indexOf(magic, at + 1);
  }
  return false;
}

/** How a start judges what a crash may have left behind, replaceable by a test (R19). */
export const TAIL_RULES = { judgeTail };
