import { LIMITS } from '../../model/limits.ts';
import {
  asLeaderEpoch,
  asProducerSequence,
  type Incarnation,
  type LeaderEpoch,
  type MonotonicMillis,
  type NodeId,
  type PartitionId,
  type ProducerSequence,
} from '../../model/numbers.ts';
import { ForwardItem } from './forward-item.ts';
import {
  type ForwardAnswer,
  type ForwardedCommand,
  type ForwardTarget,
  isOfChangingLeader,
} from './forwarded-command.ts';
import type { ForwardError, ForwardReply, ForwardRequest } from './messages.ts';
import { ReadQueue } from './read-queue.ts';

/** What a lane asks of the node. */
export interface ForwardLaneHost {
  readonly self: NodeId;
  /** False: nothing was sent. */
  send(to: NodeId, request: ForwardRequest): boolean;
  /** Not within this call does anybody call the lane. */
  answered(command: ForwardedCommand, answer: ForwardAnswer): void;
  /** Of one request among all of this process. */
  nextId(): number;
  /** The present life of the node. */
  incarnation(): Incarnation;
}

/** Bounds that tests make small. */
export type ForwardLaneLimits = Readonly<
  Record<'forwardWindow' | 'forwardWindowBytes' | 'forwardRetryMs', number>
>;

const NOTHING = new Uint8Array(0);
/** Nobody waits for a number to be filled, but the commands behind it. */
const FILL_TIMEOUT_MS = 10_000;
const NO_LEADER: ForwardError = { code: 'noLeader', message: 'The partition has no leader that answers' };
const NOT_IN_TIME: ForwardError = {
  code: 'tryAgain',
  message: 'The leader of the partition did not come to the command in time',
};

/**
 * The commands for one partition on their way to its leader: no clock, no socket.
 *
 * Writes stand in a queue. The first has the number `base`, the next the one after it: numbers belong to places, and a
 * command that was refused leaves its place to the next. That is sound because numbers are bound only while a copy may
 * have run (`isInDoubt`), and those stand in front: a leader runs number n only after all before it, and after it has
 * refused one it runs no later one of the same round.
 *
 * A round is one uninterrupted sending to one leader in one epoch. It ends with a break, with another leader, or when
 * something was refused and all that was sent is answered; then everything unanswered is sent again, in order. A copy of
 * an older round that arrives later is not run. Reads have rounds of their own (`ReadQueue`).
 *
 * A write whose deadline is over and that may have run keeps its place, without its command: the number must be filled
 * before the next can run (R14). What was executed is found by its number; what was not will not be.
 */
export class ForwardLane {
  readonly partition: PartitionId;
  readonly #host: ForwardLaneHost;
  readonly #limits: ForwardLaneLimits;
  readonly #writes: ForwardItem[] = [];
  readonly #reads = new ReadQueue();
  readonly #items = new Map<number, ForwardItem>();
  #incarnation: Incarnation;
  /** Number of the first in the queue. */
  #base = 1;
  #round = 1;
  /** So many of the queue were sent in this round; and so many of them are not answered. */
  #sentCount = 0;
  #unanswered = 0;
  #sentBytes = 0;
  /** Something of this round was refused: no more is sent in it. */
  #isEnding = false;
  /** One at a time, until the leader has taken one. */
  #isProbing = true;
  #target: ForwardTarget | null = null;
  #leaderEpochMax: LeaderEpoch = asLeaderEpoch(0);
  #retryAtMs = Number.NEGATIVE_INFINITY;
  /** Of those that are not answered no deadline is earlier. */
  #dueAtMs = Number.POSITIVE_INFINITY;

  constructor(
    partition: PartitionId,
    host: ForwardLaneHost,
    limits: ForwardLaneLimits = LIMITS,
    incarnation = host.incarnation(),
  ) {
    this.partition = partition;
    this.#host = host;
    this.#limits = limits;
    this.#incarnation = incarnation;
  }

  /** Commands that wait or are under way; numbers that are only to be filled, too. */
  get size(): number {
    return this.#items.size;
  }

  get target(): ForwardTarget | null {
    return this.#target;
  }

