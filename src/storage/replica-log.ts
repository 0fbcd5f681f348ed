import type { LeaderEpoch, Offset } from '../model/numbers.ts';
import type { EpochEnd, EpochStart } from './epoch-cache.ts';
import type { RecoveryReport } from './recovery.ts';

/** Whole batches for a follower, with what it must ask for next. */
export interface LogSlice {
  readonly bytes: Uint8Array;
  /**
   * Offset after the last batch; past the gaps that a merge left behind it (C8). Equal to the offset asked for: there
   * is nothing, or what was read means nothing any more.
   */
  readonly nextOffset: Offset;
  /**
   * Epochs that began at or above the offset asked for and below `nextOffset`. They travel with the bytes: a merge may
   * have taken every record of an epoch, and who does not know it answers a third replica wrongly (C8).
   */
  readonly epochs: readonly EpochStart[];
}

export interface AppendFetchedOptions {
  /**
   * Where the leader was asked from: bytes that begin elsewhere than where the log ends are refused (`corruptSegment`),
   * for a gap between would look like one that a merge left.
   */
  readonly fromOffset?: Offset;
  readonly deferSync?: boolean;
  /** The epochs that came with the bytes (`LogSlice.epochs`). */
  readonly epochs?: readonly EpochStart[];
}

/**
 * What replication asks of the storage of one partition, in either role (`PartitionStore` implements it). Methods that
 * return a promise are called one at a time, from the partition's serial queue, except `readLog`.
 *
 * Three marks, never decreasing but by `truncateTo`: committed <= durable <= sealed <= log end. Below `committedOffset`
 * records are in the committed index; between it and the log end they are pending, in memory as batches.
 */
export interface ReplicaLog {
  readonly directory: string;
  readonly directoryId: string;
  readonly partitionUuid: string;
  readonly report: RecoveryReport;
  /** False: something that was acknowledged under this directory may be missing (R6). Kept in META until `clearLossy`. */
  readonly isWhole: boolean;

  readonly committedOffset: Offset;
  readonly durableOffset: Offset;
  /** Everything below it may be fetched: it will not change, though it may not be on this disk yet. */
  readonly sealedOffset: Offset;
  readonly logEndOffset: Offset;
  readonly logStartOffset: Offset;
  /** Highest offset of any tombstone ever removed here; -1: none (C5). */
  readonly removedFloor: number;
  /** Merges since the log was opened that left out tombstones, above or below that floor (C5). */
  readonly removalCount: number;
  /** Epoch of the last record of the log, 0 for an empty one: a follower's lastFetchedEpoch (KAFKA-15510). */
  readonly lastEpoch: LeaderEpoch;
  /** Latest entry of the epoch cache; 0: none. Never follow or lead in a lower one (L6). */
  readonly latestEpoch: LeaderEpoch;
  /** Step 2 of PROTOCOL 2.6 over the epoch cache. */
  epochEnd(epoch: LeaderEpoch): EpochEnd;

  // Leader

  /** (epoch, log end) is durable in the epoch cache when it resolves (KAFKA-7415); appends then carry the epoch. */
  beginEpoch(epoch: LeaderEpoch): Promise<void>;
  /**
   * Leaves the leader's role: what is not sealed is forgotten as if it had never been (R22). Returns the offset from which on
   * records were forgotten: what lies below it, down to the high watermark, is in doubt.
   */
  endEpoch(): Offset;

  // Follower

  /**
   * Checks the batches (CRC of each, epochs and offsets in order, base >= log end: I4), writes and syncs them, and then
   * stands at `nextOffset`. A new epoch is durable in the epoch cache before its first batch is. Throws
   * `corruptSegment` for bytes that do not check: nothing was written. In a rebuild (`deferSync`) nothing is synced
   * before `syncNow`.
   */
  appendFetched(bytes: Uint8Array, nextOffset: Offset, options?: AppendFetchedOptions): Promise<void>;
  /**
   * Cuts the log and the epoch cache back to `offset`, durably; the cache also when the log ends below it already
   * (KAFKA-10706). Throws an InvariantError below `committedOffset` (I3), and `resync needed` is the caller's decision
   * before; `diskFull` when it has changed nothing, and may be called again.
   */
  truncateTo(offset: Offset): Promise<void>;

  // Both

  /**
   * Everything below the high watermark moves into the committed index. Null: done. A promise: batches had to be read
   * from the disk first, or are so many that one turn of the event loop is not enough; a call meanwhile raises the goal
   * and gets the same promise.
   */
  commitTo(highWatermark: Offset): Promise<void> | null;
  /**
   * Up to about `bytesMax` bytes (at least one batch) of sealed batches from `offset` on, which is a batch border or
   * lies in a gap. From memory, at once, where they are still there; else from the files, whose segments stay pinned
   * meanwhile (C12). `offset` >= logStartOffset and <= sealedOffset.
   */
  readLog(offset: Offset, bytesMax: number): LogSlice | Promise<LogSlice>;
  syncNow(): Promise<void>;
  /**
   * This log was copied from one whose removed floor is `floor`: it lacks the same tombstones (C5). Durable; a lower
   * one changes nothing.
   */
  raiseRemovedFloor(floor: number): Promise<void>;
  /** Makes the present committed offset durable in META: the next recovery indexes that far (and R19 cuts nothing below it). */
  saveMeta(): Promise<void>;
  /** The replica is a member again under its present life: what it lost has been fetched anew. Durable. */
  clearLossy(): Promise<void>;
  close(): Promise<void>;
  /** Closes the files and leaves everything as it is. */
  abandon(): Promise<void>;
}
