import { CaskadeError } from '../model/errors.ts';
import type { ScannedBatch } from './batch-scan.ts';
import type { IndexedRecord } from './committed-index.ts';
import { BATCH_HEADER_BYTES } from './format/batch.ts';
import { RecordKind, RecordView } from './format/record.ts';
import type { KeyHash } from './keydir/key-hash.ts';

/** Where a record of a batch lies in the batch's bytes. */
export interface RecordPlace {
  readonly start: number;
  readonly end: number;
}

/**
 * Walks over the records of a batch whose CRC holds, filling `record` for each. A record that does not add up inside such a
 * batch was written by a newer version or by a bug, never by a crash.
 */
export class SegmentRecords {
  readonly #hasher: KeyHash;
  /** The record that was yielded last. */
  readonly view = new RecordView();

  constructor(hasher: KeyHash) {
    this.#hasher = hasher;
  }

  *of(batch: ScannedBatch, path: string, record: IndexedRecord): Generator<RecordPlace> {
    const { view } = this;
    const end = batch.start + batch.header.length;
    let at = batch.start + BATCH_HEADER_BYTES;
    for (let count = 0; count < batch.header.count; count += 1) {
      const fault = view.decode(batch.bytes, at, end, false);
      if (fault !== null) throw this.#unreadable(fault, path, batch, at);
      record.kind = view.kind;
      record.flags = view.flags;
      record.database = view.database;
      record.offset = batch.header.baseOffset + view.offsetDelta;
      record.position = batch.position + at - batch.start;
      record.length = view.length;
      record.expiresAtMs = view.expiresAtMs;
      record.bytes = batch.bytes;
      record.keyStart = view.keyStart;
      record.keyEnd = view.keyEnd;
      record.hash = hasKey(view.kind) ? this.#hasher.hash(batch.bytes, view.keyStart, view.keyEnd) : 0;
      const start = at;
      at += view.length;
      yield { start, end: at };
    }
  }

  #unreadable(fault: string, path: string, batch: ScannedBatch, at: number): CaskadeError {
    const position = batch.position + at - batch.start;
    if (fault === 'kind' || fault === 'flags' || fault === 'codec') {
      return new CaskadeError(
        'futureFormat',
        `${path}: position ${position}: a record of a kind or form this version does not know was written by a newer Caskade; start the newer version`,
      );
    }
    return new CaskadeError(
      'corruptSegment',
      `${path}: position ${position}: a record in a valid batch does not add up (${fault})`,
    );
  }
}

function hasKey(kind: number): boolean {
  return kind === RecordKind.put || kind === RecordKind.tombstone || kind === RecordKind.expiryChange;
}
