import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import {
  BATCH_HEADER_BYTES,
  type BatchFault,
  type BatchHeader,
  batchCrcHolds,
  nextOffsetOf,
  readBatchHeader,
} from './format/batch.ts';
import { SEGMENT_HEADER_BYTES } from './format/segment-header.ts';
import type { LogSlice } from './replica-log.ts';
import type { Segment } from './segment.ts';
import type { SegmentedLog } from './segmented-log.ts';

/** How many places where followers go on reading are remembered. */
const CURSORS_MAX = 16;

interface Cursor {
  readonly segment: Segment;
  readonly position: number;
}

interface Place {
  readonly position: number;
  readonly skipped: number | null;
}

type FileSlice = Omit<LogSlice, 'epochs'>;

/**
 * Reads whole batches for followers out of the segment files. Where the last reads ended is remembered, so that a
 * follower that catches up does not have each segment searched from its beginning again and again.
 */
export class LogReader {
  readonly #log: SegmentedLog;
  readonly #cursors = new Map<Offset, Cursor>();

  constructor(log: SegmentedLog) {
    this.#log = log;
  }

  /** The log was cut: no remembered place means anything now. */
  forget(): void {
    this.#cursors.clear();
  }

  /**
   * Batches from `offset` on that begin below `limit`, about `bytesMax` bytes, at least one; from one segment at a
   * time. None: everything up to `limit` is a gap. Throws `corruptSegment` for bytes that do not check.
   */
  async read(offset: Offset, bytesMax: number, limit: Offset): Promise<FileSlice> {
    let from = offset;
    while (from < limit) {
      const index = this.#log.indexAt(from);
      const segment = this.#log.segments[index] as Segment;
      const isLast = index === this.#log.segments.length - 1;
      const slice = await this.#readSegment(segment, from, bytesMax, limit);
      if (slice !== null) return slice;
      if (isLast) break;
      from = asOffset(Math.max(from, segment.end));
    }
    return { bytes: Buffer.alloc(0), nextOffset: limit };
  }

  async #readSegment(
    segment: Segment,
    offset: Offset,
    bytesMax: number,
    limit: Offset,
  ): Promise<FileSlice | null> {
    const end = segment.length;
    segment.pin();
    try {
      const { position, skipped } = await this.#seek(segment, offset, end);
      if (position >= end) {
        await this.#assertWhole(segment, skipped, end);
        return null;
      }
      let bytes = await segment.load(
        position,
        Math.min(Math.max(bytesMax, BATCH_HEADER_BYTES), end - position),
      );
      const first = checkedHeader(bytes, 0, segment, position);
      if (first.baseOffset > offset) await this.#assertWhole(segment, skipped, end);
      if (first.length > bytes.length) bytes = await this.#load(segment, position, first.length, end);
      // Before it is believed that nothing lies below the limit: a rotten base offset would look like a gap.
      if (!batchCrcHolds(bytes, 0, first)) throw unreadable(segment, position, 'crc');
      if (first.baseOffset >= limit) return null;
      const { length, nextOffset } = wholeBatches(bytes, segment, position, limit);
      this.#remember(nextOffset, { segment, position: position + length });
      return { bytes: bytes.subarray(0, length), nextOffset };
    } finally {
      segment.unpin();
    }
  }

  /** Position of the first batch that ends above `offset`, and of the one before it, of which only the header was looked at. */
  async #seek(segment: Segment, offset: Offset, end: number): Promise<Place> {
    const cursor = this.#cursors.get(offset);
    if (cursor?.segment === segment && cursor.position <= end)
      return { position: cursor.position, skipped: null };
    let position = SEGMENT_HEADER_BYTES;
    let skipped: number | null = null;
    let nextOffset = 0;
    let window: Buffer = Buffer.alloc(0);
    let windowAt = position;
    while (position < end) {
      if (position + BATCH_HEADER_BYTES > windowAt + window.length) {
        window = await segment.load(position, Math.min(LIMITS.scanChunkBytes, end - position));
        windowAt = position;
      }
      const header = checkedHeader(window, position - windowAt, segment, position);
      if (header.baseOffset < nextOffset) throw unreadable(segment, position, 'fields');
      if (nextOffsetOf(header) > offset) break;
      nextOffset = nextOffsetOf(header);
      skipped = position;
      position += header.length;
    }
    return { position, skipped };
  }

  /** A gap is believed only behind a batch that is whole: a rotten header may say that its batch ends where the gap begins. */
  async #assertWhole(segment: Segment, position: number | null, end: number): Promise<void> {
    if (position === null) return;
    const headerBytes = await this.#load(segment, position, BATCH_HEADER_BYTES, end);
    const { length } = checkedHeader(headerBytes, 0, segment, position);
    const bytes = await this.#load(segment, position, length, end);
    if (!batchCrcHolds(bytes, 0, checkedHeader(bytes, 0, segment, position)))
      throw unreadable(segment, position, 'crc');
  }

  async #load(segment: Segment, position: number, length: number, end: number): Promise<Buffer> {
    if (position + length > end) throw unreadable(segment, position, 'short');
    return segment.load(position, length);
  }

  #remember(offset: Offset, cursor: Cursor): void {
    this.#cursors.delete(offset);
    this.#cursors.set(offset, cursor);
    if (this.#cursors.size <= CURSORS_MAX) return;
    for (const oldest of this.#cursors.keys()) {
      this.#cursors.delete(oldest);
      return;
    }
  }
}

/** The batches that are whole in `bytes`, which begins with one, and begin below `limit`. */
function wholeBatches(
  bytes: Buffer,
  segment: Segment,
  position: number,
  limit: Offset,
): { readonly length: number; readonly nextOffset: Offset } {
  let length = 0;
  let nextOffset = asOffset(0);
  while (length + BATCH_HEADER_BYTES <= bytes.length) {
    const header = checkedHeader(bytes, length, segment, position + length);
    if (length + header.length > bytes.length) break;
    if (!batchCrcHolds(bytes, length, header)) throw unreadable(segment, position + length, 'crc');
    if (header.baseOffset >= limit) break;
    length += header.length;
    nextOffset = nextOffsetOf(header);
  }
  return { length, nextOffset };
}

function checkedHeader(bytes: Buffer, at: number, segment: Segment, position: number): BatchHeader {
  const header = readBatchHeader(bytes, at, bytes.length);
  if (typeof header === 'string') throw unreadable(segment, position, header);
  return header;
}

function unreadable(segment: Segment, position: number, fault: BatchFault): CaskadeError {
  return new CaskadeError(
    'corruptSegment',
    `${segment.path}: position ${position}: a batch that a follower asked for cannot be read (${fault}); restore the file from a replica or a backup`,
  );
}