  /** When `tick` is to be called next, at the latest; Infinity: never. */
  get wakeAtMs(): number {
    const isRetrying = Number.isFinite(this.#retryAtMs) && this.#isSomethingWaiting();
    const dueAtMs = this.#items.size === 0 ? Number.POSITIVE_INFINITY : this.#dueAtMs;
    return isRetrying ? Math.min(dueAtMs, this.#retryAtMs) : dueAtMs;
  }

  // Events

  /** What is over already is answered, and not sent: a leader could only refuse it. */
  submit(command: ForwardedCommand, nowMs: MonotonicMillis): void {
    if (command.deadlineMs <= nowMs) {
      this.#host.answered(command, { kind: 'refused', error: this.#lateError });
      return;
    }
    const { deadlineMs } = command;
    this.#dueAtMs = this.#items.size === 0 ? deadlineMs : Math.min(this.#dueAtMs, deadlineMs);
    const item = new ForwardItem(this.#host.nextId(), command);
    this.#items.set(item.id, item);
    if (command.isWrite) this.#writes.push(item);
    else this.#reads.add(item);
    this.#pump(nowMs);
  }

  /**
   * Another leader or epoch was heard of, or that there is none. Never back to an earlier epoch: what was refused in one
   * is absent from all before it.
   */
  aim(target: ForwardTarget | null, nowMs: MonotonicMillis): void {
    const before = this.#target;
    if (before?.node === target?.node && before?.leaderEpoch === target?.leaderEpoch) return;
    if (target !== null && target.leaderEpoch < this.#leaderEpochMax) return;
    this.#target = target;
    if (target !== null) this.#leaderEpochMax = target.leaderEpoch;
    this.#isProbing = true;
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
    this.#beginRounds();
    this.#pump(nowMs);
  }

  opened(node: NodeId, nowMs: MonotonicMillis): void {
    if (this.#target?.node !== node) return;
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
    this.#pump(nowMs);
  }

  broken(node: NodeId, nowMs: MonotonicMillis): void {
    if (this.#target?.node !== node) return;
    this.#beginRounds();
    this.#retryLater(nowMs);
  }

  replied(reply: ForwardReply, nowMs: MonotonicMillis): void {
    const item = this.#items.get(reply.id);
    if (item === undefined) return;
    if (!item.command.isWrite) this.#readReplied(item, reply, nowMs);
    else if (reply.outcome === 'done') this.#done(item, reply);
    else if (reply.round === this.#round && item.isSent) {
      if (reply.outcome === 'refused') this.#refused(item, reply, nowMs);
      else this.#doubted(item, reply, nowMs);
    }
    this.#lookWhetherRoundIsOver();
    this.#pump(nowMs);
  }

  /** Deadlines, and what is to be tried again. */
  tick(nowMs: MonotonicMillis): void {
    this.#expire(nowMs);
    this.#pump(nowMs);
  }

  /** The node stops: everything is answered as it stands. */
  stop(): void {
    for (const item of this.#reads) this.#refuse(item);
    for (const item of this.#writes) if (!item.isGivenUp && !item.isDone) this.#tell(item);
    this.#writes.length = 0;
    this.#reads.clear();
    this.#items.clear();
  }

  // Answers

  /** What has run, has, in whatever round. */
  #done(item: ForwardItem, { reply, leaderEpoch, offset }: ForwardReply): void {
    if (item.isDone) return;
    if (item.isSent) this.#unsend(item);
    this.#isProbing = false;
    if (!item.isGivenUp) this.#host.answered(item.command, { kind: 'done', reply, leaderEpoch, offset });
    item.isDone = true;
    item.bytes = NOTHING;
    while (this.#writes[0]?.isDone === true) {
      const first = this.#writes.shift() as ForwardItem;
      this.#items.delete(first.id);
      this.#base += 1;
      if (this.#sentCount > 0) this.#sentCount -= 1;
    }
  }

  /** One that has to go again takes those behind it along: they would be answered before it. */
  #readReplied(item: ForwardItem, said: ForwardReply, nowMs: MonotonicMillis): void {
    if (said.round !== this.#reads.round || !item.isSent) return;
    const { reply, leaderEpoch, offset, error } = said;
    item.lastError = error;
    if (error !== null && isOfChangingLeader(error.code)) {
      this.#reads.beginRound();
      this.#retryLater(nowMs);
      return;
    }
    this.#forget(item);
    if (said.outcome === 'done') {
      this.#isProbing = false;
      this.#host.answered(item.command, { kind: 'done', reply, leaderEpoch, offset });
    } else this.#refuse(item);
  }

  #refused(item: ForwardItem, reply: ForwardReply, nowMs: MonotonicMillis): void {
    const { error, expectedSequence } = reply;
    const at = this.#writes.indexOf(item);
    this.#isEnding = true;
    this.#unsend(item);
    if (error?.code === 'inDoubt') {
      this.#superseded(nowMs);
      return;
    }
    // Who has a later number has all before it.
    const isAbsent = reply.isAbsent && !this.#writes.some((other, index) => index > at && other.isDone);
    for (let index = at; index < this.#writes.length; index += 1) {
      const later = this.#writes[index] as ForwardItem;
      later.isAbsent = later.isSent;
      if (!isAbsent) continue;
      later.isInDoubt = false;
      later.lastError = null;
    }
    if (isAbsent && at === 0 && expectedSequence > 0) this.#base = Math.min(this.#base, expectedSequence);
    if (expectedSequence > 0) return;
    item.lastError = error;
    if (error !== null && isOfChangingLeader(error.code)) this.#retryLater(nowMs);
    else if (!item.isInDoubt) this.#drop(item);
    else this.#retryLater(nowMs);
  }

  /** Its leader does not know what becomes of it; the next, or the same one a little later, may. */
  #doubted(item: ForwardItem, { leaderEpoch, offset, error }: ForwardReply, nowMs: MonotonicMillis): void {
    this.#isEnding = true;
    this.#unsend(item);
    item.isInDoubt = true;
    item.leaderEpoch = leaderEpoch;
    item.offset = offset;
    item.lastError = error;
    this.#retryLater(nowMs);
  }

  /**
   * A later life of this node has numbered there, or what was sent is older than all that is remembered: of what is in
   * doubt nobody will say more. What is not is numbered anew, as soon as this node has a later life itself.
   */
  #superseded(nowMs: MonotonicMillis): void {
    for (const item of [...this.#writes]) if (item.mayHaveRun || item.isDone) this.#drop(item);
    this.#retryLater(nowMs);
    const incarnation = this.#host.incarnation();
    if (incarnation > this.#incarnation) {
      this.#incarnation = incarnation;
      this.#base = 1;
    }
    this.#beginRounds();
  }

  /** Its client is told, if it was not, and its place goes to the next. */
  #drop(item: ForwardItem): void {
    item.isInDoubt = item.mayHaveRun;
    if (item.isSent) this.#unsend(item);
    this.#remove(item);
    if (!item.isGivenUp && !item.isDone) this.#tell(item);
  }

  #giveUp(item: ForwardItem): void {
    this.#tell(item);
    item.isGivenUp = true;
    item.bytes = NOTHING;
    if (!item.isSent && !item.isInDoubt) this.#remove(item);
  }

  /** Deadlines come in any order: each session counts its own (`ForwardedOrder`). */
  #expire(nowMs: MonotonicMillis): void {
    if (nowMs < this.#dueAtMs) return;
    let nextMs = Number.POSITIVE_INFINITY;
    const due: ForwardItem[] = [];
    for (const item of this.#items.values()) {
      if (item.isGivenUp || item.isDone) continue;
      if (item.command.deadlineMs <= nowMs) due.push(item);
      else nextMs = Math.min(nextMs, item.command.deadlineMs);
    }
    this.#dueAtMs = nextMs;
    for (const item of due) {
      if (item.command.isWrite) this.#giveUp(item);
      else {
        this.#forget(item);
        this.#refuse(item);
      }
    }
  }

  #tell(item: ForwardItem): void {
    if (!item.mayHaveRun) {
      this.#refuse(item);
      return;
    }
    const { leaderEpoch, offset } = item;
    const reason = item.lastError?.message ?? 'it was sent to the leader, and no answer came in time';
    this.#host.answered(item.command, { kind: 'inDoubt', leaderEpoch, offset, reason });
  }

  #refuse(item: ForwardItem): void {
    this.#host.answered(item.command, { kind: 'refused', error: item.lastError ?? this.#lateError });
  }

  get #lateError(): ForwardError {
    return this.#target === null ? NO_LEADER : NOT_IN_TIME;
  }

  /** A read is answered. */
  #forget(item: ForwardItem): void {
    this.#reads.remove(item);
    this.#items.delete(item.id);
  }

  #remove(item: ForwardItem): void {
    const at = this.#writes.indexOf(item);
    if (at < 0) return;
    this.#writes.splice(at, 1);
    this.#items.delete(item.id);
    if (at < this.#sentCount) this.#sentCount -= 1;
  }

  // Rounds

  #lookWhetherRoundIsOver(): void {
    if (this.#isEnding && this.#unanswered === 0) this.#beginRound();
  }

  #beginRounds(): void {
    this.#reads.beginRound();
    this.#beginRound();
  }

