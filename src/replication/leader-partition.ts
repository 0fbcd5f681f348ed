import type { CaskadeError } from '../model/errors.ts';
import type { DatabaseId, EpochMillis, LeaderEpoch, Offset, PartitionId } from '../model/numbers.ts';
import type { ProducerNote } from '../model/producer.ts';

/** A key as a view into received bytes, with its hash. One object is reused; never keep it over a turn. */
export class KeyView {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Seeded hash of the key in its partition. */
  hash = 0;
}

/** What a read found. One object is reused; the bytes stay valid for the current turn only. */
export class EntryView {
  /** False: the key does not exist. */
  found = false;
  /** The value's bytes lie in `bytes[start, end)`; only filled in when the value was asked for. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Length of the value; only filled in when the value was asked for. */
  valueLength = 0;
  /** When the key is due; 0 = never. */
  expiresAtMs = 0;
  /**
   * Offset of the newest record of this key, if that record is not yet committed; else -1. A reply that rests
   * on it must wait for its commit (R3).
   */
  uncommittedOffset = -1;
  /** Offset of the newest record seen: the key's version. -1 for a key never written. */
  offset = -1;
}

/** How a read of a partition went. `suspended`: run the whole command again once `suspension` resolved. */
export const ReadOutcome = { ready: 0, suspended: 1, refused: 2 } as const;
export type ReadOutcome = (typeof ReadOutcome)[keyof typeof ReadOutcome];

/** Why a tombstone was written (docs/FORMATS.md). */
export const TombstoneReason = { deleted: 0, expired: 1, evicted: 2 } as const;
export type TombstoneReason = (typeof TombstoneReason)[keyof typeof TombstoneReason];

/**
 * Who appended and waits. Told once per sealed batch it has records in, not once per record; which of its
 * records are resolved follows from the partition's high watermark.
 */
export interface CommitListener {
  committed(partition: LeaderPartition): void;
  /**
   * Everything this listener appended at `firstOffset` or above, and was not told of before, is given up: in doubt for ever
   * if the error's code is `inDoubt`; any other code says that nothing of it was written, and that a retry is safe.
   */
  inDoubt(partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void;
}

/** A write command that its producer has numbered (R14). */
export interface NumberedCommand extends Pick<ProducerNote, 'producer' | 'sequence'> {
  /** The producer sent this sequence before. */
  readonly isRetry: boolean;
}

/**
 * What becomes of a numbered command. `execute`: it was never executed. `join`: it lies in the log at `offset` and is
 * not committed: wait until that is resolved, then ask again; in doubt if nobody can be asked any more (R13). `answer`:
 * it was done; `outcome` is what its sender was to be told, null if that was not kept. `refuse`: the error says whether
 * it may be sent again: `tryAgain` for a forwarder's command that came before an earlier one, `inDoubt` for what is
 * older than all that is remembered. `suspended`: what was inherited is not committed, so nothing can be said yet; ask
 * again after `suspension`.
 */
export type Admission =
  | { readonly verdict: 'execute' }
  | { readonly verdict: 'join'; readonly offset: Offset }
  | { readonly verdict: 'answer'; readonly offset: Offset; readonly outcome: Uint8Array | null }
  | {
      readonly verdict: 'refuse';
      readonly error: CaskadeError;
      /** Where a forwarder has left a gap: the number that the log waits for. */
      readonly expected?: number;
    }
  | { readonly verdict: 'suspended' };

export type ScannedKey = (bytes: Uint8Array, start: number, end: number) => void;

export interface PartitionStats {
  readonly leaderEpoch: LeaderEpoch;
  readonly logStartOffset: Offset;
  readonly logEndOffset: Offset;
  readonly highWatermark: Offset;
  readonly isr: readonly number[];
  /** Of all databases. */
  readonly keyCount: number;
  readonly segmentCount: number;
  readonly segmentBytes: number;
  readonly deadBytes: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly cacheBytes: number;
  readonly keydirBytes: number;
  readonly expiredKeys: number;
  readonly expiryLagMs: number;
  /** Numbered commands that were answered with what was remembered of them (R14). */
  readonly answeredRetries: number;
  readonly merges: number;
  readonly flushes: number;
  readonly unflushedBytes: number;
  readonly fencedReason: string;
  readonly reads: ReadPathStats;
}

/** By which path reads were confirmed, since this leader's epoch began (PROTOCOL 4.5). */
export interface ReadPathStats {
  readonly byLease: number;
  readonly byReadIndex: number;
  readonly byVersionCheck: number;
  readonly refused: number;
  /** Of the lease, now; Infinity where nobody else can be elected, and 0 without a lease. */
  readonly leaseRemainingMs: number;
}

/** One partition as its leader serves it: what commands may ask and do. All calls are synchronous. */
export interface LeaderPartition {
  readonly id: PartitionId;
  readonly leaderEpoch: LeaderEpoch;
  /** This leadership has ended: everything is refused, and nothing is committed by it any more. */
  readonly isOver: boolean;
  /** Every offset below it is committed. */
  readonly highWatermark: Offset;
  /** Everything below it is on this leader's own disk. */
  readonly durableOffset: Offset;
  /** Where the next record will stand. An append that found no memory takes back what its group had appended. */
  readonly logEndOffset: Offset;
  /** Why the last read was suspended: resolves when the command is worth running again. Never rejects. */
  readonly suspension: Promise<void>;
  /** Why the last read was refused. */
  readonly refusal: CaskadeError;

