import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CASKADE } from '../../scripts/processes/caskade-program.ts';

export { CASKADE, SOURCE_ROOT } from '../../scripts/processes/caskade-program.ts';

const READY_MS_MAX = 20_000;
const READY_LINE = /^ready: .* answers on (\S+):(\d+) .*$/m;

/** The environment of a child: ours, without settings that would change the program's. */
export function childEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('CASKADE_'));
  return { ...(Object.fromEntries(kept) as Record<string, string>), UV_THREADPOOL_SIZE: '16' };
}

export interface ServerOptions {
  /** Kept by the caller; without one the server gets a directory of its own, removed by `destroy`. */
  readonly directory?: string;
  /** Further flags, as `--storage.engine=memory`. */
  readonly flags?: readonly string[];
  /** What to run instead of `caskade server`. */
  readonly program?: readonly string[];
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server in a process of its own, on a free port of 127.0.0.1, that can be killed and started again. */
export class ServerProcess {
  readonly directory: string;
  readonly #ownsDirectory: boolean;
  readonly #flags: readonly string[];
  readonly #program: readonly string[];
  #child: ChildProcess | undefined;
  #ended: Promise<ProcessEnd> = Promise.resolve({ code: null, signal: null });
  #port = 0;
  /** What this life of the server printed so far. */
  stdout = '';
  stderr = '';

  private constructor(options: ServerOptions) {
    this.#ownsDirectory = options.directory === undefined;
    this.directory = options.directory ?? mkdtempSync(join(tmpdir(), 'caskade-server-'));
    this.#flags = options.flags ?? [];
    this.#program = options.program ?? [...CASKADE, 'server'];
  }

  /** Resolves when the server accepts clients. */
  static async start(options: ServerOptions = {}): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    try {
      await server.restart();
    } catch (error) {
      await server.destroy();
      throw error;
    }
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the server does not run');
    return pid;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get ended(): Promise<ProcessEnd> {
    return this.#ended;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts a process on the same directory without waiting for it to serve. */
  spawn(): void {
    if (this.isRunning) throw new Error('the server runs already');
    this.stdout = '';
    this.stderr = '';
    const [command = '', ...words] = this.#program;
    const own = [`--data.dir=${this.directory}`, '--resp.host=127.0.0.1', '--resp.port=0'];
    const child = spawn(command, [...words, ...own, ...this.#flags], {
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.#child = child;
    this.#ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  /** Starts a process on the same directory; resolves when it serves. */
  async restart(): Promise<void> {
    this.spawn();
    const child = this.#child as ChildProcess;
    const deadline = AbortSignal.timeout(READY_MS_MAX);
    const gone = this.#ended.then(({ code, signal }) => {
      throw new Error(`the server ended (${code ?? signal}) before it was ready: ${this.#output()}`);
    });
    gone.catch(() => {});
    let ready = READY_LINE.exec(this.stdout);
    while (ready === null) {
      const heard = once(child.stdout as NodeJS.EventEmitter, 'data', { signal: deadline });
      await Promise.race([heard, gone]).catch((error: unknown) => {
        if (deadline.aborted) throw new Error(`no ready line in ${READY_MS_MAX} ms: ${this.#output()}`);
        throw error;
      });
      ready = READY_LINE.exec(this.stdout);
    }
    this.#port = Number(ready[2]);
  }

  /** Ends the process and resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<ProcessEnd> {
    if (this.isRunning) this.#child?.kill(signal);
    return await this.#ended;
  }

  /** Log events of this life whose `msg` is `text`. */
  logged(text: string): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((event) => event.msg === text);
  }

  /** Resident memory now, in bytes. */
  async residentBytes(): Promise<number> {
    const { readFile } = await import('node:fs/promises');
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** Kills what runs and removes the directory, if it was made here. */
  async destroy(): Promise<void> {
    if (this.#child !== undefined) await this.kill();
    if (this.#ownsDirectory) rmSync(this.directory, { recursive: true, force: true });
  }

  #output(): string {
    return `${this.stdout.slice(-2000)}\n${this.stderr.slice(-2000)}`;
  }
}
