/**
 * The RESP server alone: GET, SET and PING over a small table in memory, behind the real sockets, decoder, executor and
 * reply buffer. Measured by redis-benchmark, beside redis-server on the same machine in the same run:
 *
 *   node dist/bench/resp-server.js [requests]
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { ReadArrivals } from '../src/cluster/index.ts';
import type { CommandContext } from '../src/commands/context.ts';
import { Executor } from '../src/commands/executor.ts';
import { CommandCounters, type ServerPorts, type ServerStats } from '../src/commands/ports.ts';
import type { CommandSpec } from '../src/commands/spec.ts';
import { CommandTable } from '../src/commands/table.ts';
import { SystemClock } from '../src/env/clock.ts';
import { asEpochMillis, asMonotonicMillis } from '../src/model/numbers.ts';
import { ConnectionRegistry } from '../src/network/connection-registry.ts';
import { RespServer } from '../src/network/resp-server.ts';

const SLOTS = 4096;
const SLOT_BYTES = 256;

/** Values of up to 252 bytes by a hash of their key; keys that collide share one. Enough to give a server work. */
class SmallTable {
  readonly #bytes = Buffer.alloc(SLOTS * SLOT_BYTES);
  readonly #lengths = new Int32Array(SLOTS).fill(-1);

  set({ args }: CommandContext): void {
    const slot = slotOf(args.bytes, args.start(1), args.end(1));
    let to = slot * SLOT_BYTES;
    for (let at = args.start(2); at < args.end(2); at += 1) {
      this.#bytes[to] = args.bytes[at] as number;
      to += 1;
    }
    this.#lengths[slot] = args.length(2);
  }

  get({ args, reply }: CommandContext): void {
    const slot = slotOf(args.bytes, args.start(1), args.end(1));
    const length = this.#lengths[slot] as number;
    if (length < 0) reply.nil();
    else reply.bulk(this.#bytes, slot * SLOT_BYTES, slot * SLOT_BYTES + length);
  }
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return (hash >>> 0) % SLOTS;
}

function spec(name: string, arity: number, run: (context: CommandContext) => void): CommandSpec {
  return {
    name,
    arity,
    flags: [],
    keys: { first: 1, last: 1, step: 1 },
    aclCategories: [],
    group: 'string',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Serves the benchmark.',
    run,
  };
}

const table = new SmallTable();
const commands = new CommandTable([
  spec('get', 2, (context) => table.get(context)),
  spec('set', 3, (context) => {
    table.set(context);
    context.reply.ok();
  }),
  spec('ping', -1, (context) => context.reply.simple('PONG')),
  spec('config', -1, (context) => context.reply.array(0)),
]);

const stats: ServerStats = {
  version: '0',
  runId: '',
  processId: process.pid,
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
};

async function serve(): Promise<void> {
  const registry = new ConnectionRegistry(10_000);
  const counters = new CommandCounters();
  const ports: ServerPorts = {
    stats,
    clients: registry,
    config: { entries: () => [] },
    counters,
    table: commands,
    valueBytesMax: SLOT_BYTES,
    mergeFailed: () => undefined,
    shutdown: () => undefined,
  };
  const router = {
    partitions: [],
    arrivals: new ReadArrivals(),
    partitionOf: () => {
      throw new Error('the benchmark has no partitions');
    },
  };
  const server = new RespServer(
    { host: '127.0.0.1', port: 0, idleTimeoutMs: 0 },
    {
      executor: new Executor(commands, counters),
      router,
      ports,
      registry,
      clock: new SystemClock(),
      logger: console,
    },
  );
  process.on('SIGTERM', () => {
    void server.stop(1000);
  });
  process.stdout.write(`${await server.listen()}\n`);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Requests per second of one redis-benchmark run. */
async function measure(port: number, command: string, pipeline: number, requests: number): Promise<number> {
  const args = [
    '-p',
    `${port}`,
    '-t',
    command,
    '-P',
    `${pipeline}`,
    '-n',
    `${requests}`,
    '-c',
    '50',
    '-d',
    '64',
    '--csv',
  ];
  const output = await new Promise<string>((resolve, reject) => {
    execFile('redis-benchmark', args, (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });
  const row = output.trim().split('\n').at(-1) as string;
  return Number(row.split(',')[1]?.replaceAll('"', ''));
}

async function compare(requests: number): Promise<void> {
  const script = process.argv[1] as string;
  const ours = spawn(process.execPath, [...process.execArgv, script, 'serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await once(ours.stdout, 'data')) as [Buffer];
  const redisPort = await freePort();
  const redis = spawn('redis-server', ['--port', `${redisPort}`, '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
  });
  const children: ChildProcess[] = [ours, redis];
  try {
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.stdout.write('command pipeline redis/s ours/s ratio\n');
    for (const pipeline of [1, 16, 64]) {
      for (const command of ['set', 'get']) {
        const count = pipeline === 1 ? requests : requests * 10;
        await measure(Number(first.toString()), command, pipeline, count / 4);
        const theirs = await measure(redisPort, command, pipeline, count);
        const mine = await measure(Number(first.toString()), command, pipeline, count);
        const ratio = (mine / theirs).toFixed(2);
        process.stdout.write(`${command} ${pipeline} ${Math.round(theirs)} ${Math.round(mine)} ${ratio}\n`);
      }
    }
  } finally {
    for (const child of children) child.kill('SIGTERM');
  }
}

if (process.argv[2] === 'serve') await serve();
else await compare(Number(process.argv[2] ?? 100_000));
