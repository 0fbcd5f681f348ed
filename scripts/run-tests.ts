/**
 * The test runner behind `make test`: closed by one line, `N passed, N failed`, that agrees with the exit code and is the
 * last thing printed. The tests run in a process of their own (tests/mocha-run.ts), for Node can hang between its `exit`
 * event and the end of the process, with everything done and told (nodejs/node#54918): then it is ended from here.
 *
 * Usage: node dist/scripts/run-tests.js [--grep TEXT] [--reporter NAME] [path under test/, file or folder]...
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { RESULT_DESCRIPTOR, type Result } from './tests/result.ts';

/** How long a process may take to end that has told its result. */
const ENDING_MS_MAX = 5_000;

const noResult = (): Result => {
  process.stdout.write('\n  the process of the tests ended without a result\n\n');
  return { passed: 0, failed: 1 };
};

/** Resolves when the result is told: the process may still be there. */
async function resultOf(child: ChildProcess): Promise<Result> {
  const lines = createInterface({ input: child.stdio[RESULT_DESCRIPTOR] as Readable });
  for await (const line of lines) return JSON.parse(line) as Result;
  return noResult();
}

/** False: it told success and ended as one that failed. One that hangs is killed, and believed. */
async function agrees(exited: Promise<unknown[]>, child: ChildProcess, { failed }: Result): Promise<boolean> {
  let isKilled = false;
  const timer = setTimeout(() => {
    process.stdout.write(
      '\n  the process of the tests has told its result and does not end: it is killed\n\n',
    );
    isKilled = child.kill('SIGKILL');
  }, ENDING_MS_MAX);
  const [code] = await exited;
  clearTimeout(timer);
  return isKilled || code === 0 || failed > 0;
}

async function main(): Promise<void> {
  const script = fileURLToPath(new URL('tests/mocha-run.js', import.meta.url));
  const words = [...process.execArgv, script, ...process.argv.slice(2)];
  const child = spawn(process.execPath, words, { stdio: ['inherit', 'inherit', 'inherit', 'pipe', 'ipc'] });
  const exited = once(child, 'exit');
  // A terminal's Ctrl-C reaches the child by itself.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const result = await resultOf(child);
  const failed = (await agrees(exited, child, result)) ? result.failed : result.failed + 1;
  process.exitCode = failed > 0 ? 1 : 0;
  process.stdout.write(`${result.passed} passed, ${failed} failed\n`);
}

await main();
