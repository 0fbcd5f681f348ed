import type { ForwardAnswer, ForwardedCommand } from '../../cluster/index.ts';
import { LIMITS } from '../../model/limits.ts';
import type { PartitionId } from '../../model/numbers.ts';

/** Sends a command on its way (`Forwarder`). */
export interface ForwardPort {
  forward(command: ForwardedCommand): void;
}

/** What one session has under way to one partition, and what waits behind it. */
class PartitionOrder {
  readonly waiting: ForwardedCommand[] = [];
  reads = 0;
  writes = 0;

  get isIdle(): boolean {
    return this.reads + this.writes === 0 && this.waiting.length === 0;
  }

  /** Writes run in the order in which they were sent, reads too; of each other neither waits for itself (R11). */
  mayGo(isWrite: boolean): boolean {
    return isWrite ? this.reads === 0 : this.writes === 0;
  }
}

/** How large a reply is taken to be before any has come. */
const REPLY_BYTES_AT_FIRST = 64 * 1024;
/** Of the largest reply, what is remembered of it with each that follows. */
const REMEMBERED = 0.95;

/**
 * The commands of one session that run elsewhere, in order by partition (R11): a read goes when the session's writes
 * before it are answered, a write when the reads before it are. Writes follow each other without a wait, and so do
 * reads, as many at a time as their replies find room: nobody can say beforehand how large they are, so it goes by the
 * largest of late. Other partitions are no concern.
 */
export class ForwardedOrder {
  readonly #port: ForwardPort;
  readonly #partitions = new Map<PartitionId, PartitionOrder>();
  readonly #written = new Set<PartitionId>();
  #readCount = 0;
  #waitingCount = 0;
  #replyBytes = REPLY_BYTES_AT_FIRST;
  #waiters: { readonly partition: PartitionId | null; readonly resolve: () => void }[] = [];

  constructor(port: ForwardPort) {
    this.#port = port;
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

  forward(command: ForwardedCommand): void {
    const { partition, isWrite } = command;
    let order = this.#partitions.get(partition);
    if (order === undefined) {
      order = new PartitionOrder();
      this.#partitions.set(partition, order);
    }
    if (isWrite) this.#written.add(partition);
    if (order.waiting.length === 0 && this.#mayGo(order, isWrite)) {
      this.#go(order, command);
      return;
    }
    order.waiting.push(command);
    this.#waitingCount += 1;
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

  #go(order: PartitionOrder, command: ForwardedCommand): void {
    if (command.isWrite) order.writes += 1;
    else {
      order.reads += 1;
      this.#readCount += 1;
    }
    this.#port.forward(new OrderedCommand(command, (answer) => this.#answered(order, command, answer)));
  }

  #mayGo(order: PartitionOrder, isWrite: boolean): boolean {
    if (!order.mayGo(isWrite)) return false;
    return isWrite || this.#readCount === 0 || this.#readCount * this.#replyBytes < LIMITS.deferredReplyBytes;
  }

  #answered(order: PartitionOrder, { partition, isWrite }: ForwardedCommand, answer: ForwardAnswer): void {
    if (isWrite) order.writes -= 1;
    else {
      order.reads -= 1;
      this.#readCount -= 1;
      const bytes = answer.kind === 'done' ? (answer.reply?.length ?? 0) : 0;
      this.#replyBytes = Math.max(bytes, 1, this.#replyBytes * REMEMBERED);
    }
    this.#goOn(partition, order);
    // A read that is answered makes room for those of all partitions.
    if (this.#waitingCount > 0 && !isWrite)
      for (const [id, other] of this.#partitions) if (other !== order) this.#goOn(id, other);
    if (this.#waiters.length > 0) this.#wake();
  }

  #goOn(partition: PartitionId, order: PartitionOrder): void {
    let next = order.waiting[0];
    while (next !== undefined && this.#mayGo(order, next.isWrite)) {
      order.waiting.shift();
      this.#waitingCount -= 1;
      this.#go(order, next);
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
  readonly #inner: ForwardedCommand;
  readonly #then: (answer: ForwardAnswer) => void;

  constructor(inner: ForwardedCommand, then: (answer: ForwardAnswer) => void) {
    this.partition = inner.partition;
    this.isWrite = inner.isWrite;
    this.database = inner.database;
    this.respVersion = inner.respVersion;
    this.client = inner.client;
    this.command = inner.command;
    this.deadlineMs = inner.deadlineMs;
    this.#inner = inner;
    this.#then = then;
  }

  answered(answer: ForwardAnswer): void {
    this.#inner.answered(answer);
    this.#then(answer);
  }
}
