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
import { formatAddress } from '../model/host-port.ts';
import { asDatabaseId, asOffset, type EpochMillis, type Offset } from '../model/numbers.ts';
import { AppendWait } from './append-wait.ts';
import { Acks, Guarantee, type Version } from './generated/caskade/v1/kv.ts';
import type { KeyValueCall } from './kv-call.ts';
import { InDoubtError, NotLeaderError } from './kv-errors.ts';

export interface KeyValueOperationsParts {
  readonly router: Router;
  /** Who leads what this node does not; null: it leads everything. */
  readonly map: MapSource | null;
  readonly clock: Clock;
}

/** What was found under a key. */
export interface FoundEntry {
  readonly found: boolean;
  /** A copy; empty if it was not asked for. */
  readonly value: Uint8Array;
  /** 0: never. */
  readonly expiresAtMs: number;
  readonly version: Version;
}

export interface WriteAnswer {
  /** False: there was no such key, and nothing was appended. */
  readonly found: boolean;
  readonly version: Version;
  readonly guarantee: Guarantee;
}

/** How one run ends: with an answer, or with what to wait for before the next. */
interface Again {
  readonly again: Promise<void>;
}
type Run<Answer> = Again | { readonly answer: Answer };

/** What the answer to a write waits for. */
interface Appended {
  readonly partition: LeaderPartition;
  /** False: nothing was appended. */
  readonly isOwn: boolean;
  /** Of the own record; else of the newest one of the key, -1: there is none. */
  readonly offset: Offset;
  /** Null: for nothing. */
  readonly wait: AppendWait | null;
}

/** Appends to the partition to which the key was routed. */
type Append = (partition: LeaderPartition, key: KeyView) => Offset;

const DATABASE = asDatabaseId(0);
const NOTHING = new Uint8Array(0);

/**
 * The typed operations on the partitions that this node leads. As with a command of RESP, everything that is decided is
 * decided within one turn: what has to wait waits, and then the whole operation runs again.
 *
 * They reject with CaskadeError: `InDoubtError` for a write that was appended and is not known to be committed, any
 * other code for what was refused, and of which nothing was done.
 */
export class KeyValueOperations {
  readonly #router: Router;
  readonly #map: MapSource | null;
  readonly #clock: Clock;
  readonly #key = new KeyView();
  readonly #entry = new EntryView();

  constructor({ router, map, clock }: KeyValueOperationsParts) {
    this.#router = router;
    this.#map = map;
    this.#clock = clock;
  }

