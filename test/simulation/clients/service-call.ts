import {
  type CommitListener,
  EntryView,
  KeyView,
  type LeaderPartition,
  type NumberedCommand,
  ReadOutcome,
  TombstoneReason,
} from '../../../src/cluster/index.ts';
import { CaskadeError } from '../../../src/model/errors.ts';
import {
  asDatabaseId,
  asEpochMillis,
  asOffset,
  type EpochMillis,
  NO_EXPIRY,
  type NodeId,
  type Offset,
  type PartitionId,
} from '../../../src/model/numbers.ts';
import { type Action, isRead, keysOf, type Outcome, Replies } from '../checkers/history.ts';
import type { ServiceNode } from './service-node.ts';

export interface ServiceRequest {
  readonly partition: PartitionId;
  readonly action: Action;
  readonly consistency: 'leader' | 'follower';
  /** A command that appended nothing by then is answered TRYAGAIN. */
  readonly deadlineMs: number;
  /** Of a read from a follower. */
  readonly stalenessMsMax: number;
  /** Of a command that its producer has numbered; never of a read. */
  readonly numbered?: NumberedCommand;
}

export interface ServiceAnswer {
  readonly outcome: Outcome;
  readonly leaderHint: NodeId | null;
  /** It was in the log already, and had to wait. */
  readonly hasJoined: boolean;
}

const DATABASE = asDatabaseId(0);
const NOT_LEADER = new CaskadeError('notLeader', 'this node does not lead the partition');

/**
 * One command on one node, run as the command layer runs it: refused before anything is appended, run again after a
 * suspension, its reply held until its own record or the newest it saw is committed, and confirmed as a read if nothing
 * of its own backs it (R3).
 */
export class ServiceCall implements CommitListener {
  readonly #node: ServiceNode;
  readonly #request: ServiceRequest;
  readonly #respond: (answer: ServiceAnswer) => void;
  readonly #entry = new EntryView();
  readonly #key = new KeyView();
  #isDone = false;
  #arrival = 0;
  #wallMs = 0;
  #version = -1;
  /** Newest uncommitted record that this run saw; -1: none. */
  #seen = -1;
  /** Newest and first record that it appended; -1: none. */
  #own = -1;
  #ownFirst = -1;
  #reply = '';
  /** The numbered command that was admitted has begun. */
  #hasBegun = false;
  /** It was found in the log once: what becomes of that nobody can say but the log. */
  #hasJoined = false;

  constructor(node: ServiceNode, request: ServiceRequest, respond: (answer: ServiceAnswer) => void) {
    this.#node = node;
    this.#request = request;
    this.#respond = respond;
  }