  #beginRound(): void {
    this.#round += 1;
    const isVoid = (item: ForwardItem): boolean => item.isGivenUp && !item.isInDoubt && !item.isDone;
    for (const item of this.#writes) {
      if (item.isSent && !item.isAbsent) item.isInDoubt = true;
      if (item.isSent) this.#unsend(item);
      item.isAbsent = false;
    }
    for (const item of this.#writes.filter(isVoid)) this.#remove(item);
    this.#sentCount = 0;
    this.#isEnding = false;
  }

  #retryLater(nowMs: MonotonicMillis): void {
    this.#isProbing = true;
    this.#retryAtMs = nowMs + this.#limits.forwardRetryMs;
  }

  #isSomethingWaiting(): boolean {
    return this.#sentCount < this.#writes.length || this.#reads.isWaiting;
  }

  // Sending

  #pump(nowMs: MonotonicMillis): void {
    if (nowMs < this.#retryAtMs) return;
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
    this.#expire(nowMs);
    const target = this.#target;
    if (target === null || !this.#pumpWrites(target, nowMs)) return;
    this.#reads.sendUpTo(this.#limits.forwardWindowBytes, (item) => this.#send(item, target, null, nowMs));
  }

  /** False: there is no stream. */
  #pumpWrites(target: ForwardTarget, nowMs: MonotonicMillis): boolean {
    const window = this.#isProbing ? 1 : this.#limits.forwardWindow;
    while (!this.#isEnding && this.#sentCount < this.#writes.length && this.#unanswered < window) {
      const item = this.#writes[this.#sentCount] as ForwardItem;
      if (!item.isDone) {
        if (this.#unanswered > 0 && this.#isTooMuch(item)) return true;
        const sequence = asProducerSequence(this.#base + this.#sentCount);
        if (!this.#send(item, target, sequence, nowMs)) return false;
        item.isSent = true;
        if (!item.isInDoubt) item.leaderEpoch = target.leaderEpoch;
        this.#sentBytes += item.command.command.length;
        this.#unanswered += 1;
      }
      this.#sentCount += 1;
    }
    return true;
  }

  #isTooMuch(item: ForwardItem): boolean {
    return this.#sentBytes + item.bytes.length > this.#limits.forwardWindowBytes;
  }

  #send(
    item: ForwardItem,
    target: ForwardTarget,
    sequence: ProducerSequence | null,
    nowMs: MonotonicMillis,
  ): boolean {
    const { command } = item;
    const request: ForwardRequest = {
      id: item.id,
      forwarder: this.#host.self,
      incarnation: this.#incarnation,
      partition: this.partition,
      leaderEpoch: target.leaderEpoch,
      round: sequence === null ? this.#reads.round : this.#round,
      sequence,
      timeoutMs: item.isGivenUp ? FILL_TIMEOUT_MS : Math.max(0, command.deadlineMs - nowMs),
      database: command.database,
      respVersion: command.respVersion,
      client: command.client,
      command: item.bytes,
    };
    const isSent = this.#host.send(target.node, request);
    if (!isSent) this.#retryAtMs = nowMs + this.#limits.forwardRetryMs;
    return isSent;
  }

  /** What was sent of it in this round is answered, or counts no more. */
  #unsend(item: ForwardItem): void {
    item.isSent = false;
    this.#sentBytes -= item.command.command.length;
    this.#unanswered -= 1;
  }
}
