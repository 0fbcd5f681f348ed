import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { CommandContext } from '../../src/commands/context.ts';
import { Executor } from '../../src/commands/executor.ts';
import type { Placement } from '../../src/commands/placement.ts';
import { CommandCounters, type ServerPorts } from '../../src/commands/ports.ts';
import type { CommandSpec } from '../../src/commands/spec.ts';
import { CommandTable } from '../../src/commands/table.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { asEpochMillis, asMonotonicMillis, NO_EXPIRY } from '../../src/model/numbers.ts';
import { ConnectionRegistry } from '../../src/network/connection-registry.ts';
import { RespServer, type RespServerOptions } from '../../src/network/resp-server.ts';
import type { Reply } from '../../src/resp/reply.ts';
import { ReplyDecoder } from '../../src/resp/reply-decoder.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import type { FakePartition, FakePartitionOptions } from '../support/fake-partition.ts';
import { FakeRouter } from '../support/fake-router.ts';

export interface FixtureOptions extends Partial<RespServerOptions> {
  readonly partitionCount?: number;
  readonly commit?: FakePartitionOptions['commit'];
  readonly clientsMax?: number;
  readonly placement?: Placement;
}

/** A gate that commands wait at, until the test opens it. */
export class Gate {
  #open: () => void = () => undefined;
  passed = false;
  readonly opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });

  open(): void {
    this.passed = true;
    this.#open();
  }
}

/** A real server on a free port, over fake partitions and a table of commands made for these tests. */
export class Fixture {
  readonly router: FakeRouter;
  readonly registry: ConnectionRegistry;
  readonly logger = new CollectingLogger();
  readonly server: RespServer;
  readonly counters = new CommandCounters();
  gate = new Gate();
  gateRuns = 0;
  port = 0;
  readonly #clients: Client[] = [];
  #stopped = false;

  constructor(options: FixtureOptions = {}) {
    this.router = new FakeRouter(options.partitionCount ?? 1, { commit: options.commit ?? 'now' });
    this.registry = new ConnectionRegistry(options.clientsMax ?? 100);
    const table = new CommandTable(specs(this));
    this.server = new RespServer(
      { host: '127.0.0.1', port: 0, idleTimeoutMs: 0, ...options },
      {
        executor: new Executor(table, this.counters, options.placement),
        router: this.router,
        ports: serverPorts(table, this.registry, this.counters),
        registry: this.registry,
        clock: new SystemClock(),
        logger: this.logger,
      },
    );
  }

  async start(): Promise<this> {
    this.port = await this.server.listen();
    return this;
  }

  async client(): Promise<Client> {
    const socket = connect({ host: '127.0.0.1', port: this.port, allowHalfOpen: true });
    const client = new Client(socket);
    this.#clients.push(client);
    await once(socket, 'connect');
    return client;
  }

  partition(index: number): FakePartition {
    return this.router.partitions[index] as FakePartition;
  }

  /** A key that lies in partition `index`. */
  keyIn(index: number): string {
    for (let count = 0; ; count += 1) {
      const key = Buffer.from(`key${count}`);
      if (this.router.partitionOf(key, 0, key.length) === this.partition(index)) return key.toString();
    }
  }

