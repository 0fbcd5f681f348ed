import { CaskadeError } from '../model/errors.ts';
import { asOffset } from '../model/numbers.ts';
import { BatchBuilder } from './batch-builder.ts';
import { type CommittedIndex, IndexedRecord } from './committed-index.ts';
import { batchCrcHolds, readBatchHeader } from './format/batch.ts';
import type { KeyHash } from './keydir/key-hash.ts';
import type { Overlay } from './overlay.ts';
import type { PendingBatch } from './pending-batch.ts';
import type { ProducerRecords } from './producer-records.ts';
import { SegmentRecords } from './segment-records.ts';
import type { SegmentedLog } from './segmented-log.ts';

/** Applies pending batches to the committed index, in offset order. */
export class BatchCommitter {
  readonly #log: SegmentedLog;
  readonly #index: CommittedIndex;
  readonly #records: SegmentRecords;
  readonly #producers: ProducerRecords;
  readonly #record = new IndexedRecord();

  readonly #overlay: Overlay;
  readonly #release: (batch: BatchBuilder) => void;

  constructor(
    parts: {
      readonly log: SegmentedLog;
      readonly index: CommittedIndex;
      readonly hasher: KeyHash;
      readonly producers: ProducerRecords;
    },
    overlay: Overlay,
    release: (batch: BatchBuilder) => void,
  ) {
    this.#log = parts.log;
    this.#index = parts.index;
    this.#records = new SegmentRecords(parts.hasher);
    this.#producers = parts.producers;
    this.#overlay = overlay;
    this.#release = release;
  }

  /** Whether the overlay has taken the next batch apart already: it was appended by the leader that is still here. */
  isOwn(batch: PendingBatch): batch is BatchBuilder {
    return batch instanceof BatchBuilder && this.#overlay.begin === batch.baseOffset;
  }

  /** The next batch in offset order. `bytes` of those that are not its own: checked when they came. */
  commit(batch: PendingBatch, bytes: Buffer | null): void {
    if (this.isOwn(batch)) {
      this.#commitOwn(batch);
      this.#release(batch);
    } else {
      this.#commitBytes(batch, bytes as Buffer);
    }
    this.#producers.commitTo(batch.nextOffset);
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

  #commitOwn(batch: BatchBuilder): void {
    const overlay = this.#overlay;
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

  #commitBytes(batch: PendingBatch, bytes: Buffer): void {
    const segment = this.#log.bySlot(batch.segment);
    const header = readBatchHeader(bytes, 0, bytes.length);
    if (typeof header === 'string') throw unreadable(segment.path, batch.position, header);
    const scanned = { position: batch.position, header, bytes, start: 0 };
    for (const place of this.#records.of(scanned, segment.path, this.#record)) {
      this.#index.apply(this.#record, segment);
      const { view } = this.#records;
      this.#producers.recordAppended(asOffset(this.#record.offset), bytes, place.start, view);
    }
  }
}

function unreadable(path: string, position: number, fault: string): CaskadeError {
  return new CaskadeError(
    'corruptSegment',
    `${path}: position ${position}: a batch that is to be committed cannot be read (${fault}); restore the file from a replica or a backup`,
  );
}
