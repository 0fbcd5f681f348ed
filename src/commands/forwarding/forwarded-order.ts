import { type ForwardAnswer, type ForwardedCommand, isOfChangingLeader } from '../../cluster/index.ts';
import type { Clock } from '../../env/clock.ts';
import { LIMITS } from '../../model/limits.ts';
import { asMonotonicMillis, type MonotonicMillis, type PartitionId } from '../../model/numbers.ts';

/** Sends a command on its way (`Forwarder`). */
export interface ForwardPort {
  forward(command: ForwardedCommand): void;
}

/** A command of a session, before it is known when it goes. */
export interface SessionCommand extends Omit<ForwardedCommand, 'deadlineMs'> {
  /** So long it may be on its way. */
  readonly patienceMs: number;
}

interface WaitingCommand {
  readonly command: SessionCommand;
  readonly arrivedMs: MonotonicMillis;
}

/** What one session has under way to one partition, and what waits behind it. */
class PartitionOrder {
  waiting: WaitingCommand[] = [];
  reads = 0;
  writes = 0;
  /** What waits has lost none of its time before: it was behind what was served, or had no room. */
  #servedMs = Number.NEGATIVE_INFINITY;
  /** The last answer was one. */
  #isServed = true;

  get isIdle(): boolean {
    return this.reads + this.writes === 0 && this.waiting.length === 0;
  }

  /** Writes run in the order in which they were sent, reads too; of each other neither waits for itself (R11). */
  mayGo(isWrite: boolean): boolean {
    return isWrite ? this.reads === 0 : this.writes === 0;
  }

  /** Those that wait, which do so no more. */
  takeReads(): WaitingCommand[] {
    const reads = this.waiting.filter(({ command }) => !command.isWrite);
    this.waiting = this.waiting.filter(({ command }) => command.isWrite);
    return reads;
  }

