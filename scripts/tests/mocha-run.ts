/**
 * Mocha over the compiled tests, in a process of its own, which tells `run-tests` how many passed and failed as the last
 * thing it does.
 *
 * What would let a broken test pass unseen counts as a failure: a pending test, `.only`, a file that does not
 * load, a run without a single test, a run that ends early, and whatever keeps the process alive afterwards.
 */
import { existsSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Mocha from 'mocha';
import { RESULT_DESCRIPTOR, type Result } from './result.ts';

/** How long sockets, timers and child processes may outlive the last test. */
const LINGER_MS_MAX = 10_000;

const builtRoot = resolve(fileURLToPath(import.meta.url), '../../..');
const root = resolve(builtRoot, '..');

/** The sources decide what runs: a test that was deleted may still have its output in dist/. */
function testSources(path: string): string[] {
  if (!existsSync(path)) throw new Error(`no such test file or folder: ${relative(root, path)}`);
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join(path, name));
}

function compiled(source: string): string {
  return join(builtRoot, relative(root, source).replace(/\.ts$/, '.js'));
}

/** Told when the process ends, however it ends. */
class Count implements Result {
  passed = 0;
  failed = 0;
  #finished = false;

  constructor() {
    process.on('exit', (code) => {
      if (!this.#finished) this.#fail('the run ended before its last test');
      if (code !== 0 && this.failed === 0) this.#fail(`the process ends with exit code ${code}`);
      process.exitCode = this.failed > 0 ? 1 : 0;
      const { passed, failed } = this;
      writeSync(RESULT_DESCRIPTOR, `${JSON.stringify({ passed, failed })}\n`);
    });
  }

  /** All tests have run; what remains is to see the process end by itself. */
  finish(): void {
    this.#finished = true;
    if (this.passed + this.failed === 0) this.#fail('no test was found');
    setTimeout(() => {
      this.#fail(`still open after the last test: ${process.getActiveResourcesInfo().join(', ')}`);
      process.exit(1);
    }, LINGER_MS_MAX).unref();
  }

  #fail(reason: string): void {
    this.failed += 1;
    process.stdout.write(`\n  ${this.failed}) ${reason}\n\n`);
  }
}

async function runTests(argv: readonly string[]): Promise<void> {
  const count = new Count();
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: { grep: { type: 'string', short: 'g' }, reporter: { type: 'string', default: 'spec' } },
    allowPositionals: true,
  });
  const paths = positionals.length > 0 ? positionals : ['test'];
  const mocha = new Mocha({
    ui: 'bdd',
    reporter: values.reporter,
    timeout: 10_000,
    forbidOnly: true,
    forbidPending: true,
    ...(values.grep === undefined ? {} : { grep: values.grep }),
  });
  mocha.files = paths.flatMap((path) => testSources(resolve(root, path))).map(compiled);
  await mocha.loadFilesAsync();
  const runner = mocha.run(() => count.finish());
  runner.on('pass', () => {
    count.passed += 1;
  });
  runner.on('fail', () => {
    count.failed += 1;
  });
}

// Without `run-tests` nobody would end this.
process.on('disconnect', () => process.exit(1));
process.channel?.unref();

runTests(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
