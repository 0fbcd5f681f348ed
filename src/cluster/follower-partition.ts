import type { Clock } from '../env/clock.ts';
import type { CaskadeError } from '../model/errors.ts';
import type { DatabaseId, PartitionId } from '../model/numbers.ts';
import { type EntryView, type KeyView, ReadOutcome } from '../replication/leader-partition.ts';
import type { StaleReads } from '../replication/node/stale-reads.ts';
import { NoPartition } from './no-partition.ts';

/**
 * A partition as one of its followers can serve it: committed values, not the newest, and nothing else. What only the
 * leader can answer is refused with the error that names it.
 */
export class FollowerPartition extends NoPartition {
  override readonly id: PartitionId;
  override readonly isOver = false;
  override suspension: Promise<void> = Promise.resolve();
  readonly #clock: Clock;
  #reads: StaleReads;
  #elsewhere: CaskadeError;

  constructor(id: PartitionId, clock: Clock, reads: StaleReads, elsewhere: CaskadeError) {
    super();
    this.id = id;
    this.#clock = clock;
    this.#reads = reads;
    this.#elsewhere = elsewhere;
  }

  override get refusal(): CaskadeError {
    return this.#elsewhere;
  }

  /** Of the command that runs now: `reads` is fresh enough, `elsewhere` names the leader. */
  serve(reads: StaleReads, elsewhere: CaskadeError): void {
    this.#reads = reads;
    this.#elsewhere = elsewhere;
  }

  override hash(bytes: Uint8Array, start: number, end: number): number {
    return this.#reads.hash(bytes, start, end);
  }

  /** R4: a due key is neither there nor gone before its tombstone is committed, and only the leader can write that. */
  override readCommitted(
    database: DatabaseId,
    key: KeyView,
    entry: EntryView,
    withValue: boolean,
  ): ReadOutcome {
    if (!this.#reads.readCommitted(database, key, entry, withValue)) {
      this.suspension = this.#reads.loaded;
      return ReadOutcome.suspended;
    }
    const isDue = entry.expiresAtMs !== 0 && entry.expiresAtMs <= this.#clock.wallMs();
    return isDue ? ReadOutcome.refused : ReadOutcome.ready;
  }

  /** It is not asked to be the newest. */
  override confirmRead(): ReadOutcome {
    return ReadOutcome.ready;
  }
}
