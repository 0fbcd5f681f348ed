import type { Random } from '../../env/random.ts';
import { CaskadeError } from '../../model/errors.ts';
import { continueCrc, crcOf } from '../format/crc.ts';
import {
  readUint16,
  readUint32,
  readUint64,
  writeUint16,
  writeUint32,
  writeUint64,
} from '../format/integers.ts';

/** Frames of docs/FORMATS.md section 10. Each begins at a multiple of this, so that none is rewritten with its neighbour. */
export const FRAME_ALIGNMENT_BYTES = 4096;
const MAGIC = 0x4a4b5343; // "CSKJ"
const VERSION = 1;
export const FRAME_HEADER_BYTES = 56;
const LAP_ID_BYTES = 16;
export const RECORD_HEADER_BYTES = 16;

/** These bytes belong there. Paths are relative to the node's data directory. */
export interface BytesRecord {
  readonly kind: 'bytes';
  readonly path: string;
  readonly position: number;
  readonly chunks: readonly Uint8Array[];
}

/** The file holds on its own what was said of it so far, and may be changed in ways that are not told here. */
export interface SettledRecord {
  readonly kind: 'settled';
  readonly path: string;
}

/** Files hold on their own what laps below this one say. */
export interface OldestLapRecord {
  readonly kind: 'oldestLap';
  readonly lap: number;
  /** Of the next lap to come: so frames of it are known whose first one has rotted. */
  readonly nextLapId: string;
}

export type JournalRecord = BytesRecord | SettledRecord | OldestLapRecord;

export interface FrameHeader {
  readonly lap: number;
  /**
   * Chosen by chance for each lap, as 32 hexadecimal digits: what clients write lies in these files, and must not be taken
   * for a frame behind the end of a lap.
   */
  readonly lapId: string;
  /** Grows by one with every frame, over all laps. */
  readonly sequence: number;
  /** Every frame up to this one was on the disk when this one was written. */
  readonly durableSequence: number;
}

export interface Frame extends FrameHeader {
  readonly records: readonly JournalRecord[];
  /** Up to the next frame. */
  readonly paddedBytes: number;
}

export const newLapId = (random: Random): string => Buffer.from(random.bytes(LAP_ID_BYTES)).toString('hex');

const KINDS: readonly JournalRecord['kind'][] = ['bytes', 'settled', 'oldestLap'];

export const paddedTo = (bytes: number): number =>
  Math.ceil(bytes / FRAME_ALIGNMENT_BYTES) * FRAME_ALIGNMENT_BYTES;

const lengthOf = (chunks: readonly Uint8Array[]): number =>
  chunks.reduce((sum, { length }) => sum + length, 0);

function recordBytes(record: JournalRecord): number {
  if (record.kind === 'oldestLap') return RECORD_HEADER_BYTES + LAP_ID_BYTES;
  const pathBytes = Buffer.byteLength(record.path);
  return RECORD_HEADER_BYTES + pathBytes + (record.kind === 'bytes' ? lengthOf(record.chunks) : 0);
}

/** Bytes of a frame of these records, with its padding. */
export function frameBytes(records: readonly JournalRecord[]): number {
  return paddedTo(records.reduce((sum, record) => sum + recordBytes(record), FRAME_HEADER_BYTES));
}

export function encodeFrame(header: FrameHeader, records: readonly JournalRecord[]): Buffer {
  const bytes = Buffer.alloc(frameBytes(records));
  let at = FRAME_HEADER_BYTES;
  for (const record of records) at = writeRecord(bytes, at, record);
  writeUint32(bytes, 0, MAGIC);
  writeUint16(bytes, 4, VERSION);
  writeUint32(bytes, 8, at);
  writeUint64(bytes, 16, header.lap);
  writeUint64(bytes, 24, header.sequence);
  writeUint64(bytes, 32, header.durableSequence);
  bytes.write(header.lapId, 40, 'hex');
  writeUint32(bytes, 12, checksum(bytes, 0, at));
  return bytes;
}

function writeRecord(bytes: Buffer, start: number, record: JournalRecord): number {
  bytes[start] = KINDS.indexOf(record.kind) + 1;
  let at = start + RECORD_HEADER_BYTES;
  if (record.kind === 'oldestLap') {
    writeUint32(bytes, start + 4, LAP_ID_BYTES);
    writeUint64(bytes, start + 8, record.lap);
    return at + bytes.write(record.nextLapId, at, 'hex');
  }
  const pathBytes = bytes.write(record.path, at);
  writeUint16(bytes, start + 2, pathBytes);
  at += pathBytes;
  if (record.kind === 'settled') return at;
  writeUint32(bytes, start + 4, lengthOf(record.chunks));
  writeUint64(bytes, start + 8, record.position);
  for (const chunk of record.chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return at;
}

/** The frame that begins at `start`; null: none does, not a whole one, or one of another version. */
export function decodeFrame(bytes: Buffer, start: number): Frame | null {
  const length = wholeLength(bytes, start);
  if (length === null || readUint16(bytes, start + 4) !== VERSION) return null;
  const records = readRecords(bytes, start + FRAME_HEADER_BYTES, start + length);
  if (records === null) return null;
  const lap = readUint64(bytes, start + 16);
  const sequence = readUint64(bytes, start + 24);
  const durableSequence = readUint64(bytes, start + 32);
  const lapId = bytes.toString('hex', start + 40, start + FRAME_HEADER_BYTES);
  return { lap, lapId, sequence, durableSequence, records, paddedBytes: paddedTo(length) };
}

/** Throws `futureFormat` where a lap of a newer version lies in the file at `path`. */
export function checkVersion(bytes: Buffer, path: string): void {
  if (wholeLength(bytes, 0) === null) return;
  const version = readUint16(bytes, 4);
  if (version === VERSION) return;
  throw new CaskadeError(
    'futureFormat',
    `${path}: journal format ${version} was written by a newer Caskade; this one reads format ${VERSION}. Start the newer version`,
  );
}

/** Without the padding; null: no frame, or not a whole one. */
function wholeLength(bytes: Buffer, start: number): number | null {
  if (start + FRAME_HEADER_BYTES > bytes.length || readUint32(bytes, start) !== MAGIC) return null;
  const length = readUint32(bytes, start + 8);
  if (length < FRAME_HEADER_BYTES || start + length > bytes.length) return null;
  return readUint32(bytes, start + 12) === checksum(bytes, start, length) ? length : null;
}

function readRecords(bytes: Buffer, start: number, end: number): JournalRecord[] | null {
  const records: JournalRecord[] = [];
  for (let at = start; at < end; ) {
    if (at + RECORD_HEADER_BYTES > end) return null;
    const kind = KINDS[(bytes[at] as number) - 1];
    const pathEnd = at + RECORD_HEADER_BYTES + readUint16(bytes, at + 2);
    const recordEnd = pathEnd + readUint32(bytes, at + 4);
    if (kind === undefined || recordEnd > end) return null;
    const number = readUint64(bytes, at + 8);
    const path = bytes.toString('utf8', at + RECORD_HEADER_BYTES, pathEnd);
    if (kind === 'bytes')
      records.push({ kind, path, position: number, chunks: [bytes.subarray(pathEnd, recordEnd)] });
    else if (kind === 'settled') records.push({ kind, path });
    else records.push({ kind, lap: number, nextLapId: bytes.toString('hex', pathEnd, recordEnd) });
    at = recordEnd;
  }
  return records;
}

/** Of everything but the checksum itself. */
function checksum(bytes: Buffer, start: number, length: number): number {
  return continueCrc(crcOf(bytes, start, start + 12), bytes, start + 16, start + length);
}
