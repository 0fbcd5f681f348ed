import type {
  CommitListener,
  ForwardRequest,
  LeaderPartition,
  MapSource,
  NumberedCommand,
  Router,
} from '../../cluster/index.ts';
import type { Clock } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import { CaskadeError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import type { Offset } from '../../model/numbers.ts';
import type { OutputPool } from '../../resp/output-pool.ts';
import { ReplyBuffer } from '../../resp/reply-buffer.ts';
import { DecodeOutcome, RequestDecoder } from '../../resp/request-decoder.ts';
import { CommandContext } from '../context.ts';
import type { Executor } from '../executor.ts';
import { CommandNumbering } from '../numbering.ts';
import type { ServerPorts } from '../ports.ts';
import { ForwardedSession } from './forwarded-session.ts';
import { PartitionScope } from './partition-scope.ts';

export interface CommandRunParts {
  readonly executor: Executor;
  readonly router: Router & MapSource;
  readonly ports: ServerPorts;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'error'>;
  readonly pool: OutputPool;
}

/**
 * How a run ended. `ran`: `reply` may be answered once `offset` is committed, at once if nothing was appended (-1). An
 * error of a command is such a reply. `refused`: nothing was appended. `broken`: what it appended is not known to be
 * whole.
 */
export type RunResult =
  | { readonly kind: 'suspended'; readonly until: Promise<void> }
  | { readonly kind: 'ran'; readonly reply: Buffer; readonly offset: number }
  | { readonly kind: 'refused'; readonly error: CaskadeError }
  | { readonly kind: 'broken'; readonly offset: Offset; readonly error: CaskadeError };

const INTERNAL = new CaskadeError('invalidArgument', 'internal error');

/** Runs forwarded commands, one after the other, as a connection would run them: the same executor, and a context. */
export class CommandRun {
  readonly #parts: CommandRunParts;
  readonly #decoder = new RequestDecoder(LIMITS);
  readonly #reply: ReplyBuffer;
  readonly #session: ForwardedSession;
  readonly #scope: PartitionScope;
  readonly #context: CommandContext;
  #request: ForwardRequest | null = null;

  constructor(parts: CommandRunParts, listener: CommitListener | null) {
    const { pool, clock, router, ports } = parts;
    this.#parts = parts;
    this.#reply = new ReplyBuffer(pool);
    this.#session = new ForwardedSession(clock.wallMs(), listener);
    this.#scope = new PartitionScope(router);
    const { args } = this.#decoder;
    this.#context = new CommandContext(args, this.#reply, this.#session, this.#scope, ports, clock);
  }

  /** What is told of all that was appended here: one for each partition, whatever ran. */
  get listener(): CommitListener {
    return this.#session;
  }

  /** It was suspended, and has not ended. */
  hasBegun(request: ForwardRequest): boolean {
    return this.#request === request;
  }

  /**
   * Runs the command, or runs it again after a suspension. `numbered`: admitted to be executed in this turn; null: it
   * has no number.
   */
  run(request: ForwardRequest, partition: LeaderPartition, numbered: NumberedCommand | null): RunResult {
    if (request !== this.#request && !this.#begin(request)) return { kind: 'refused', error: INTERNAL };
    this.#scope.enter(partition);
    const context = this.#context;
    const start = this.#reply.position;
    const numbering = numbered === null ? null : new CommandNumbering(partition, numbered, this.#reply);
    context.numbering = numbering;
    try {
      this.#parts.executor.execute(context);
      if (context.suspension !== null) return { kind: 'suspended', until: context.suspension };
      if (context.refusal !== null) return this.#refused(context.refusal, start);
      // Rejected before its handler: the number is used up all the same.
      if (numbering?.outcome === null) context.endNumbered(numbering);
    } catch (error) {
      return this.#failed(error, start, partition, numbering);
    }
    const reply = numbering?.outcome ?? this.#reply.copyFrom(start);
    this.#reply.rewind(start);
    this.end();
    const held = context.holdCount > 0 ? (context.holdOffsets[0] as Offset) : -1;
    return { kind: 'ran', reply, offset: held };
  }

  /** The command is not run again. */
  end(): void {
    this.#request = null;
    this.#context.progress = undefined;
    this.#context.suspension = null;
    this.#decoder.args.release();
  }

  #begin(request: ForwardRequest): boolean {
    this.end();
    const { command } = request;
    this.#decoder.feed(Buffer.from(command.buffer, command.byteOffset, command.byteLength));
    if (this.#decoder.next() !== DecodeOutcome.command) return false;
    this.#request = request;
    this.#reply.version = request.respVersion;
    this.#session.serve(request);
    return true;
  }

  #refused(error: CaskadeError, start: number): RunResult {
    this.#reply.rewind(start);
    this.end();
    return { kind: 'refused', error };
  }

  /** A handler threw. A numbered command that has begun must end, or no other can begin. */
  #failed(
    thrown: unknown,
    start: number,
    partition: LeaderPartition,
    numbering: CommandNumbering | null,
  ): RunResult {
    this.#reply.rewind(start);
    this.end();
    if (!(thrown instanceof CaskadeError))
      this.#parts.logger.error({ component: 'forward', err: thrown }, 'a command failed by a bug');
    const error = thrown instanceof CaskadeError ? thrown : INTERNAL;
    if (numbering === null || !numbering.hasBegun) return { kind: 'refused', error };
    const before = partition.logEndOffset;
    try {
      return { kind: 'broken', offset: partition.endCommand(Buffer.from(`-${error.respText}\r\n`)), error };
    } catch {
      return { kind: 'broken', offset: before, error };
    }
  }
}
