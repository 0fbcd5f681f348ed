import {
  EntryView,
  KeyView,
  type LeaderPartition,
  ReadOutcome,
  type Router,
  TombstoneReason,
} from '../cluster/index.ts';
import type { Clock } from '../env/clock.ts';
import type { CaskadeError } from '../model/errors.ts';
import { asOffset, type EpochMillis, type Offset } from '../model/numbers.ts';
import type { ArgumentViews } from '../resp/arguments.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import type { DeferredReply } from './deferred-reply.ts';
import { CROSS_SLOT, refusalText, VALUE_TOO_LONG } from './errors.ts';
import type { CommandNumbering } from './numbering.ts';
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
  /** Set when somebody else answers this command: its reply has a place, and comes later. */
  deferred: DeferredReply | null = null;
  /** What a partition refused in this run, before anything was appended. */
  refusal: CaskadeError | null = null;
  /** Of a command that its sender has numbered (R14); stays over its runs. */
  numbering: CommandNumbering | null = null;
  /** What a command that works in slices keeps between two runs; cleared when it is done. */
  progress: unknown = undefined;

  /**
   * What the reply rests on: for each partition touched, the newest uncommitted offset appended or seen. Only the first
   * `holdCount` of both arrays count: they are never shortened, so that a command does not allocate them anew.
   */
  holdCount = 0;
  readonly holdPartitions: LeaderPartition[] = [];
  readonly holdOffsets: Offset[] = [];
  /** Records this run appended. 0 with a hold: the reply is a read that waits for what it saw (R3). */
  appendCount = 0;
  /** True once this run answered with an error. */
  failed = false;
  /** The error, if it has. */
  #failure = '';
  /** Partitions that this run has read from; only the first `touchedCount` count. */
  touchedCount = 0;
  readonly touchedPartitions: LeaderPartition[] = [];

  /** Number of this command among the reads of the node, kept over its runs; 0 = it has not asked for one yet. */
  #arrival = 0;
  readonly #key = new KeyView();
  /** The argument that `#key` and `#partition` stand for; -1 = none yet in this run. */
  #routedIndex = -1;
  #partition: LeaderPartition | null = null;
  /** Where every key is read in this run, whatever the router says; null: as it says. */
  #only: LeaderPartition | null = null;
  #grouping = false;
  readonly #grouped: LeaderPartition[] = [];

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
    if (this.suspension === null) this.#arrival = 0;
    this.suspension = null;
    this.deferred = null;
    this.refusal = null;
    this.holdCount = 0;
    this.touchedCount = 0;
    this.appendCount = 0;
    this.failed = false;
    this.#routedIndex = -1;
    this.#only = null;
  }

  /** Answers with an error; `text` begins with the prefix. */
  fail(text: string): void {
    this.failed = true;
    this.#failure = text;
    this.server.counters.countError(text);
    this.reply.error(text);
  }

  /**
   * Answers with what a partition refused before anything was appended. One that is led elsewhere by now refuses
   * nothing: the command is placed again.
   */
  refuse(partition: LeaderPartition, error: CaskadeError): void {
    this.refusal = error;
    if (partition.isOver && error.code === 'notLeader') this.suspend(this.clock.yieldTurn());
    else this.fail(refusalText(error));
  }

  /** In this run every key is read in `partition`: where it is placed it is known that all lie there. */
  readFrom(partition: LeaderPartition): void {
    this.#only = partition;
    this.#routedIndex = -1;
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
    this.#touch(partition);
    const outcome = partition.readAppended(this.session.database, this.#key, this.entry, withValue);
    if (outcome === ReadOutcome.ready && this.entry.uncommittedOffset >= 0) {
      this.#hold(partition, asOffset(this.entry.uncommittedOffset));
    }
    return this.#after(outcome, partition);
  }

  /** Counts the key that was just read as a hit or a miss. */
  countLookup(): void {
    if (this.entry.found) this.server.counters.keyspaceHits += 1;
    else this.server.counters.keyspaceMisses += 1;
  }

  /** The value in `entry` is the reply; nil if there is none. */
  replyValue(): void {
    const { entry, reply } = this;
    if (entry.found) reply.bulk(entry.bytes, entry.start, entry.end);
    else reply.nil();
  }

  /** True if a value of `length` bytes may be stored; else the error is the reply. */
  fits(length: number): boolean {
    if (length <= this.server.valueBytesMax) return true;
    this.fail(VALUE_TOO_LONG);
    return false;
  }

  /** True if the session's own last append to the partition is resolved; else suspends (R11). */
  settled(partition: LeaderPartition): boolean {
    this.#touch(partition);
    const unresolved = this.#unresolvedIn(partition);
    if (unresolved === null) return true;
    this.suspension = unresolved;
    return false;
  }

  /** Resolves when one of the session's own writes is resolved that is not yet, here or elsewhere; null: all are. */
  unresolved(): Promise<void> | null {
    for (const partition of this.router.partitions) {
      const unresolved = this.#unresolvedIn(partition);
      if (unresolved !== null) return unresolved;
    }
    return this.session.forwarded?.whenAllAnswered() ?? null;
  }

  /** The same for every partition: before DBSIZE, KEYS, SCAN. */
  allSettled(): boolean {
    for (const partition of this.router.partitions) if (!this.settled(partition)) return false;
    return true;
  }

  /**
   * True if what this run has read may be answered as the newest there is, in every partition it read from (R3); else
   * what was written from `start` on is taken back, and the command is suspended, or the refusal is the reply. The
   * executor asks at the end of a run that appended nothing. A handler that appends to one partition on what it read of
   * another asks before its first append: after that a command cannot run again.
   *
   * A record that the reply waits for does not stand in for this: word of its commit may come late, from followers who
   * have a new leader by now.
   */
  confirmed(start = this.reply.position): boolean {
    if (this.#arrival === 0) this.#arrival = this.router.arrivals.next();
    for (let at = 0; at < this.touchedCount; at += 1) {
      const partition = this.touchedPartitions[at] as LeaderPartition;
      const outcome = partition.confirmRead(this.#arrival);
      if (outcome === ReadOutcome.ready) continue;
      this.reply.rewind(start);
      this.holdCount = 0;
      if (this.failed) this.server.counters.takeBackError(this.#failure);
      this.failed = false;
      return this.#after(outcome, partition);
    }
    return true;
  }

  // Appends. The executor has made sure that nothing refuses them.

  put(index: number, value: Uint8Array, start: number, end: number, expiresAtMs: EpochMillis): void {
    const partition = this.#target(index);
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
    const partition = this.#target(index);
    this.#appended(partition, partition.remove(this.session.database, this.#key, TombstoneReason.deleted));
  }

  /** Gives the existing key in argument `index` a new expiry; 0 = none. */
  changeExpiry(index: number, expiresAtMs: EpochMillis): void {
    const partition = this.#target(index);
    this.#appended(partition, partition.changeExpiry(this.session.database, this.#key, expiresAtMs));
  }

  flushDatabase(): void {
    for (const partition of this.router.partitions) {
      this.numbering?.begin();
      this.#appended(partition, partition.flushDatabase(this.session.database));
    }
  }

  /** The numbered command has run: its outcome goes into the log, and its reply rests on that. */
  endNumbered(numbering: CommandNumbering): void {
    this.#appended(numbering.partition, numbering.end());
  }

  /** What is appended until `endGroup` is one atomic group in each partition it goes to. Pair them by try and finally. */
  beginGroup(): void {
    this.#grouping = true;
  }

  endGroup(): void {
    this.#grouping = false;
    for (const partition of this.#grouped) partition.endGroup();
    this.#grouped.length = 0;
  }

  /** True if all keys (first, first + step, ... last) lie in one partition; else the CROSSSLOT error is the reply. */
  onePartition(first: number, last: number, step: number): boolean {
    const { args, router } = this;
    const partition = router.partitionOf(args.bytes, args.start(first), args.end(first));
    for (let index = first + step; index <= last; index += step) {
      if (router.partitionOf(args.bytes, args.start(index), args.end(index)) === partition) continue;
      this.fail(CROSS_SLOT);
      return false;
    }
    return true;
  }

  /** The partition of the key in argument `index`. */
  partitionOf(index: number): LeaderPartition {
    return this.#route(index);
  }

  /** Hash of the key in argument `index` in its partition. */
  hashOf(index: number): number {
    this.#route(index);
    return this.#key.hash;
  }

  /** Ends this run; the command runs again once `until` resolved, with `progress` as the handler left it. */
  suspend(until: Promise<void>): void {
    this.suspension = until;
  }

  // Inside

  #unresolvedIn(partition: LeaderPartition): Promise<void> | null {
    const offset = this.session.appended[partition.id];
    if (offset === undefined || offset < partition.highWatermark) return null;
    // It was taken back (R22: refused).
    if (offset >= partition.logEndOffset) return null;
    // Nothing will be resolved there any more, and no read of it is answered.
    return partition.isOver ? null : partition.whenResolved(asOffset(offset));
  }

  #route(index: number): LeaderPartition {
    if (index === this.#routedIndex) return this.#partition as LeaderPartition;
    const key = this.#key;
    const { args } = this;
    key.bytes = args.bytes;
    key.start = args.start(index);
    key.end = args.end(index);
    const partition = this.#only ?? this.router.partitionOf(key.bytes, key.start, key.end);
    key.hash = partition.hash(key.bytes, key.start, key.end);
    this.#routedIndex = index;
    this.#partition = partition;
    return partition;
  }

  /** The partition to append argument `index` to, with its group begun if one is wanted. */
  #target(index: number): LeaderPartition {
    const partition = this.#route(index);
    // A numbered command is one group in any case.
    if (this.numbering !== null) this.numbering.begin();
    else if (this.#grouping && !this.#grouped.includes(partition)) {
      partition.beginGroup();
      this.#grouped.push(partition);
    }
    return partition;
  }

  #touch(partition: LeaderPartition): void {
    const { touchedPartitions, touchedCount } = this;
    if (touchedCount > 0 && touchedPartitions[touchedCount - 1] === partition) return;
    for (let at = 0; at < touchedCount; at += 1) if (touchedPartitions[at] === partition) return;
    touchedPartitions[touchedCount] = partition;
    this.touchedCount = touchedCount + 1;
  }

  #after(outcome: ReadOutcome, partition: LeaderPartition): boolean {
    if (outcome === ReadOutcome.ready) return true;
    if (outcome === ReadOutcome.suspended) this.suspension = partition.suspension;
    else this.refuse(partition, partition.refusal);
    return false;
  }

  #appended(partition: LeaderPartition, offset: Offset): void {
    this.appendCount += 1;
    this.session.appended[partition.id] = offset;
    partition.listen(this.session);
    this.#hold(partition, offset);
  }

  #hold(partition: LeaderPartition, offset: Offset): void {
    const { holdPartitions, holdOffsets, holdCount } = this;
    for (let at = 0; at < holdCount; at += 1) {
      if (holdPartitions[at] !== partition) continue;
      if (offset > (holdOffsets[at] as Offset)) holdOffsets[at] = offset;
      return;
    }
    holdPartitions[holdCount] = partition;
    holdOffsets[holdCount] = offset;
    this.holdCount = holdCount + 1;
  }
}
