import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RunResult } from './run-result.ts';
import type { RunSettings } from './run-settings.ts';

/** What a child is told, and what it answers. */
export type PoolRequest = Partial<RunSettings> & Pick<RunSettings, 'seed'>;
export type PoolAnswer =
  | { readonly kind: 'done'; readonly result: RunResult }
  | { readonly kind: 'broken'; readonly seed: number; readonly text: string };

/**
 * V8 optimizes what has run for longer than it does by default: in the first runs of a child, compiling is most of the
 * work. Changes no result.
 */
const COMPILES_LATER = ['--interrupt-budget=400000'];
/** A run that takes longer than this in real time hangs. */
const RUN_MS_MAX = 300_000;

/**
 * Runs in child processes: each a world of its own, so that two of them use two cores and a run that hangs can be ended.
 */
export class RunPool {
  readonly #children: number;

  constructor(children: number) {
    this.#children = children;
  }

  /** Runs `requests` until they are at their end or `answered` returns false. */
  async run(requests: Iterator<PoolRequest>, answered: (answer: PoolAnswer) => boolean): Promise<void> {
    let isOver = false;
    const next = (): PoolRequest | null => {
      if (isOver) return null;
      const { done, value } = requests.next();
      return done === true ? null : value;
    };
    const take = (answer: PoolAnswer): void => {
      if (!answered(answer)) isOver = true;
    };
    await Promise.all(Array.from({ length: this.#children }, () => this.#serve(next, take)));
  }

  async #serve(next: () => PoolRequest | null, take: (answer: PoolAnswer) => void): Promise<void> {
    let child = startChild();
    for (let request = next(); request !== null; request = next()) {
      const answer = await ask(child, request);
      take(answer);
      if (answer.kind === 'done') continue;
      child.kill('SIGKILL');
      child = startChild();
    }
    child.disconnect();
  }
}

function startChild(): ChildProcess {
  return fork(fileURLToPath(new URL('./run-child.js', import.meta.url)), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [...process.execArgv, ...COMPILES_LATER],
  });
}

function ask(child: ChildProcess, request: PoolRequest): Promise<PoolAnswer> {
  return new Promise((resolve) => {
    const finish = (answer: PoolAnswer): void => {
      clearTimeout(timer);
      child.removeAllListeners('message');
      child.removeAllListeners('exit');
      resolve(answer);
    };
    const broken = (text: string): void => finish({ kind: 'broken', seed: request.seed, text });
    const timer = setTimeout(() => broken(`no end after ${RUN_MS_MAX / 1_000} s`), RUN_MS_MAX);
    child.on('message', (answer: PoolAnswer) => finish(answer));
    child.on('exit', (code, signal) => broken(`the process ended: ${signal ?? code ?? 'unknown'}`));
    child.send(request);
  });
}
