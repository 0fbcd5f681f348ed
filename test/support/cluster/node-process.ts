import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CASKADE, childEnvironment, type ProcessEnd } from '../server-process.ts';

const READY_MS_MAX = 30_000;
const READY_POLL_MS = 20;
const READY_LINE = /^ready: /m;

export interface NodeAddresses {
  /** Port of the plain listener, which forwards (R23). */
  readonly plainPort: number;
  /** Port of the cluster listener, which answers MOVED (R23). */
  readonly clusterPort: number;
  readonly rpcPort: number;
}

export interface NodeOptions extends NodeAddresses {
  readonly id: number;
  /** Its data and its log lie in there. */
  readonly directory: string;
  readonly flags: readonly string[];
  /** What to run instead of `caskade server`. */
  readonly program?: readonly string[];
}

/** Children that are alive: none may outlive this process, however it ends. */
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** One node of a cluster in a process of its own, always at the same addresses and on the same data. */
export class NodeProcess {
  readonly id: number;
  readonly addresses: NodeAddresses;
  readonly options: NodeOptions;
  readonly #directory: string;
  readonly #words: readonly string[];
  #child: ChildProcess | null = null;
  #ended: Promise<ProcessEnd> = Promise.resolve({ code: null, signal: null });
  #isPaused = false;
  #lives = 0;

  constructor(options: NodeOptions) {
    const { id, directory, flags, plainPort, clusterPort, rpcPort } = options;
    this.options = options;
    this.id = id;
    this.addresses = { plainPort, clusterPort, rpcPort };
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    this.#words = [
      ...(options.program ?? [...CASKADE, 'server']),
      `--node.id=${id}`,
      `--data.dir=${this.dataDirectory}`,
      '--resp.host=127.0.0.1',
      `--resp.port=${plainPort}`,
      `--resp.clusterPort=${clusterPort}`,
      `--rpc.port=${rpcPort}`,
      '--log.format=json',
      ...flags,
    ];
  }

  get dataDirectory(): string {
    return join(this.#directory, 'data');
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined || !this.isRunning) throw new Error(`node ${this.id} does not run`);
    return pid;
  }

  get ended(): Promise<ProcessEnd> {
    return this.#ended;
  }

  /** What this life printed so far. */
  get output(): string {
    return this.#lives === 0 ? '' : readFileSync(this.#logPath, 'utf8');
  }

  /** Where this life's output goes. */
  get #logPath(): string {
    return join(this.#directory, `life-${this.#lives}.log`);
  }

  /** Log events of this life that `holds` accepts. */
  logged(holds: (event: Readonly<Record<string, unknown>>) => boolean): Record<string, unknown>[] {
    return this.output
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(holds);
  }

  /** Starts the process without waiting for it. */
  spawn(): void {
    if (this.isRunning) throw new Error(`node ${this.id} runs already`);
    this.#lives += 1;
    const log = openSync(this.#logPath, 'w');
    const [command = '', ...words] = this.#words;
    const child = spawn(command, words, { env: childEnvironment(), stdio: ['ignore', log, log] });
    closeSync(log);
    children.add(child);
    this.#child = child;
    this.#isPaused = false;
    this.#ended = once(child, 'exit').then(([code, signal]) => {
      children.delete(child);
      return { code, signal };
    });
  }

  /** Resolves when it answers clients. */
  async ready(): Promise<void> {
    const deadline = performance.now() + READY_MS_MAX;
    while (!READY_LINE.test(this.output)) {
      if (!this.isRunning)
        throw new Error(`node ${this.id} ended before it was ready:\n${this.#lastWords()}`);
      if (performance.now() > deadline)
        throw new Error(`node ${this.id}: no ready line in ${READY_MS_MAX} ms:\n${this.#lastWords()}`);
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }

  async start(): Promise<void> {
    this.spawn();
    await this.ready();
  }

  /** Ends the process; resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<ProcessEnd> {
    if (this.isRunning) {
      if (signal !== 'SIGKILL') this.resume();
      this.#child?.kill(signal);
    }
    return await this.#ended;
  }

  /** Controlled shutdown: what it leads is handed over first. */
  stop(): Promise<ProcessEnd> {
    return this.kill('SIGTERM');
  }

  /** SIGSTOP: it hangs, and its sockets stay open. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused || !this.isRunning) return;
    process.kill(this.pid, 'SIGCONT');
    this.#isPaused = false;
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    if (this.isRunning) throw new Error(`node ${this.id} still runs`);
    rmSync(this.dataDirectory, { recursive: true, force: true });
  }

  #lastWords(): string {
    return this.output.slice(-3000);
  }
}
