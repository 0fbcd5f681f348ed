import {
  EntryView,
  KeyView,
  type LeaderPartition,
  ReadOutcome,
  type Router,
  TombstoneReason,
} from '../cluster/index.ts';
import type { Clock } from '../env/clock.ts';
import { InvariantError } from '../model/errors.ts';
import { asOffset, type EpochMillis, type Offset } from '../model/numbers.ts';
import type { ArgumentViews } from '../resp/arguments.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import type { ServerPorts } from './ports.ts';
import type { Session } from './session.ts';

/**
 * What a handler works with. One object serves all commands of a connection in turn.
 *
 * A handler never waits. A read that cannot be answered now (a block is on disk, a tombstone is on its way, the
 * session's own last write is not resolved) returns false, the handler returns, and the connection runs the whole
 * command again when `suspension` has resolved. That keeps every command atomic: it runs inside one turn.
 */
export class CommandContext {
  readonly entry = new EntryView();
  readonly args: ArgumentViews;
  readonly reply: ReplyWriter;
  readonly session: Session;
  readonly server: ServerPorts;
  readonly router: Router;
  readonly clock: Clock;

  /** Set when the command must be run again later; the promise never rejects. */
  suspension: Promise<void> | null = null;
  /** What a command that works in slices keeps between two runs; cleared when it is done. */
  progress: unknown = undefined;

  /** What the reply rests on: for each partition touched, the newest uncommitted offset appended or seen. */
  readonly holdPartitions: LeaderPartition[] = [];
  readonly holdOffsets: Offset[] = [];

  readonly #key = new KeyView();
  #grouped: LeaderPartition | null = null;

  constructor(
    args: ArgumentViews,
    reply: ReplyWriter,
    session: Session,
    router: Router,
    server: ServerPorts,
    clock: Clock,
  ) {
    this.args = args;
    this.reply = reply;
    this.session = session;
    this.router = router;
    this.server = server;
    this.clock = clock;
  }

  /** Called before each run of a command. */
  reset(): void {
    this.suspension = null;
    this.holdPartitions.length = 0;
    this.holdOffsets.length = 0;
  }

  // Reads

  /** Committed state of the key in argument `index`, into `entry`. False: return from the handler at once. */
  read(index: number, withValue = true): boolean {
    const partition = this.#route(index);
    if (!this.settled(partition)) return false;
    return this.#after(
      partition.readCommitted(this.session.database, this.#key, this.entry, withValue),
      partition,
    );
  }

  /** Newest appended state of the key in argument `index`, for read-modify-write. False: return at once. */
  readAppended(index: number, withValue = true): boolean {
    const partition = this.#route(index);
    const outcome = partition.readAppended(this.session.database, this.#key, this.entry, withValue);
    if (outcome === ReadOutcome.ready && this.entry.uncommittedOffset >= 0) {
      this.#hold(partition, asOffset(this.entry.uncommittedOffset));
    }
    return this.#after(outcome, partition);
  }

  /** True if the session's own last append to the partition is resolved; else suspends (R11). */
  settled(partition: LeaderPartition): boolean {
    const offset = this.session.appended[partition.id];
    if (offset === undefined || offset < partition.highWatermark) return true;
    this.suspension = partition.whenResolved(asOffset(offset));
    return false;
  }

  /** The same for every partition: before DBSIZE, KEYS, SCAN. */
  allSettled(): boolean {
    return this.router.partitions.every((partition) => this.settled(partition));
  }

  // Appends. The executor has made sure that nothing refuses them.

  put(index: number, value: Uint8Array, start: number, end: number, expiresAtMs: EpochMillis): void {
    const partition = this.#route(index);
    this.#appended(
      partition,
      partition.put(this.session.database, this.#key, value, start, end, expiresAtMs),
    );
  }

  /** Puts argument `valueIndex` under the key in argument `index`. */
  putArgument(index: number, valueIndex: number, expiresAtMs: EpochMillis): void {
    this.put(index, this.args.bytes, this.args.start(valueIndex), this.args.end(valueIndex), expiresAtMs);
  }

  remove(index: number): void {
    const partition = this.#route(index);
    this.#appended(partition, partition.remove(this.session.database, this.#key, TombstoneReason.deleted));
  }

  /** Gives the existing key in argument `index` a new expiry; 0 = none. */
  changeExpiry(index: number, expiresAtMs: EpochMillis): void {
    const partition = this.#route(index);
    this.#appended(partition, partition.changeExpiry(this.session.database, this.#key, expiresAtMs));
  }

  flushDatabase(): void {
    for (const partition of this.router.partitions) {
      this.#appended(partition, partition.flushDatabase(this.session.database));
    }
  }

  /** What `write` appends is one atomic group in the partition of the key in argument `index`. */
  atomically(index: number, write: () => void): void {
    const partition = this.#route(index);
    this.#grouped = partition;
    partition.beginGroup();
    try {
      write();
    } finally {
      partition.endGroup();
      this.#grouped = null;
    }
  }

  /** True if all keys (first, first + step, ... last) lie in one partition; else the CROSSSLOT error is the reply. */
  onePartition(first: number, last: number, step: number): boolean {
    if (this.router.partitions.length === 1) return true;
    const { args } = this;
    const partition = this.router.partitionOf(args.bytes, args.start(first), args.end(first));
    for (let index = first + step; index <= last; index += step) {
      if (this.router.partitionOf(args.bytes, args.start(index), args.end(index)) === partition) continue;
      this.reply.error("CROSSSLOT Keys in request don't hash to the same slot");
      return false;
    }
    return true;
  }

  /** Ends this run; the command runs again once `until` resolved, with `progress` as the handler left it. */
  suspend(until: Promise<void>): void {
    this.suspension = until;
  }

  // Inside

  #route(index: number): LeaderPartition {
    const key = this.#key;
    key.bytes = this.args.bytes;
    key.start = this.args.start(index);
    key.end = this.args.end(index);
    const partition = this.router.partitionOf(key.bytes, key.start, key.end);
    key.hash = partition.hash(key.bytes, key.start, key.end);
    if (this.#grouped !== null && this.#grouped !== partition) {
      throw new InvariantError('an atomic group reached into a second partition');
    }
    return partition;
  }

  #after(outcome: ReadOutcome, partition: LeaderPartition): boolean {
    if (outcome === ReadOutcome.ready) return true;
    if (outcome === ReadOutcome.suspended) this.suspension = partition.suspension;
    else this.reply.error(partition.refusal.respText);
    return false;
  }

  #appended(partition: LeaderPartition, offset: Offset): void {
    this.session.appended[partition.id] = offset;
    partition.listen(this.session);
    this.#hold(partition, offset);
  }

  #hold(partition: LeaderPartition, offset: Offset): void {
    const { holdPartitions, holdOffsets } = this;
    for (let at = 0; at < holdPartitions.length; at += 1) {
      if (holdPartitions[at] !== partition) continue;
      if (offset > (holdOffsets[at] as Offset)) holdOffsets[at] = offset;
      return;
    }
    holdPartitions.push(partition);
    holdOffsets.push(offset);
  }
}
