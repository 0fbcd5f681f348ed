import type { Socket } from 'node:net';
import { CommandContext } from '../commands/context.ts';
import type { DeferredReply } from '../commands/deferred-reply.ts';
import type { Executor } from '../commands/executor.ts';
import type { ServerPorts } from '../commands/ports.ts';
import type { Clock } from '../env/clock.ts';
import { CaskadeError } from '../model/errors.ts';
import { formatAddress } from '../model/host-port.ts';
import { asOffset, type MonotonicMillis, type Offset } from '../model/numbers.ts';
import type { OutputPool } from '../resp/output-pool.ts';
import { ReplyBuffer } from '../resp/reply-buffer.ts';
import { DecodeOutcome, RequestDecoder } from '../resp/request-decoder.ts';
import { ClientSession, type SessionOwner } from './client-session.ts';
import type { ConnectionRegistry } from './connection-registry.ts';
import { DeferredPlaces } from './deferred-places.ts';
import { type HeldPartition, HoldRing } from './hold-ring.ts';
import { givenUpText, inDoubtText, type Partition, sawUncommittedText } from './in-doubt.ts';
import type { ConnectionLimits, NetworkLogger } from './ports.ts';
import type { SharedInput } from './shared-input.ts';
import type { TurnQueue, TurnTask } from './turn-queue.ts';

/** What all connections of a server share. */
export interface ConnectionHost {
  readonly executor: Executor;
  readonly router: CommandContext['router'];
  readonly ports: ServerPorts;
  readonly registry: ConnectionRegistry;
  readonly clock: Clock;
  readonly logger: NetworkLogger;
  readonly limits: ConnectionLimits;
  readonly pool: OutputPool;
  readonly turns: TurnQueue;
  readonly input: SharedInput;
  /** The monotonic clock as of the last sweep: good enough for idle times, and free. */
  readonly coarseMs: MonotonicMillis;
  closed(connection: Connection): void;
}

/**
 * One client connection: decodes commands, runs them one after the other, and lets their replies leave in order, none
 * before what it rests on is committed.
 *
 * Input side: `#halt` says why the next command may not run now; it always names somebody who will call `#run` again.
 * Output side: [sent, released) may leave, [released, position) waits for commits in the hold ring.
 */
export class Connection implements SessionOwner, TurnTask {
  readonly session: ClientSession;
  activeAtMs: MonotonicMillis;

  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #decoder: RequestDecoder;
  readonly #reply: ReplyBuffer;
  readonly #context: CommandContext;
  readonly #holds = new HoldRing<HeldPartition>();
  readonly #deferred: DeferredPlaces;
  readonly #onWritten = (error?: Error | null): void => this.#written(error);
  readonly #onResumed = (): void => this.#resumed();

  #halt: Halt = Halt.none;
  /** The command in the decoder's views ran, was suspended, and must run again. */
  #again = false;
  /** No bytes will come any more, or none that count. */
  #inputEnded = false;
  /** The socket has taken bytes that it could not pass on yet. */
  #blocked = false;
  #paused = false;
  #queued = false;
  #closed = false;
  /** When the socket last took bytes while output was stuck. */
  #progressAtMs: MonotonicMillis;
  #lingerUntilMs = Number.POSITIVE_INFINITY;

  constructor(accepted: Socket, host: ConnectionHost) {
    const socket = host.input.adopt(accepted, (chunk) => this.#received(chunk));
    this.#socket = socket;
    this.#host = host;
    this.activeAtMs = host.coarseMs;
    this.#progressAtMs = host.coarseMs;
    this.session = new ClientSession(
      host.registry.nextId(),
      addressOf(socket.remoteAddress, socket.remotePort),
      addressOf(socket.localAddress, socket.localPort),
      host.clock.wallMs(),
      this,
    );
    this.#decoder = new RequestDecoder(host.limits);
    this.#reply = new ReplyBuffer(host.pool);
    this.#deferred = new DeferredPlaces(this.#reply, () => this.#deferredAnswered());
    this.#context = new CommandContext(
      this.#decoder.args,
      this.#reply,
      this.session,
      host.router,
      host.ports,
      host.clock,
    );
    socket.on('end', () => this.endInput());
    // A reset by the peer is no event of ours: what it leaves unanswered is in doubt for the peer, not for us.
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.#gone());
  }

