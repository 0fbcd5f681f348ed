import {
  EntryView,
  KeyView,
  type LeaderPartition,
  type MapSource,
  ReadOutcome,
  type Router,
  slotOf,
  TombstoneReason,
} from '../cluster/index.ts';
import type { Clock } from '../env/clock.ts';
import { CaskadeError } from '../model/errors.ts';
import { asDatabaseId, asEpochMillis, type EpochMillis, NO_EXPIRY, type Offset } from '../model/numbers.ts';
import { formatAddress } from './address.ts';
import { AppendWait } from './append-wait.ts';
import type { CallDeadline } from './call-deadline.ts';
import { Acks, Guarantee, type Version } from './generated/caskade/v1/kv.ts';
import { InDoubtError, NotLeaderError, type RecordVersion } from './kv-errors.ts';

export interface KeyValueOperationsParts {
  readonly router: Router;
  /** Who leads what this node does not; null: a node that is alone. */
  readonly map: MapSource | null;
  readonly clock: Clock;
}

/** One call of a client, kept over its runs. */
export interface KeyValueCall {
  readonly key: Uint8Array;
  readonly deadline: CallDeadline;
}

/** What was found under a key. The value is a copy. */
export interface FoundEntry {
  readonly found: boolean;
  readonly value: Uint8Array;
  /** 0: never. */
  readonly expiresAtMs: number;
  readonly version: Version;
}

export interface WriteAnswer {
  /** False: there was no such key, and nothing was appended. */
  readonly done: boolean;
  readonly version: Version;
  readonly guarantee: Guarantee;
}

/** Appends to the partition that the key was just routed to. */
type Append = (partition: LeaderPartition, key: KeyView) => Offset;

/** What a look-up found is confirmed or not; or why the call runs again. */
type Run<Answer> = Answer | Promise<void>;

const DATABASE = asDatabaseId(0);
const NOTHING = new Uint8Array(0);

/**
 * The typed operations on the partitions that this node leads. As for a command of RESP everything that is decided is
 * decided within one turn: what has to wait waits, and then the whole operation runs again.
 *
 * All methods reject with CaskadeError: `InDoubtError` for a write that was appended and is not known to be committed;
 * any other code says that nothing was done.
 */
export class KeyValueOperations {
  readonly #parts: KeyValueOperationsParts;
  readonly #key = new KeyView();
  readonly #entry = new EntryView();

  constructor(parts: KeyValueOperationsParts) {
    this.#parts = parts;
  }

  /** Committed state, confirmed as the newest (R3). */
  async read(call: KeyValueCall, withValue: boolean): Promise<FoundEntry> {
    const arrival = this.#newArrival();
    return this.#untilDone(call, (partition) => {
      const outcome = partition.readCommitted(DATABASE, this.#key, this.#entry, withValue);
      // The value first, then the confirmation (4.3-10); the view is good for this turn, the copy for longer.
      return this.#suspended(call, partition, outcome) ?? this.#confirmed(call, partition, arrival) ?? this.#found(partition);
    });
  }

  async set(
    call: KeyValueCall,
    value: Uint8Array,
    expiresAtMs: EpochMillis,
    acks: Acks,
  ): Promise<WriteAnswer> {
    const put: Append = (partition, key) =>
      partition.put(DATABASE, key, value, 0, value.length, expiresAtMs);
    return this.#acknowledged(
      call,
      acks,
      await this.#untilDone(call, (partition) => this.#closed(call, partition) ?? this.#append(partition, put)),
    );
  }
}
