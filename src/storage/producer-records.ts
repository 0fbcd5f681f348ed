import type { Offset } from '../model/numbers.ts';
import type { RecordView } from './format/record.ts';

/**
 * What a partition remembers of its producers, as the log sees it (R13, R14): whoever puts records into the log, finds them there at a recovery, commits them
 * or cuts them off, says so here, in log order. `ProducerTable` implements it.
 */
export interface ProducerRecords {
  /** The record at `at` is in the log at `offset`; not yet committed. Does nothing for records that say nothing of producers. */
  recordAppended(offset: Offset, bytes: Uint8Array, at: number, view: RecordView): void;
  /** Everything below the high watermark is committed. */
  commitTo(highWatermark: Offset): void;
  /** Everything from `offset` on never happened. */
  truncateTo(offset: Offset): void;
  /**
   * The value of a snapshot record with all that is committed, in parts, so that its encoder can rest between two. What is committed
   * meanwhile may or may not be in it.
   */
  snapshotParts(): Generator<Uint8Array>;
  /** Nothing is remembered: there is nothing to write a snapshot of. */
  readonly isEmpty: boolean;
}