  answered(answer: ForwardAnswer, nowMs: MonotonicMillis): void {
    this.#isServed = isServed(answer);
    if (this.#isServed) this.#servedMs = nowMs;
  }

  /** What waited for that alone goes now. */
  roomMade(nowMs: MonotonicMillis): void {
    if (this.#isServed && this.reads + this.writes === 0) this.#servedMs = nowMs;
  }

  /** When the time of a command begins that goes now. */
  sinceMs(arrivedMs: MonotonicMillis): MonotonicMillis {
    return asMonotonicMillis(Math.max(arrivedMs, this.#servedMs));
  }
}

/** Somebody led the partition and decided, be it against the command: not a deadline, nor a leader that was missing. */
function isServed(answer: ForwardAnswer): boolean {
  if (answer.kind !== 'refused') return answer.kind === 'done';
  const { code } = answer.error;
  return code !== 'tryAgain' && code !== 'overloaded' && !isOfChangingLeader(code);
}

const CLIENT_GONE = { code: 'tryAgain', message: 'the client has gone' } as const;

/** How large a reply is taken to be before any has come. */
const REPLY_BYTES_AT_FIRST = 64 * 1024;
/** Of the largest reply, what is remembered of it with each that follows. */
const REMEMBERED = 0.95;

/**
 * The commands of one session that run elsewhere, in order by partition (R11): a read goes when the session's writes
 * before it are answered, a write when the reads before it are. Writes follow each other without a wait, and so do
 * reads, as many at a time as their replies find room besides those that the client has not taken yet: nobody can say
 * beforehand how large they are, so it goes by the largest of late. Other partitions are no concern.
 *
 * A command's time begins when something before it was last served: in a long pipeline of reads and writes each waits
 * for those before it, and nothing is wrong. What waited behind one that was not served has lost that time: a pipeline to
 * a partition that nobody leads does not fail one deadline after the other.
 */
export class ForwardedOrder {
  readonly #port: ForwardPort;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #partitions = new Map<PartitionId, PartitionOrder>();
  readonly #written = new Set<PartitionId>();
  /** Oldest first. */
  readonly #unanswered = new Set<SessionCommand>();
  #readCount = 0;
  #waitingCount = 0;
  #replyBytes = REPLY_BYTES_AT_FIRST;
  #unsentBytes = 0;
  #isBlocked = false;
  #waiters: { readonly partition: PartitionId | null; readonly resolve: () => void }[] = [];

  constructor(port: ForwardPort, clock: Pick<Clock, 'monotonicMs'>) {
    this.#port = port;
    this.#clock = clock;
  }

  /** Nothing is unanswered. */
  get isIdle(): boolean {
    return this.#partitions.size === 0;
  }

  /** Whether something of this partition is unanswered: what runs here would overtake it. */
  isUnderWay(partition: PartitionId): boolean {
    return this.#partitions.has(partition);
  }

  /** A write of this session was sent there once; an answered one is committed, or in doubt. */
  hasWritten(partition: PartitionId): boolean {
    return this.#written.has(partition);
  }

  forward(command: SessionCommand): void {
    const { partition, isWrite } = command;
    const arrivedMs = this.#clock.monotonicMs();
    let order = this.#partitions.get(partition);
    if (order === undefined) {
      order = new PartitionOrder();
      this.#partitions.set(partition, order);
    }
    if (isWrite) this.#written.add(partition);
    this.#unanswered.add(command);
    if (order.waiting.length === 0 && this.#mayGo(order, command)) {
      this.#go(order, command, arrivedMs);
      return;
    }
    order.waiting.push({ command, arrivedMs });
    this.#waitingCount += 1;
  }

  /**
   * So many bytes of answers have not left: as long as they leave no room, nothing more is read. `isBlocked`: for the
   * client does not take them, as far as is known; else they wait for what is before them.
   */
  unsent(bytes: number, isBlocked: boolean): void {
    const isRoomMade = bytes < this.#unsentBytes || (this.#isBlocked && !isBlocked);
    this.#unsentBytes = bytes;
    this.#isBlocked = isBlocked;
    if (isRoomMade && this.#waitingCount > 0) this.#roomMade(this.#clock.monotonicMs());
  }

  /** The client has gone: what it wanted to read is fetched no more. What it wrote runs. */
  close(): void {
    if (this.#waitingCount === 0) return;
    for (const order of this.#partitions.values())
      for (const { command } of order.takeReads()) {
        this.#waitingCount -= 1;
        this.#unanswered.delete(command);
        command.answered({ kind: 'refused', error: CLIENT_GONE });
      }
    this.#roomMade(this.#clock.monotonicMs());
    if (this.#waiters.length > 0) this.#wake();
  }

  /** Resolves once nothing of this partition is unanswered. */
  whenAnswered(partition: PartitionId): Promise<void> {
    return this.#wait(partition);
  }

  /** The same of all; null: nothing is. */
  whenAllAnswered(): Promise<void> | null {
    return this.isIdle ? null : this.#wait(null);
  }

  #wait(partition: PartitionId | null): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ partition, resolve }));
  }

  #go(order: PartitionOrder, command: SessionCommand, sinceMs: MonotonicMillis): void {
    if (command.isWrite) order.writes += 1;
    else {
      order.reads += 1;
      this.#readCount += 1;
    }
    const deadlineMs = asMonotonicMillis(sinceMs + command.patienceMs);
    const then = (answer: ForwardAnswer): void => this.#answered(order, command, answer);
    this.#port.forward(new OrderedCommand(command, deadlineMs, then));
  }

  #mayGo(order: PartitionOrder, command: SessionCommand): boolean {
    if (!order.mayGo(command.isWrite)) return false;
    if (command.isWrite || this.#readCount * this.#replyBytes < this.#roomBytes) return true;
    // Replies leave in order: those that lie there may be waiting for this one.
    return !this.#isBlocked && this.#unanswered.values().next().value === command;
  }

  /** For replies that are expected. */
  get #roomBytes(): number {
    return LIMITS.deferredReplyBytes - this.#unsentBytes;
  }

  #answered(order: PartitionOrder, command: SessionCommand, answer: ForwardAnswer): void {
    const { partition, isWrite } = command;
    this.#unanswered.delete(command);
    const nowMs = this.#clock.monotonicMs();
    order.answered(answer, nowMs);
    if (isWrite) order.writes -= 1;
    else {
      order.reads -= 1;
      this.#readCount -= 1;
      const bytes = answer.kind === 'done' ? (answer.reply?.length ?? 0) : 0;
      this.#replyBytes = Math.max(bytes, 1, this.#replyBytes * REMEMBERED);
    }
    this.#goOn(partition, order);
    // A read that is answered makes room for those of all partitions; where there is none another one is the oldest now.
    if (this.#waitingCount > 0 && (!isWrite || this.#roomBytes <= 0)) this.#roomMade(nowMs);
    if (this.#waiters.length > 0) this.#wake();
  }

  #roomMade(nowMs: MonotonicMillis): void {
    for (const [id, order] of this.#partitions) {
      order.roomMade(nowMs);
      this.#goOn(id, order);
    }
  }

  #goOn(partition: PartitionId, order: PartitionOrder): void {
    let next = order.waiting[0];
    while (next !== undefined && this.#mayGo(order, next.command)) {
      order.waiting.shift();
      this.#waitingCount -= 1;
      this.#go(order, next.command, order.sinceMs(next.arrivedMs));
      next = order.waiting[0];
    }
    if (order.isIdle) this.#partitions.delete(partition);
  }

  #wake(): void {
    const isDone = (partition: PartitionId | null): boolean =>
      partition === null ? this.isIdle : !this.isUnderWay(partition);
    const done = this.#waiters.filter(({ partition }) => isDone(partition));
    this.#waiters = this.#waiters.filter(({ partition }) => !isDone(partition));
    for (const { resolve } of done) resolve();
  }
}

/** The command, and who is to be told besides. */
class OrderedCommand implements ForwardedCommand {
  readonly partition;
  readonly isWrite;
  readonly database;
  readonly respVersion;
  readonly client;
  readonly command;
  readonly deadlineMs;
  readonly #inner: SessionCommand;
  readonly #then: (answer: ForwardAnswer) => void;

  constructor(inner: SessionCommand, deadlineMs: MonotonicMillis, then: (answer: ForwardAnswer) => void) {
    this.partition = inner.partition;
    this.isWrite = inner.isWrite;
    this.database = inner.database;
    this.respVersion = inner.respVersion;
    this.client = inner.client;
    this.command = inner.command;
    this.deadlineMs = deadlineMs;
    this.#inner = inner;
    this.#then = then;
  }

  answered(answer: ForwardAnswer): void {
    this.#inner.answered(answer);
    this.#then(answer);
  }
}
