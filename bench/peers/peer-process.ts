import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { boundToParent } from '../../scripts/processes/bound-child.ts';
import { cpuSecondsOf } from '../support/processes.ts';

const START_MS_MAX = 30_000;
const OUTPUT_CHARACTERS_KEPT = 2_000;

/** Children that are alive: none may outlive this process, also where it cannot be told of its death (macOS). */
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

export interface PeerProcessOptions {
  readonly name: string;
  readonly words: readonly string[];
  /** What its standard output or error says once it serves. */
  readonly ready: RegExp;
  readonly environment?: Readonly<Record<string, string>>;
}

/** One server of a peer: started, killed and started again, always by its own process id. */
export class PeerProcess {
  readonly name: string;
  readonly #options: PeerProcessOptions;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(options: PeerProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Resolves when it serves. */
  static async start(options: PeerProcessOptions): Promise<PeerProcess> {
    const peer = new PeerProcess(options);
    await peer.restart();
    return peer;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** The last of what this life of it printed. */
  get output(): string {
    return this.#output;
  }

  /** Processor time of this life so far, in seconds. */
  cpuSeconds(): number {
    return cpuSecondsOf(this.pid);
  }

  async restart(): Promise<void> {
    await this.end('SIGKILL');
    const [command = '', ...words] = boundToParent(this.#options.words, 'KILL');
    const child = spawn(command, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.#options.environment },
      // Ctrl-C is for us: we end it then.
      detached: true,
    });
    this.#child = child;
    children.add(child);
    child.once('exit', () => children.delete(child));
    this.#output = '';
    await this.#ready(child);
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Resolves when it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    // A stopped process takes a SIGTERM only once it runs again.
    child.kill('SIGCONT');
    await exited;
  }

  #ready(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (what: string): void => reject(new Error(`${this.name} ${what}: ${this.#output}`));
      const timer = setTimeout(() => fail(`did not start within ${START_MS_MAX} ms`), START_MS_MAX);
      const heard = (chunk: Buffer): void => {
        this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_CHARACTERS_KEPT);
        if (!this.#options.ready.test(this.#output)) return;
        clearTimeout(timer);
        resolve();
      };
      child.stdout?.on('data', heard);
      child.stderr?.on('data', heard);
      child.once('error', (error) => fail(error.message));
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        fail(`ended with ${String(code ?? signal)}`);
      });
    });
  }
}