  /** A command that never appends; the others are reads only by what they find (R3). */
  get isPlainRead(): boolean {
    return isRead(this.#request.action);
  }

  /** Asked at the end of every run that appended nothing. */
  confirmRead(partition: LeaderPartition): ReadOutcome {
    if (this.#arrival === 0) this.#arrival = this.#node.arrivals.next();
    return partition.confirmRead(this.#arrival);
  }

  /** R12: the newest record of the key, committed or not, is the one of this offset; -1: there was none. */
  isUnchanged(partition: LeaderPartition, key: string, version: number): boolean {
    const entry = new EntryView();
    partition.readAppended(DATABASE, this.viewOf(partition, key), entry, false);
    return entry.offset === version;
  }

  /** Of the newest committed record of the key; -1: there is none. */
  committedVersion(partition: LeaderPartition, key: string): number {
    const entry = new EntryView();
    partition.readCommitted(DATABASE, this.viewOf(partition, key), entry, false);
    return entry.offset;
  }

  start(): void {
    if (this.#request.consistency === 'follower') {
      this.#readStale();
      return;
    }
    this.#node.clock.setTimer(this.#request.deadlineMs, () => {
      if (this.#own < 0) this.#refuse('tryAgain: deadline');
    });
    this.#run();
  }

  committed(partition: LeaderPartition): void {
    if (this.#own >= 0 && this.#own < partition.highWatermark) this.#finish();
  }

  inDoubt(_partition: LeaderPartition, firstOffset: Offset, error: CaskadeError): void {
    if (this.#own < firstOffset) return;
    // Of an atomic group the beginning tells: it lies in one batch with the rest.
    if (error.code === 'inDoubt' || this.#ownFirst < firstOffset) {
      this.#doubt(error.message);
    } else this.#refuse(`${error.code}: ${error.message}`);
  }

  #readStale(): void {
    const { partition, action, stalenessMsMax } = this.#request;
    const read = this.#node.followerRead(partition, action, stalenessMsMax);
    if (read.kind === 'refused') this.#refuse('notFollower');
    else if (read.kind === 'reply') this.#answer({ kind: 'done', reply: read.reply });
    else void read.until.then(() => this.#readStale());
  }

  #run(): void {
    if (this.#isDone) return;
    const partition = this.#node.lead(this.#request.partition);
    if (partition === null) {
      this.#refuse(`${NOT_LEADER.code}: ${NOT_LEADER.message}`);
      return;
    }
    this.#seen = -1;
    this.#wallMs = this.#node.clock.wallMs();
    const state = this.#isAdmitted(partition) ? this.#execute(partition) : 'answered';
    if (state === 'suspended') this.#runAfter(partition.suspension);
    else if (state === 'congested') this.#runAfter(partition.congestion ?? Promise.resolve());
    else if (state === 'refused') this.#refuse(`${partition.refusal.code}: ${partition.refusal.message}`);
    else if (state === 'ready') this.#await(partition);
  }

  /** R14. False: it is not executed now, and everything else was seen to. */
  #isAdmitted(partition: LeaderPartition): boolean {
    const { numbered } = this.#request;
    if (numbered === undefined) return true;
    const admission = partition.admit(numbered);
    switch (admission.verdict) {
      case 'execute':
        return true;
      case 'answer':
        this.#answer({ kind: 'done', reply: Buffer.from(admission.outcome ?? '').toString('latin1') });
        return false;
      case 'join':
        this.#join(partition, admission.offset);
        return false;
      case 'refuse':
        if (admission.error.code === 'inDoubt') this.#doubt(admission.error.message);
        else this.#refuse(`${admission.error.code}: ${admission.error.message}`);
        return false;
      case 'suspended':
        this.#runAfter(partition.suspension);
        return false;
    }
  }

  /** Not committed when the wait is over: in doubt. */
  #join(partition: LeaderPartition, offset: Offset): void {
    this.#hasJoined = true;
    void partition.whenResolved(offset).then(() => {
      if (offset < partition.highWatermark) this.#run();
      else this.#doubt('what was sent before is not committed');
    });
  }

  #runAfter(until: Promise<void>): void {
    void until.then(() => this.#run());
  }

  /** `answered`: the refusal has been sent. */
  #execute(partition: LeaderPartition): 'ready' | 'suspended' | 'congested' | 'refused' | 'answered' {
    const { action } = this.#request;
    if (!this.isPlainRead) {
      const refusal = partition.writeRefusal();
      if (refusal !== null) {
        this.#refuse(`${refusal.code}: ${refusal.message}`);
        return 'answered';
      }
      if (partition.congestion !== null) return 'congested';
    }
    const outcome = this.#apply(partition, action);
    if (outcome !== ReadOutcome.ready) return nameOf(outcome);
    this.#endCommand(partition);
    return this.#own >= 0 ? 'ready' : nameOf(this.confirmRead(partition));
  }

  /** Before the first append: every look-up is done. Only some outcomes are known so early. */
  #beginCommand(partition: LeaderPartition): void {
    const { numbered, action } = this.#request;
    if (numbered === undefined || this.#hasBegun) return;
    this.#hasBegun = true;
    const isKnown = ['set', 'multiSet', 'flush'].includes(action.kind);
    partition.beginCommand(numbered, isKnown ? Buffer.from(Replies.ok, 'latin1') : undefined);
  }

  #endCommand(partition: LeaderPartition): void {
    if (this.#request.numbered === undefined) return;
    this.#beginCommand(partition);
    const first = this.#ownFirst;
    this.#appended(partition.endCommand(Buffer.from(this.#reply, 'latin1')));
    if (first >= 0) this.#ownFirst = first;
  }

  #beginGroup(partition: LeaderPartition): void {
    this.#beginCommand(partition);
    if (this.#request.numbered === undefined) partition.beginGroup();
  }

  #endGroup(partition: LeaderPartition): void {
    if (this.#request.numbered === undefined) partition.endGroup();
  }

  #await(partition: LeaderPartition): void {
    if (this.#own >= 0) {
      partition.listen(this);
      this.committed(partition);
    } else if (this.#seen < partition.highWatermark) this.#finish();
    else this.#awaitSeen(partition, asOffset(this.#seen));
  }

  #awaitSeen(partition: LeaderPartition, seen: Offset): void {
    void partition.whenResolved(seen).then(() => {
      if (seen < partition.highWatermark) this.#finish();
      else this.#refuse('tryAgain: the reply rested on a write that was not committed');
    });
  }

