import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { boundToParent } from '../processes/bound-child.ts';
import { LogLines } from './log-lines.ts';
import type { NodePlan } from './node-plan.ts';

/** A little longer than the node's own bound for answering what it accepted. */
const STOP_MS_MAX = 15_000;
const READY_LINE = /^ready: /;

export interface NodeEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `exit code 5`, `signal SIGKILL`. */
export function describeEnd({ code, signal }: NodeEnd): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}

export interface NodeOutput {
  readonly prefix: string;
  readonly stdout: Pick<Writable, 'write'>;
  readonly stderr: Pick<Writable, 'write'>;
}

/** `caskade server` in a process of its own. Started once: who died is started again by hand. */
export class NodeProcess {
  readonly plan: NodePlan;
  readonly #child: ChildProcess;
  /** When it is gone and all it printed is out. */
  readonly ended: Promise<NodeEnd>;
  /** When it says that it serves; never, if it ends before. */
  readonly ready: Promise<void>;
  #isReady = false;

  constructor(plan: NodePlan, program: readonly string[], output: NodeOutput) {
    this.plan = plan;
    const [command = '', ...words] = boundToParent([...program, 'server', ...plan.words], 'TERM');
    // In a group of its own: Ctrl-C is for who started it, and nodes go before their ZooKeeper.
    this.#child = spawn(command, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: childEnvironment(),
    });
    let sayReady: () => void = () => {};
    this.ready = new Promise((resolve) => {
      sayReady = resolve;
    });
    const stdout = new LogLines(output.prefix, output.stdout, (line) => {
      if (!READY_LINE.test(line)) return;
      this.#isReady = true;
      sayReady();
    });
    const stderr = new LogLines(output.prefix, output.stderr);
    this.#child.stdout?.on('data', (chunk: Buffer) => stdout.take(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => stderr.take(chunk));
    this.ended = this.#end(stdout, stderr);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  #end(stdout: LogLines, stderr: LogLines): Promise<NodeEnd> {
    return new Promise((resolve) => {
      this.#child.once('error', (error) => {
        stderr.take(Buffer.from(`${error.message}\n`));
        resolve({ code: 1, signal: null });
      });
      this.#child.once('close', (code, signal) => {
        stdout.end();
        stderr.end();
        resolve({ code, signal });
      });
    });
  }

  /** SIGTERM, and SIGKILL for one that does not end within 15 s; answers whether that was needed. */
  async stop(): Promise<'stopped' | 'killed'> {
    let how: 'stopped' | 'killed' = 'stopped';
    const timer = setTimeout(() => {
      how = 'killed';
      this.kill();
    }, STOP_MS_MAX);
    if (this.isRunning) this.#child.kill('SIGTERM');
    await this.ended;
    clearTimeout(timer);
    return how;
  }

  kill(): void {
    if (this.isRunning) this.#child.kill('SIGKILL');
  }
}

/** Its configuration is the one file on its command line. The pool's size must be there before Node begins. */
function childEnvironment(): NodeJS.ProcessEnv {
  const { CASKADE_CONFIG: _file, ...environment } = process.env;
  return { UV_THREADPOOL_SIZE: '16', ...environment };
}