  async stop(deadlineMs = 0): Promise<{ cutCount: number }> {
    if (this.#stopped) return { cutCount: 0 };
    this.#stopped = true;
    return await this.server.stop(deadlineMs);
  }

  async dispose(): Promise<void> {
    this.gate.open();
    for (const client of this.#clients) client.socket.destroy();
    await this.stop();
  }
}

/** A client that sees raw replies, in order. */
export class Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  /** Resolves when the server has ended its side. */
  readonly ended: Promise<unknown>;
  readonly #decoder = new ReplyDecoder();
  readonly #replies: Reply[] = [];
  #wake: () => void = () => undefined;
  #isOver = false;

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.on('close', resolve));
    this.ended = new Promise((resolve) => {
      socket.on('end', resolve);
      socket.on('close', resolve);
    });
    void this.ended.then(() => {
      this.#isOver = true;
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => this.#received(chunk));
  }

  /** Sends inline commands. */
  send(...lines: string[]): void {
    this.socket.write(lines.map((line) => `${line}\r\n`).join(''));
  }

  /** The next reply as one line of text; '(end)' once the server has ended the connection. */
  async next(): Promise<string> {
    for (;;) {
      const reply = this.#replies.shift();
      if (reply !== undefined) return textOf(reply);
      if (this.#isOver) return '(end)';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async take(count: number): Promise<string[]> {
    const found: string[] = [];
    for (let index = 0; index < count; index += 1) found.push(await this.next());
    return found;
  }

  /** Replies that have arrived and were not taken. */
  get waiting(): number {
    return this.#replies.length;
  }

  #received(chunk: Buffer): void {
    this.#decoder.feed(chunk);
    for (let reply = this.#decoder.next(); reply !== undefined; reply = this.#decoder.next())
      this.#replies.push(reply);
    this.#wake();
  }
}

function textOf(reply: Reply): string {
  switch (reply.kind) {
    case 'simple':
      return reply.text;
    case 'error':
      return `-${reply.text}`;
    case 'integer':
      return `:${reply.value}`;
    case 'bulk':
      return reply.bytes.length > 100 ? `${reply.bytes.length} bytes` : reply.bytes.toString();
    case 'nil':
      return '(nil)';
    default:
      return reply.kind;
  }
}

/** Waits for a condition, turn by turn. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function serverPorts(
  table: CommandTable,
  clients: ConnectionRegistry,
  counters: CommandCounters,
): ServerPorts {
  return {
    stats: {
      version: '0',
      runId: '',
      processId: 0,
      port: 0,
      executable: '',
      configFile: '',
      dataDirectory: '',
      engine: '',
      flushMode: '',
      startedAtMs: asMonotonicMillis(0),
      startedAtWallMs: asEpochMillis(0),
      memory: () => ({ rssBytes: 0, rssPeakBytes: 0, heapUsedBytes: 0, externalBytes: 0 }),
      cpuSeconds: () => ({ user: 0, system: 0 }),
      loopLagMs: () => 0,
      recoveryMs: 0,
    },
    clients,
    config: { entries: () => [] },
    counters,
    table,
    valueBytesMax: 1_000_000,
    mergeFailed: () => undefined,
    shutdown: () => undefined,
  };
}

function specs(fixture: Fixture): CommandSpec[] {
  const write = ['write'] as const;
  return [
    spec('ping', -1, [], ({ reply }) => reply.simple('PONG')),
    spec('quit', 1, [], ({ reply, session }) => {
      session.closeAfterReply = true;
      reply.ok();
    }),
    spec('set', 3, write, (context) => {
      context.putArgument(1, 2, NO_EXPIRY);
      context.reply.ok();
    }),
    spec('setnx', 3, write, (context) => {
      if (!context.readAppended(1, false)) return;
      if (!context.entry.found) context.putArgument(1, 2, NO_EXPIRY);
      context.reply.integer(context.appendCount);
    }),
    spec('get', 2, [], (context) => {
      if (context.read(1)) context.replyValue();
    }),
    spec('flushall', 1, write, (context) => {
      context.flushDatabase();
      context.reply.ok();
    }),
    spec('gate', 1, [], (context) => {
      fixture.gateRuns += 1;
      if (!fixture.gate.passed) context.suspend(fixture.gate.opened);
      else context.reply.simple('THROUGH');
    }),
    spec('big', 2, [], ({ args, reply }) => {
      const bytes = Buffer.alloc(Number(args.text(1)), 'b');
      reply.bulk(bytes, 0, bytes.length);
    }),
    spec('bug', -1, write, (context) => {
      context.reply.array(3);
      if (context.args.count === 3) context.putArgument(1, 2, NO_EXPIRY);
      throw new Error('planted');
    }),
    spec('forgets', -1, write, (context) => {
      context.putArgument(1, 2, NO_EXPIRY);
      fixture.partition(0).takeBack(1);
      throw new RangeError('no memory');
    }),
    spec('refused', 1, [], (context) => {
      context.reply.array(3);
      throw new CaskadeError('overloaded', 'not now');
    }),
  ];
}

function spec(
  name: string,
  arity: number,
  flags: CommandSpec['flags'],
  run: (context: CommandContext) => void,
): CommandSpec {
  return {
    name,
    arity,
    flags,
    keys: { first: 0, last: 0, step: 0 },
    aclCategories: [],
    group: 'string',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'For tests.',
    run,
  };
}
