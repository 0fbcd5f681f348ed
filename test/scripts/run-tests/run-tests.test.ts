import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { runProgram } from '../../support/run-program.ts';

const RUNNER = fileURLToPath(new URL('../../../scripts/run-tests.js', import.meta.url));

describe('the test runner', function () {
  this.timeout(30_000);

  const run = async (name: string) => {
    const { code, stdout } = await runProgram([process.execPath, RUNNER, `test/scripts/run-tests/${name}`]);
    return [code, stdout.trimEnd().split('\n').at(-1)];
  };

  it('closes with what passed and failed, and the exit code agrees', async () => {
    expect(await run('passes.ts')).to.deep.equal([0, '1 passed, 0 failed']);
    expect(await run('fails.ts')).to.deep.equal([1, '1 passed, 1 failed']);
  });

  it('counts a run as failed that ends before its last test, in whichever way', async () => {
    expect(await run('ends-early.ts')).to.deep.equal([1, '0 passed, 1 failed']);
    expect(await run('is-killed.ts')).to.deep.equal([1, '0 passed, 1 failed']);
    expect(await run('no-such-file.ts')).to.deep.equal([1, '0 passed, 1 failed']);
  });

  it('ends a process that has told its result and hangs, and believes it (nodejs/node#54918)', async () => {
    expect(await run('hangs-at-exit.ts')).to.deep.equal([0, '1 passed, 0 failed']);
  });
});
