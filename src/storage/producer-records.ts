import { CaskadeError } from '../model/errors.ts';
import type { Offset } from '../model/numbers.ts';
import { ExtraId, findExtra } from './format/extras.ts';
import { encodeSnapshotRecord } from './format/producer-snapshot.ts';
import { RecordKind, type RecordView } from './format/record.ts';
import type { Slices } from './slices.ts';

/**
 * What a partition remembers of its producers, as the log sees it (R13, R14): whoever puts records into the log, finds
 * them there at a recovery, commits them or cuts them off, says so here, in log order. `ProducerTable` implements it.
 */
export interface ProducerRecords {
  /** The record at `at` is in the log at `offset`; not yet committed. Does nothing for records that say nothing of producers. */
  recordAppended(offset: Offset, bytes: Uint8Array, at: number, view: RecordView): void;
  /** Everything below the high watermark is committed. */
  commitTo(highWatermark: Offset): void;
  /** Everything from `offset` on never happened. */
  truncateTo(offset: Offset): void;
  /**
   * The value of a snapshot record with all that is committed, in parts, so that its encoder can rest between two. What
   * is committed meanwhile may or may not be in it.
   */
  snapshotParts(): Generator<Uint8Array>;
  /** Nothing is remembered: there is nothing to write a snapshot of. */
  readonly isEmpty: boolean;
}

/** Whether the record at `at`, decoded into `view`, says anything of producers. */
export function speaksOfProducers(bytes: Uint8Array, at: number, view: RecordView): boolean {
  if (view.kind === RecordKind.outcome || view.kind === RecordKind.producerSnapshot) return true;
  return findExtra(bytes, at, view, ExtraId.producer) !== null;
}

/** Where nobody remembers producers, a log that speaks of them must not be served: a retry would be executed twice. */
export const NO_PRODUCERS: ProducerRecords = {
  recordAppended(offset, bytes, at, view) {
    if (!speaksOfProducers(bytes, at, view)) return;
    throw new CaskadeError(
      'futureFormat',
      `the record at offset ${offset} speaks of producers, which nobody here remembers; start the newer version`,
    );
  },
  commitTo() {},
  truncateTo() {},
  *snapshotParts() {},
  isEmpty: true,
};

/**
 * What one merge does with records that speak of producers (C13): the last that surely goes gives its place to a
 * snapshot, which stands for all of them, those above the merge included. Without a table to take a snapshot of, they
 * all are kept.
 */
export class ProducerCarry {
  /** Offset of the record whose place the snapshot takes; what lies above is kept. -1: nothing goes. */
  place = -1;
  readonly #producers: ProducerRecords | undefined;
  readonly #slices: Slices;

  constructor(producers: ProducerRecords | undefined, slices: Slices) {
    this.#producers = producers;
    this.#slices = slices;
  }

  /** No record speaks of producers, or all that do are kept. */
  get hasNothing(): boolean {
    return this.#producers?.isEmpty ?? true;
  }

  async inPlaceOf(offsetDelta: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for (const part of this.#producers?.snapshotParts() ?? []) {
      parts.push(part);
      if (this.#slices.isSpent) await this.#slices.rest();
    }
    return encodeSnapshotRecord(offsetDelta, parts);
  }
}
