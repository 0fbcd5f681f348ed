import { CaskadeError } from '../model/errors.ts';
import type { BatchBuilder } from './batch-builder.ts';
import { type CommittedIndex, IndexedRecord } from './committed-index.ts';
import { batchCrcHolds, readBatchHeader } from './format/batch.ts';
import type { KeyHash } from './keydir/key-hash.ts';
import type { Overlay } from './overlay.ts';
import type { PendingBatch } from './pending-batch.ts';
import { SegmentRecords } from './segment-records.ts';
import type { SegmentedLog } from './segmented-log.ts';

/** Applies pending batches to the committed index, in offset order. */
export class BatchCommitter {
  readonly #log: SegmentedLog;
  readonly #index: CommittedIndex;
  readonly #records: SegmentRecords;
  readonly #record = new IndexedRecord();

  constructor(log: SegmentedLog, index: CommittedIndex, hasher: KeyHash) {
    this.#log = log;
    this.#index = index;
    this.#records = new SegmentRecords(hasher);
  }

  /** A batch whose records the overlay has taken apart already: the leader's way. */
  commitOwn(batch: BatchBuilder, overlay: Overlay): void {
    const record = this.#record;
    const segment = this.#log.bySlot(batch.segment);
    const end = batch.nextOffset;
    record.bytes = batch.bytes;
    for (let offset: number = batch.baseOffset; offset < end; offset += 1) {
      record.kind = overlay.kind(offset);
      record.database = overlay.database(offset);
      record.hash = overlay.hash(offset);
      record.offset = offset;
      record.position = batch.position + overlay.position(offset);
      record.length = overlay.length(offset);
      record.expiresAtMs = Math.max(0, overlay.expiresAtMs(offset));
      record.keyStart = overlay.keyStart(offset);
      record.keyEnd = overlay.keyEnd(offset);
      this.#index.apply(record, segment);
    }
    overlay.commitTo(end);
  }

  /** A batch by its bytes, which were checked when they came. */
  commit(batch: PendingBatch, bytes: Buffer): void {
    const segment = this.#log.bySlot(batch.segment);
    const header = readBatchHeader(bytes, 0, bytes.length);
    if (typeof header === 'string') throw unreadable(segment.path, batch.position, header);
    const scanned = { position: batch.position, header, bytes, start: 0 };
    for (const _place of this.#records.of(scanned, segment.path, this.#record)) {
      this.#index.apply(this.#record, segment);
    }
  }

  /** Reads back a batch that is not in memory. Throws `corruptSegment` if it is not what was written. */
  async load(batch: PendingBatch): Promise<Buffer> {
    const segment = this.#log.bySlot(batch.segment);
    const bytes = await segment.load(batch.position, batch.length);
    const header = readBatchHeader(bytes, 0, bytes.length);
    if (typeof header === 'string') throw unreadable(segment.path, batch.position, header);
    const isSame = header.baseOffset === batch.baseOffset && header.length === batch.length;
    if (!isSame || !batchCrcHolds(bytes, 0, header)) throw unreadable(segment.path, batch.position, 'crc');
    return bytes;
  }
}

function unreadable(path: string, position: number, fault: string): CaskadeError {
  return new CaskadeError(
    'corruptSegment',
    `${path}: position ${position}: a batch that is to be committed cannot be read (${fault}); restore the file from a replica or a backup`,
  );
}