  hash(bytes: Uint8Array, start: number, end: number): number;

  /** Committed state. A due key gets its tombstone first (R4), which suspends. */
  readCommitted(database: DatabaseId, key: KeyView, entry: EntryView, withValue: boolean): ReadOutcome;
  /** Newest appended state, for read-modify-write. A due key is absent, and its tombstone appended. */
  readAppended(database: DatabaseId, key: KeyView, entry: EntryView, withValue: boolean): ReadOutcome;

  /**
   * Whether what was read of this partition may be answered as the newest there is (R3, L4, 4.2-2, R9). To be called
   * after everything was read (4.3-10), by every command that read here and appended nothing here. `arrival` comes from
   * the node's `ReadArrivals`, taken when the command asked first and kept over its runs. `suspended`: take the reply
   * back and run the command again; `refused`: `refusal` is the answer.
   */
  confirmRead(arrival: number): ReadOutcome;

  /** Why nothing may be appended now (refused before append: safe to retry), or null. */
  writeRefusal(): CaskadeError | null;
  /** Not null while too much is appended and not yet on disk: writers wait for it, then look again. */
  readonly congestion: Promise<void> | null;
  /** Records appended between the two calls are one atomic group; they lie in one batch. */
  beginGroup(): void;
  endGroup(): void;
  put(
    database: DatabaseId,
    key: KeyView,
    value: Uint8Array,
    start: number,
    end: number,
    expiresAtMs: EpochMillis,
  ): Offset;
  remove(database: DatabaseId, key: KeyView, reason: TombstoneReason): Offset;
  /** A metadata-only record: a new expiry (0 = none) for the key's present value. The key must exist. */
  changeExpiry(database: DatabaseId, key: KeyView, expiresAtMs: EpochMillis): Offset;
  /** FLUSHDB: one control record (R15). */
  flushDatabase(database: DatabaseId): Offset;

  /** R14. An answer from here needs no `confirmRead`: what was once committed stays so. */
  admit(command: NumberedCommand): Admission;
  /**
   * A command that was admitted to be executed begins: after all its look-ups, in the turn in which it was admitted,
   * and where `writeRefusal` has nothing to say. What is appended until `endCommand` is one atomic group. `outcome`,
   * where it is known so early, lies in the first of the records; else it costs one more.
   */
  beginCommand(command: NumberedCommand, outcome?: Uint8Array): void;
  /**
   * In the same turn. A command that appended nothing leaves a record nevertheless. Returns the newest offset of the
   * command: what its sender is told waits for that.
   */
  endCommand(outcome: Uint8Array): Offset;

  /** Registers for the outcome of what was appended in this turn. Cheap to call again for the same batch. */
  listen(listener: CommitListener): void;
  /** Resolves once `offset` is committed or in doubt. Never rejects. */
  whenResolved(offset: Offset): Promise<void>;
  /**
   * acks=leader (L10): resolves once `offset` is on this leader's own disk, or given up; look at `durableOffset` then.
   * Never rejects.
   */
  whenFlushed(offset: Offset): Promise<void>;

  /** Committed keys, due ones included until their tombstone is committed. */
  keyCount(database: DatabaseId): number;
  expiringKeyCount(database: DatabaseId): number;
  /**
   * Visits committed keys in hash order from `position` (0 at first) on, about `countMax` of them, always all keys of
   * one hash together. Returns the next position, or 0 when done. Positions are below 2^33 and survive growth,
   * merge and restart: a key present during a whole scan is visited.
   */
  scan(database: DatabaseId, position: number, countMax: number, visit: ScannedKey): number;

  stats(): PartitionStats;
  /** Starts a merge of everything sealed, whatever its dead ratio; resolves when done. */
  mergeNow(): Promise<void>;
}
