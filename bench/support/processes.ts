import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { boundToParent } from '../../scripts/processes/bound-child.ts';
import { CASKADE } from '../../scripts/processes/caskade-program.ts';

/** From dist/bench/support to the project's root. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const START_MS_MAX = 30_000;

/** A server under test: its process, its port, and the directory that goes with it. */
export interface Server {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Processor time used so far, user and system, in seconds. */
  cpuSeconds(): number;
  rssBytes(): number;
  stop(): Promise<void>;
}

/** A directory on the file system of the project, never tmpfs: a sync must be one. */
export function newDataDirectory(): string {
  return mkdtempSync(join(ROOT, 'data-bench-'));
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export async function startCaskade(
  flags: readonly string[] = [],
  directory = newDataDirectory(),
): Promise<Server> {
  const port = await freePort();
  const [node = '', ...program] = CASKADE;
  const words = boundToParent([node, ...nodeFlags(), ...program], 'KILL');
  const args = ['server', `--data.dir=${directory}`, `--resp.port=${port}`, '--log.level=error', ...flags];
  const child = spawn(words[0] ?? node, [...words.slice(1), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
  });
  await waitFor(child, /^ready/m);
  return asServer('caskade', child, port, directory);
}

/** redis-server as it is compared against: every write synced before its answer. */
export async function startRedis(
  flags: readonly string[] = ['--appendonly', 'yes', '--appendfsync', 'always'],
  directory = newDataDirectory(),
): Promise<Server> {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', ...flags];
  const [command = '', ...words] = boundToParent(['redis-server', ...args], 'KILL');
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  await waitFor(child, /Ready to accept connections/);
  return asServer('redis', child, port, directory);
}

/** Requests a second of one redis-benchmark run. */
export function redisBenchmark(port: number, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    execFile('redis-benchmark', ['-p', String(port), '--csv', ...args], (error, stdout) => {
      const row = stdout.trim().split('\n').at(-1) ?? '';
      const rate = Number(row.split(',')[1]?.replaceAll('"', ''));
      if (error !== null || !Number.isFinite(rate)) reject(new Error(`redis-benchmark failed: ${stdout}`));
      else resolve(rate);
    });
  });
}

function nodeFlags(): string[] {
  return (process.env.BENCH_NODE_FLAGS ?? '').split(' ').filter((flag) => flag !== '');
}

function asServer(name: string, child: ChildProcess, port: number, directory: string): Server {
  const pid = child.pid as number;
  return {
    name,
    port,
    pid,
    cpuSeconds: () => cpuSecondsOf(pid),
    rssBytes: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024,
    stop: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
      rmSync(directory, { recursive: true });
    },
  };
}

/** utime and stime of /proc/<pid>/stat, at 100 ticks a second. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function waitFor(child: ChildProcess, pattern: RegExp): Promise<void> {
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`no start within ${START_MS_MAX} ms: ${output}`)),
      START_MS_MAX,
    );
    child.on('exit', (code) => reject(new Error(`ended with ${String(code)}: ${output}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4096);
      if (!pattern.test(output)) return;
      clearTimeout(timer);
      resolve();
    });
  });
}