  /** True while a command of this client was accepted and its answer has not left. */
  get isBusy(): boolean {
    if (this.#closed) return false;
    if (this.#halt === Halt.turn || this.#halt === Halt.output || this.#halt === Halt.deferred) return true;
    return this.#again || this.#pendingBytes() > 0;
  }

  /** Answers what was received, then closes. */
  endInput(): void {
    if (this.#closed || this.#inputEnded) return;
    this.#inputEnded = true;
    if (this.#halt !== Halt.none) return;
    this.#run();
    this.#flush();
  }

  /** Closes at once, whatever is unanswered. */
  destroy(): void {
    this.#forget();
    this.#halt = Halt.done;
    this.#socket.destroy();
  }

  /** Called from time to time: closes what is idle, stuck or done. */
  sweep(nowMs: MonotonicMillis, idleMsMax: number): void {
    const { limits, logger } = this.#host;
    if (nowMs >= this.#lingerUntilMs) {
      this.destroy();
    } else if (
      this.#blocked &&
      (this.#halt === Halt.done || this.#pendingBytes() > limits.outputPauseBytes)
    ) {
      if (nowMs - this.#progressAtMs < limits.outputStalledMsMax) return;
      logger.warn(this.#describe(), 'closed a client that reads nothing of its replies');
      this.destroy();
    } else if (idleMsMax > 0 && nowMs - this.activeAtMs > idleMsMax && !this.isBusy) {
      this.destroy();
    }
  }

  // SessionOwner

  onCommitted(): void {
    this.#enqueue();
  }

  onInDoubt(partition: Partition, firstOffset: Offset, error: CaskadeError): void {
    if (this.#closed) return;
    this.#holds.fail(partition, firstOffset, (hold) => {
      const text = hold.own
        ? givenUpText(partition, hold.offset, error, hold.isPart)
        : sawUncommittedText(error.message);
      this.#reply.replaceByError(hold.start, hold.end, text);
      return true;
    });
    this.#enqueue();
  }

  // TurnTask

  atTurnEnd(): void {
    this.#queued = false;
    if (this.#closed) return;
    if (this.#halt === Halt.turn) {
      this.#halt = Halt.none;
      this.#run();
    }
    this.#flush();
  }

  #enqueue(): void {
    if (this.#queued || this.#closed) return;
    this.#queued = true;
    this.#host.turns.add(this);
  }

  // Input

  #received(chunk: Buffer): void {
    this.#host.registry.netInputBytes += chunk.length;
    this.activeAtMs = this.#host.coarseMs;
    if (this.#inputEnded) return;
    this.#decoder.feed(chunk);
    if (this.#halt !== Halt.none) {
      this.#pause();
    } else {
      this.#run();
      this.#enqueue();
    }
    // The chunk lies in a buffer that all connections share: what is still needed of it is copied out now.
    this.#decoder.detach(this.#again);
  }

  /** Runs commands until there is none, or until one of the reasons to halt. */
  #run(): void {
    for (let budget = this.#host.limits.commandsPerTurnMax; budget > 0; budget -= 1) {
      if (!this.#again && !this.#decode()) return;
      this.#again = false;
      this.#execute();
      if (this.#again) return;
      if (this.session.closeAfterReply) {
        this.#stopReading();
        return;
      }
      if (this.#pendingBytes() > this.#host.limits.outputPauseBytes && !this.#makeRoom()) return;
      if (this.#deferred.isFull) {
        this.#halt = Halt.deferred;
        return;
      }
    }
    this.#halt = Halt.turn;
    this.#enqueue();
  }

  /** False: there is no further command now. */
  #decode(): boolean {
    const outcome = this.#decoder.next();
    if (outcome === DecodeOutcome.command) return true;
    if (outcome === DecodeOutcome.failed) {
      this.#reply.error(`ERR ${this.#decoder.failure}`);
      this.#stopReading();
    } else if (this.#inputEnded) {
      this.#stopReading();
    } else if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
    return false;
  }

  #execute(): void {
    const context = this.#context;
    const start = this.#reply.position;
    try {
      this.#host.executor.execute(context);
    } catch (error) {
      this.#failed(error, start);
      return;
    }
    if (context.suspension !== null) this.#suspended(context.suspension, start);
    else if (context.deferred !== null) this.#defer(context.deferred);
    else if (context.holdCount > 0) this.#hold(start);
  }

  /** Commands behind it run on; their replies wait for it. */
  #defer(deferred: DeferredReply): void {
    const start = this.#reply.position;
    if (this.#deferred.add(deferred)) this.#holds.add(start, this.#reply.position, deferred, FIRST, false);
  }

  #deferredAnswered(): void {
    if (this.#halt === Halt.deferred && !this.#deferred.isFull) this.#halt = Halt.turn;
    this.#enqueue();
    this.#tellUnsent();
    if (this.#reply.filledBytes > this.#host.limits.outputBytesMax) this.#overflow();
  }

  /** Replies to commands that ran long ago cannot be made to wait. */
  #overflow(): void {
    const { limits, logger } = this.#host;
    this.#flush();
    if (this.#closed || this.#reply.filledBytes <= limits.outputBytesMax) return;
    logger.warn({ ...this.#describe(), pendingBytes: this.#pendingBytes() }, PILE_UP);
    this.destroy();
  }

  #suspended(until: Promise<void>, start: number): void {
    if (this.#reply.position !== start) {
      this.#host.logger.error(this.#describe(), 'a command wrote part of its reply before it was suspended');
      this.#reply.rewind(start);
    }
    this.#again = true;
    this.#halt = Halt.suspended;
    void until.then(this.#onResumed);
  }

  /** At once: what was loaded for the command may be given up at this turn's end already. */
  #resumed(): void {
    if (this.#closed) return;
    this.#halt = Halt.none;
    this.#run();
    this.#enqueue();
  }

  /** The bytes from `start` on may not leave before the context's holds are committed. */
  #hold(start: number): void {
    const context = this.#context;
    const end = this.#reply.position;
    const own = context.appendCount > 0;
    for (let index = 0; index < context.holdCount; index += 1) {
      const partition = context.holdPartitions[index] as Partition;
      const offset = context.holdOffsets[index] as Offset;
      if (offset < partition.highWatermark) continue;
      this.#holds.add(start, end, partition, offset, own, context.holdCount > 1);
      if ((this.session.appended[partition.id] ?? -1) < offset) this.#watch(partition, offset);
    }
  }

  /** Of a record that another session appended this one is not told. */
  #watch(partition: Partition, offset: Offset): void {
    void partition.whenResolved(offset).then(() => {
      if (offset < partition.highWatermark) this.#enqueue();
      else this.onInDoubt(partition, offset, new CaskadeError('inDoubt', 'the write it saw is in doubt'));
    });
  }

  /** A handler threw. What it appended, if anything, has no honest answer but INDOUBT. */
  #failed(error: unknown, start: number): void {
    const context = this.#context;
    this.#reply.rewind(start);
    context.suspension = null;
    context.progress = undefined;
    let text = 'ERR internal error';
    if (error instanceof CaskadeError) text = error.respText;
    else this.#host.logger.error({ ...this.#describe(), err: error }, 'a command failed by a bug');
    const heldCount = context.appendCount > 0 ? context.holdCount : 0;
    for (let index = 0; index < heldCount; index += 1) {
      const partition = context.holdPartitions[index] as Partition;
      const offset = context.holdOffsets[index] as Offset;
      // Of a group that was taken back nothing is left.
      if (offset >= partition.logEndOffset) continue;
      text = inDoubtText(partition, offset, text);
      break;
    }
    this.#host.ports.counters.countError(text);
    this.#reply.error(text);
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  /** What comes from now on is read and dropped; once all replies have left, the connection ends. */
  #stopReading(): void {
    this.#inputEnded = true;
    this.#halt = Halt.done;
  }

  // Output

  #pendingBytes(): number {
    const waiting = this.#reply.position - this.#reply.sent + this.#reply.filledBytes;
    return this.#blocked ? waiting + this.#socket.writableLength : waiting;
  }

  /** Sends what may leave; false if still too much waits, and this client's commands with it. */
  #makeRoom(): boolean {
    const { limits, logger } = this.#host;
    this.#flush();
    const pending = this.#pendingBytes();
    if (pending <= limits.outputPauseBytes) return true;
    if (pending > limits.outputBytesMax) {
      logger.warn({ ...this.#describe(), pendingBytes: pending }, PILE_UP);
      this.destroy();
      this.#halt = Halt.done;
      return false;
    }
    this.#halt = Halt.output;
    return false;
  }

  #flush(): void {
    if (this.#blocked || this.#closed) return;
    const reply = this.#reply;
    const released = this.#holds.release(reply.position);
    if (released > reply.sent) this.#write(released);
    this.#tellUnsent();
    if (this.#halt === Halt.output && this.#pendingBytes() <= this.#host.limits.outputPauseBytes / 2) {
      this.#halt = Halt.turn;
      this.#enqueue();
    }
    if (this.#halt === Halt.done && !this.#blocked && reply.sent === reply.position) this.#finish();
  }

  #write(released: number): void {
    const reply = this.#reply;
    const socket = this.#socket;
    const { limits, registry } = this.#host;
    let piece = reply.take(released, limits.writeBytesMax);
    let written = piece.length;
    if (reply.sent === released) {
      socket.write(piece, this.#onWritten);
    } else {
      socket.cork();
      socket.write(piece, this.#onWritten);
      while (reply.sent < released && written < limits.writeBytesMax) {
        piece = reply.take(released, limits.writeBytesMax - written);
        written += piece.length;
        socket.write(piece, this.#onWritten);
      }
      socket.uncork();
      if (reply.sent < released) this.#enqueue();
    }
    registry.netOutputBytes += written;
    if (socket.writableLength === 0) {
      reply.settle();
    } else {
      this.#blocked = true;
      this.#progressAtMs = this.#host.coarseMs;
    }
  }

  /** What others run for this client goes on as it takes the answers. */
  #tellUnsent(): void {
    this.session.forwarded?.unsent(this.#reply.filledBytes, this.#blocked || this.#queued);
  }

  #written(error: Error | null | undefined): void {
    if (!this.#blocked || this.#socket.writableLength > 0 || error) return;
    this.#blocked = false;
    this.#reply.settle();
    this.#flush();
  }

  #finish(): void {
    if (this.#lingerUntilMs !== Number.POSITIVE_INFINITY) return;
    this.#lingerUntilMs = this.#host.clock.monotonicMs() + this.#host.limits.lingerMsMax;
    this.#socket.end();
    this.#socket.resume();
  }

  #gone(): void {
    this.#forget();
    this.#host.closed(this);
  }

  /** What others are to answer is of no use any more. */
  #forget(): void {
    this.#closed = true;
    this.#deferred.close();
    this.session.forwarded?.close();
  }

  #describe(): { component: string; client: number; address: string; command: string } {
    const { args } = this.#decoder;
    return {
      component: 'network',
      client: this.session.id,
      address: this.session.address,
      command: args.count > 0 ? args.text(0).slice(0, 64) : '',
    };
  }
}

const PILE_UP = 'closed a client whose replies pile up';
/** A reply that comes later is a record at offset 0 of a log of its own. */
const FIRST = asOffset(0);

/**
 * Why the next command may not run. `turn`: at the turn's end; `suspended`, `output`, `deferred`: when that is over;
 * `done`: never.
 */
const Halt = { none: 0, turn: 1, suspended: 2, output: 3, done: 4, deferred: 5 } as const;
type Halt = (typeof Halt)[keyof typeof Halt];

/** A socket that is gone already has none. */
function addressOf(host = '?', port = 0): string {
  return formatAddress({ host, port });
}