  #apply(partition: LeaderPartition, action: Action): ReadOutcome {
    switch (action.kind) {
      case 'get':
      case 'multiGet':
        return this.#get(partition, keysOf(action), action.kind === 'multiGet');
      case 'set':
        this.#put(partition, action.key, action.value, asEpochMillis(action.dueMs));
        return this.#reading(Replies.ok);
      case 'setIfAbsent':
        return this.#setIfAbsent(partition, action.key, action.value);
      case 'compareAndSet':
        return this.#compareAndSet(partition, action.key, action.expected, action.value);
      case 'setIfUnchanged':
        return this.#setIfUnchanged(partition, action.key, action.version, action.value);
      case 'increment':
        return this.#increment(partition, action.key);
      case 'expireAt':
        return this.#expireAt(partition, action.key, asEpochMillis(action.dueMs));
      case 'delete':
      case 'multiDelete':
        return this.#delete(partition, keysOf(action));
      case 'multiSet':
        this.#multiSet(partition, action.keys, action.values);
        return this.#reading(Replies.ok);
      case 'flush':
        this.#beginCommand(partition);
        this.#appended(partition.flushDatabase(DATABASE));
        return this.#reading(Replies.ok);
    }
  }

  #get(partition: LeaderPartition, keys: readonly string[], isMany: boolean): ReadOutcome {
    const values: (string | null)[] = [];
    for (const key of keys) {
      const outcome = partition.readCommitted(DATABASE, this.viewOf(partition, key), this.#entry, true);
      if (outcome !== ReadOutcome.ready) return outcome;
      values.push(this.#entry.found ? this.#valueText() : null);
      this.#version = this.#entry.offset;
    }
    return this.#reading(isMany ? Replies.values(values) : Replies.value(values[0] ?? null));
  }

  #setIfAbsent(partition: LeaderPartition, key: string, value: string): ReadOutcome {
    const outcome = this.#look(partition, key);
    if (outcome !== ReadOutcome.ready) return outcome;
    if (this.#entry.found) return this.#reading(Replies.nil);
    this.#put(partition, key, value, NO_EXPIRY);
    return this.#reading(Replies.ok);
  }

  #compareAndSet(
    partition: LeaderPartition,
    key: string,
    expected: string | null,
    value: string,
  ): ReadOutcome {
    const outcome = this.#look(partition, key);
    if (outcome !== ReadOutcome.ready) return outcome;
    const present = this.#entry.found ? this.#valueText() : null;
    if (present !== expected) return this.#reading(Replies.integer(0));
    this.#put(partition, key, value, NO_EXPIRY);
    return this.#reading(Replies.integer(1));
  }

  /** R12: by the newest appended record, which a WATCH of a committed one does not see. */
  #setIfUnchanged(partition: LeaderPartition, key: string, version: number, value: string): ReadOutcome {
    const outcome = this.#look(partition, key);
    if (outcome !== ReadOutcome.ready) return outcome;
    if (!this.isUnchanged(partition, key, version)) return this.#reading(Replies.integer(0));
    this.#put(partition, key, value, NO_EXPIRY);
    return this.#reading(Replies.integer(1));
  }

  #increment(partition: LeaderPartition, key: string): ReadOutcome {
    const outcome = this.#look(partition, key);
    if (outcome !== ReadOutcome.ready) return outcome;
    const present = this.#entry.found ? this.#valueText() : '0';
    if (!/^-?\d+$/.test(present)) return this.#reading(Replies.typeError);
    const sum = Number(present) + 1;
    this.#put(
      partition,
      key,
      String(sum),
      this.#entry.found ? asEpochMillis(this.#entry.expiresAtMs) : NO_EXPIRY,
    );
    return this.#reading(Replies.integer(sum));
  }

  #expireAt(partition: LeaderPartition, key: string, dueMs: EpochMillis): ReadOutcome {
    const outcome = this.#look(partition, key);
    if (outcome !== ReadOutcome.ready) return outcome;
    if (!this.#entry.found) return this.#reading(Replies.integer(0));
    if (dueMs > 0 && dueMs <= this.#wallMs) this.#remove(partition, key);
    else {
      this.#beginCommand(partition);
      this.#appended(partition.changeExpiry(DATABASE, this.viewOf(partition, key), dueMs));
    }
    return this.#reading(Replies.integer(1));
  }

  #delete(partition: LeaderPartition, keys: readonly string[]): ReadOutcome {
    const doomed: string[] = [];
    for (const key of keys) {
      const outcome = this.#look(partition, key);
      if (outcome !== ReadOutcome.ready) return outcome;
      if (this.#entry.found) doomed.push(key);
    }
    if (doomed.length > 1) this.#beginGroup(partition);
    for (const key of doomed) this.#remove(partition, key);
    if (doomed.length > 1) this.#endGroup(partition);
    return this.#reading(Replies.integer(doomed.length));
  }

  #multiSet(partition: LeaderPartition, keys: readonly string[], values: readonly string[]): void {
    this.#beginGroup(partition);
    for (const [at, key] of keys.entries()) this.#put(partition, key, values[at] as string, NO_EXPIRY);
    this.#endGroup(partition);
  }

  #look(partition: LeaderPartition, key: string): ReadOutcome {
    const outcome = partition.readAppended(DATABASE, this.viewOf(partition, key), this.#entry, true);
    if (outcome === ReadOutcome.ready) this.#seen = Math.max(this.#seen, this.#entry.uncommittedOffset);
    return outcome;
  }

  #remove(partition: LeaderPartition, key: string): void {
    this.#beginCommand(partition);
    this.#appended(partition.remove(DATABASE, this.viewOf(partition, key), TombstoneReason.deleted));
  }

  #put(partition: LeaderPartition, key: string, text: string, expiresAtMs: EpochMillis): void {
    this.#beginCommand(partition);
    const value = Buffer.from(text, 'latin1');
    const view = this.viewOf(partition, key);
    this.#appended(partition.put(DATABASE, view, value, 0, value.length, expiresAtMs));
  }

  #appended(offset: Offset): void {
    if (this.#own < 0) this.#ownFirst = offset;
    this.#own = offset;
  }

  viewOf(partition: LeaderPartition, key: string): KeyView {
    const bytes = Buffer.from(key, 'latin1');
    this.#key.bytes = bytes;
    this.#key.start = 0;
    this.#key.end = bytes.length;
    this.#key.hash = partition.hash(bytes, 0, bytes.length);
    return this.#key;
  }

  #valueText(): string {
    const { bytes, start, end } = this.#entry;
    return Buffer.from(bytes.subarray(start, end)).toString('latin1');
  }

  #reading(reply: string): ReadOutcome {
    this.#reply = reply;
    return ReadOutcome.ready;
  }

  #finish(): void {
    this.#answer({ kind: 'done', reply: this.#reply, wallMs: this.#wallMs, version: this.#version });
  }

  #doubt(message: string): void {
    this.#answer({ kind: 'unknown', reason: `inDoubt: ${message}` });
  }

  #refuse(reason: string): void {
    if (this.#hasJoined) this.#doubt(reason);
    else this.#answer({ kind: 'refused', reason });
  }

  #answer(outcome: Outcome): void {
    if (this.#isDone) return;
    this.#isDone = true;
    const leaderHint = this.#node.leaderHint(this.#request.partition);
    this.#respond({ outcome, leaderHint, hasJoined: this.#hasJoined });
  }
}

function nameOf(outcome: ReadOutcome): 'ready' | 'suspended' | 'refused' {
  if (outcome === ReadOutcome.ready) return 'ready';
  return outcome === ReadOutcome.suspended ? 'suspended' : 'refused';
}
