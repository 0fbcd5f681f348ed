import type { Router } from '../../src/cluster/index.ts';
import { ALL_COMMANDS } from '../../src/commands/all-commands.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { Executor } from '../../src/commands/executor.ts';
import { EVERYTHING_HERE, type Placement } from '../../src/commands/placement.ts';
import { CommandCounters, type ListenerKind, type ServerPorts } from '../../src/commands/ports.ts';
import type { Session } from '../../src/commands/session.ts';
import { CommandTable } from '../../src/commands/table.ts';
import type { Clock } from '../../src/env/clock.ts';
import { asDatabaseId, asOffset } from '../../src/model/numbers.ts';
import { ArgumentViews } from '../../src/resp/arguments.ts';
import type { FakeClusterNode } from '../support/fake-cluster.ts';
import type { FakePartition, FakePartitionOptions } from '../support/fake-partition.ts';
import { FakeRouter } from '../support/fake-router.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { RecordingReply } from './recording-reply.ts';

export interface HarnessOptions {
  readonly partitions?: number;
  readonly commit?: FakePartitionOptions['commit'];
  readonly wallMs?: number;
  readonly valueBytesMax?: number;
  readonly settings?: readonly (readonly [string, string])[];
  /** The node of a cluster whose listener answers; else a node alone. */
  readonly node?: FakeClusterNode;
  readonly listener?: ListenerKind;
  /** Default: that of the node's listener for cluster clients; of a plain one, and of a node alone, everything is here. */
  readonly placement?: Placement;
  readonly clock?: SimulatedClock;
}

const RUNS_MAX = 1000;

/** One connection over fake partitions: commands go in as words, replies come out as RESP text. */
export class Harness {
  readonly clock: SimulatedClock;
  readonly router: FakeRouter;
  readonly server: ServerPorts;
  readonly context: CommandContext;
  readonly reply = new RecordingReply();
  readonly session: Session;
  shutdowns = 0;
  readonly #executor: Executor;
  readonly #routed: Router;

  constructor(options: HarnessOptions = {}) {
    this.clock =
      options.clock ?? new SimulatedClock(options.wallMs === undefined ? {} : { wallMs: options.wallMs });
    this.router = new FakeRouter(options.partitions ?? 1, {
      commit: options.commit ?? 'now',
      wallMs: () => this.clock.wallMs(),
    });
    this.server = serverPorts(options, this.clock, () => {
      this.shutdowns += 1;
    });
    const { node } = options;
    this.#routed = node?.router ?? this.router;
    this.session = newSession(this.clock);
    this.context = this.#newContext(this.session, this.reply);
    const redirecting = node !== undefined && options.listener !== 'plain' ? node.placement() : null;
    const placement = options.placement ?? redirecting ?? EVERYTHING_HERE;
    this.#executor = new Executor(this.server.table, this.server.counters, placement);
  }

  get partition(): FakePartition {
    return this.router.partitions[0] as FakePartition;
  }

  /** Another connection to the same store. */
  connect(): {
    readonly session: Session;
    run(...words: string[]): string;
    readonly context: CommandContext;
  } {
    const session = newSession(this.clock, 8);
    const reply = new RecordingReply();
    const context = this.#newContext(session, reply);
    return { session, context, run: (...words) => this.#run(context, reply, words) };
  }

  /** Runs a command once. Empty text: it was suspended, or has no reply. */
  run(...words: string[]): string {
    return this.#run(this.context, this.reply, words);
  }

  /** Runs the last command again, as a connection does after its suspension has resolved. */
  runAgain(): string {
    this.#executor.execute(this.context);
    return this.reply.take();
  }

  /** Runs a command until it is done, here or elsewhere. */
  async complete(...words: string[]): Promise<string> {
    let text = this.run(...words);
    for (let runs = 0; this.context.suspension !== null; runs += 1) {
      if (runs > RUNS_MAX) throw new Error(`${words[0]} was suspended ${runs} times`);
      await this.clock.until(this.context.suspension);
      text = this.runAgain();
    }
    const { deferred } = this.context;
    if (deferred === null) return text;
    if (deferred.bytes === null)
      await this.clock.until(new Promise<void>((done) => deferred.whenAnswered(() => done())));
    return Buffer.from(deferred.bytes ?? []).toString('latin1');
  }

  /** True if the reply of the last command must wait for a commit. */
  get isHeld(): boolean {
    const { holdCount, holdOffsets, holdPartitions } = this.context;
    for (let at = 0; at < holdCount; at += 1) {
      if ((holdOffsets[at] as number) >= (holdPartitions[at]?.highWatermark ?? 0)) return true;
    }
    return false;
  }

  #newContext(session: Session, reply: RecordingReply): CommandContext {
    return new CommandContext(new ArgumentViews(), reply, session, this.#routed, this.server, this.clock);
  }

  #run(context: CommandContext, reply: RecordingReply, words: readonly string[]): string {
    fill(context.args, words);
    this.#executor.execute(context);
    return reply.take();
  }
}

/** Fills in arguments as the decoder does: views into one buffer. Words are Latin-1. */
export function fill(args: ArgumentViews, words: readonly string[]): void {
  args.reset(Buffer.from(`\0${words.join('\0')}\0`, 'latin1'));
  let at = 1;
  for (const word of words) {
    args.push(at, at + word.length);
    at += word.length + 1;
  }
}

function newSession(clock: SimulatedClock, id = 7): Session {
  return {
    id,
    address: '127.0.0.1:5000',
    localAddress: '127.0.0.1:6379',
    createdAtMs: clock.wallMs(),
    name: '',
    libraryName: '',
    libraryVersion: '',
    database: asDatabaseId(0),
    closeAfterReply: false,
    appended: [],
    committed: () => undefined,
    inDoubt(partition, firstOffset) {
      if ((this.appended[partition.id] ?? -1) >= firstOffset) this.appended[partition.id] = asOffset(-1);
    },
  };
}

/** Of a server of which nothing but its commands is real. */
export function serverPorts(options: HarnessOptions, clock: Clock, shutdown: () => void): ServerPorts {
  return {
    stats: {
      version: '0.1.0',
      runId: 'a'.repeat(40),
      processId: 4711,
      port: 6379,
      executable: '/usr/bin/node',
      configFile: '',
      dataDirectory: '/data',
      engine: 'bitcask',
      flushMode: 'always',
      startedAtMs: clock.monotonicMs(),
      startedAtWallMs: clock.wallMs(),
      memory: () => ({ rssBytes: 4096, heapUsedBytes: 1024, externalBytes: 1024, rssPeakBytes: 8192 }),
      cpuSeconds: () => ({ user: 1.5, system: 0.25 }),
      loopLagMs: () => 2,
      recoveryMs: 12,
    },
    clients: {
      connectedClients: 1,
      clientsMax: 10_000,
      connectionsReceived: 3,
      connectionsRejected: 0,
      netInputBytes: 100,
      netOutputBytes: 200,
    },
    config: { entries: () => options.settings ?? [] },
    counters: new CommandCounters(),
    table: new CommandTable(ALL_COMMANDS),
    ...(options.node === undefined ? {} : { cluster: options.node.port(options.listener ?? 'cluster') }),
    valueBytesMax: options.valueBytesMax ?? 64 * 1024 * 1024,
    mergeFailed: () => undefined,
    shutdown,
  };
}