  /** Committed state, confirmed as the newest there is (R3). */
  read(call: KeyValueCall, withValue: boolean): Promise<FoundEntry> {
    return this.#run(call, (partition) => {
      const outcome = partition.readCommitted(DATABASE, this.#key, this.#entry, withValue);
      return (
        this.#unread(call, partition, outcome) ??
        this.#unconfirmed(call, partition) ?? { answer: this.#found(partition, withValue) }
      );
    });
  }

  /** `expiresAtMs`: 0 = never. */
  async set(
    call: KeyValueCall,
    value: Uint8Array,
    expiresAtMs: EpochMillis,
    acks: Acks,
  ): Promise<WriteAnswer> {
    const appended = await this.#run(
      call,
      (partition) =>
        this.#closed(call, partition) ?? {
          answer: this.#append(partition, acks, (into, key) =>
            into.put(DATABASE, key, value, 0, value.length, expiresAtMs),
          ),
        },
    );
    return this.#acknowledged(call, appended, acks);
  }

  delete(call: KeyValueCall, acks: Acks): Promise<WriteAnswer> {
    return this.#change(call, acks, (partition, key) =>
      partition.remove(DATABASE, key, TombstoneReason.deleted),
    );
  }

  /** A time that is over deletes the key. */
  expire(call: KeyValueCall, expiresAtMs: EpochMillis, acks: Acks): Promise<WriteAnswer> {
    return this.#change(call, acks, (partition, key) =>
      expiresAtMs <= this.#clock.wallMs()
        ? partition.remove(DATABASE, key, TombstoneReason.deleted)
        : partition.changeExpiry(DATABASE, key, expiresAtMs),
    );
  }

  // Runs

  /** A write that has nothing to do without the key: then its answer is a read (R3), whatever acks it asked for. */
  async #change(call: KeyValueCall, acks: Acks, append: Append): Promise<WriteAnswer> {
    const appended = await this.#run<Appended>(call, (partition) => {
      const closed = this.#closed(call, partition);
      if (closed !== null) return closed;
      const outcome = partition.readAppended(DATABASE, this.#key, this.#entry, false);
      const unread = this.#unread(call, partition, outcome);
      if (unread !== null) return unread;
      if (this.#entry.found) return { answer: this.#append(partition, acks, append) };
      return this.#unconfirmed(call, partition) ?? { answer: this.#absent(partition) };
    });
    return this.#acknowledged(call, appended, acks);
  }

  async #run<Answer>(
    call: KeyValueCall,
    attempt: (partition: LeaderPartition) => Run<Answer>,
  ): Promise<Answer> {
    for (;;) {
      if (call.deadline.isOver) throw tooLate();
      const run = attempt(this.#route(call));
      if (!('again' in run)) return run.answer;
      if (!(await call.deadline.holds(run.again))) throw tooLate();
    }
  }

  #route({ key }: KeyValueCall): LeaderPartition {
    const partition = this.#router.partitionOf(key, 0, key.length);
    if (partition.isOver) throw this.#elsewhere(key);
    const view = this.#key;
    view.bytes = key;
    view.start = 0;
    view.end = key.length;
    view.hash = partition.hash(key, 0, key.length);
    return partition;
  }

  // What a run may meet; null: nothing

  /** Refusals come before anything is appended; in a congestion writers wait. */
  #closed(call: KeyValueCall, partition: LeaderPartition): Again | null {
    const refusal = partition.writeRefusal();
    if (refusal !== null) throw this.#refused(call, refusal);
    return partition.congestion === null ? null : { again: partition.congestion };
  }

  #unread(call: KeyValueCall, partition: LeaderPartition, outcome: ReadOutcome): Again | null {
    if (outcome === ReadOutcome.ready) return null;
    if (outcome === ReadOutcome.refused) throw this.#refused(call, partition.refusal);
    return { again: partition.suspension };
  }

  /** After everything was read (4.3-10). */
  #unconfirmed(call: KeyValueCall, partition: LeaderPartition): Again | null {
    const arrival = call.arrival(this.#router.arrivals);
    return this.#unread(call, partition, partition.confirmRead(arrival));
  }

  #refused({ key }: KeyValueCall, error: CaskadeError): CaskadeError {
    return error.code === 'notLeader' ? this.#elsewhere(key) : error;
  }

  #elsewhere(key: Uint8Array): CaskadeError {
    const map = this.#map?.map;
    const route = map?.partitionOfSlot(slotOf(key, 0, key.length)) ?? null;
    const leader = route === null ? null : (map?.leaderOf(route) ?? null);
    if (route === null || leader === null || leader.id === this.#map?.self || leader.rpc === null)
      return new CaskadeError('noLeader', 'The partition of the key has no leader now that is known here');
    const { leaderEpoch } = route;
    const address = formatAddress(leader.rpc);
    return new NotLeaderError(
      { node: leader.id, leaderEpoch, address },
      `Partition ${route.id} is led by node ${leader.id} at ${address}`,
    );
  }

  // Answers

  #found(partition: LeaderPartition, withValue: boolean): FoundEntry {
    const { found, bytes, start, end, expiresAtMs, offset } = this.#entry;
    return {
      found,
      value: found && withValue ? Buffer.from(bytes.subarray(start, end)) : NOTHING,
      expiresAtMs: found ? expiresAtMs : 0,
      version: versionOf(partition, asOffset(offset)),
    };
  }

  /** It rests on the newest record of the key, which may not be committed. */
  #absent(partition: LeaderPartition): Appended {
    const { offset, uncommittedOffset } = this.#entry;
    const wait = uncommittedOffset < 0 ? null : new AppendWait(partition, asOffset(uncommittedOffset));
    return { partition, isOwn: false, offset: asOffset(offset), wait };
  }

  #append(partition: LeaderPartition, acks: Acks, append: Append): Appended {
    const offset = append(partition, this.#key);
    const wait = acks === Acks.ACKS_NONE ? null : new AppendWait(partition, offset);
    return { partition, isOwn: true, offset, wait };
  }

  async #acknowledged(call: KeyValueCall, appended: Appended, acks: Acks): Promise<WriteAnswer> {
    const { partition, isOwn, offset } = appended;
    const version = versionOf(partition, offset);
    if (!isOwn) await this.#awaitSeen(call, appended);
    const guarantee = isOwn ? await this.#awaitOwn(call, appended, acks) : Guarantee.GUARANTEE_COMMITTED;
    return { found: isOwn, version, guarantee };
  }

  async #awaitSeen({ deadline }: KeyValueCall, { wait }: Appended): Promise<void> {
    if (wait === null) return;
    await deadline.holds(wait.ended);
    if (wait.outcome === 'committed') return;
    throw new CaskadeError('tryAgain', 'The answer rested on a write that is not known to be committed');
  }

  async #awaitOwn(call: KeyValueCall, { partition, offset, wait }: Appended, acks: Acks): Promise<Guarantee> {
    if (wait === null) return Guarantee.GUARANTEE_LEADER_MEMORY_ONLY;
    const isLeaderEnough = acks === Acks.ACKS_LEADER;
    const enough = isLeaderEnough ? Promise.race([wait.ended, partition.whenFlushed(offset)]) : wait.ended;
    await call.deadline.holds(enough);
    const { outcome } = wait;
    if (outcome === 'committed') return Guarantee.GUARANTEE_COMMITTED;
    if (isLeaderEnough && offset < partition.durableOffset) return Guarantee.GUARANTEE_LEADER_DISK_ONLY;
    // R22: of what was given up before it was sealed nothing was written.
    if (outcome !== null && outcome.code !== 'inDoubt') throw this.#refused(call, outcome);
    const { id, leaderEpoch } = partition;
    const reason = outcome?.message ?? 'the deadline was over before it was known to be committed';
    throw new InDoubtError({ partition: id, leaderEpoch, offset }, reason);
  }
}

function versionOf({ id, leaderEpoch }: LeaderPartition, offset: Offset): Version {
  return { partition: id, leaderEpoch, offset: offset < 0 ? undefined : offset };
}

function tooLate(): CaskadeError {
  return new CaskadeError('tryAgain', 'The deadline was over before anything was done');
}
