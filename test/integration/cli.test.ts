import { expect } from 'chai';
import { TerminalSession } from '../cli/terminal-session.ts';
import { type ProgramEnd, runProgram } from '../support/run-program.ts';
import { CASKADE, ServerProcess } from '../support/server-process.ts';

describe('caskade cli with the server', () => {
  let server: ServerProcess;

  before(async () => {
    server = await ServerProcess.start();
  });
  after(() => server.destroy());

  function cli(words: readonly string[], input = ''): Promise<ProgramEnd> {
    return runProgram([...CASKADE, 'cli', '--addr', server.address, ...words], input);
  }

  it("on a terminal answers in the predecessor's words", async () => {
    const session = new TerminalSession(['--addr', server.address]);
    const prompt = `${server.address}> `;
    const transcript: [string, RegExp][] = [
      ['set hello 1', /^OK$/],
      ['get hello', /^1$/],
      ['ttl hello', /^expire not set$/],
      ['expire hello 200', /^OK$/],
      ['ttl hello', /^(200|19[89])$/],
      ['del hello', /^OK$/],
      ['get hello', /^record not found$/],
    ];
    try {
      await session.shows(new RegExp(prompt));
      for (const [line, answer] of transcript) {
        expect(await session.ask(line, prompt), line).to.match(answer);
      }
      session.type('exit\r');
      expect(await session.exitCode).to.equal(0);
    } finally {
      session.kill();
    }
  });

  it('runs one command and ends with the exit code of its outcome', async () => {
    expect(await cli(['get', 'k'])).to.deep.equal({ code: 0, stdout: 'Key not found\n', stderr: '' });
    expect(await cli(['set', 'k', 'a value'])).to.deep.equal({ code: 0, stdout: 'OK\n', stderr: '' });
    expect(await cli(['get', 'k'])).to.deep.equal({ code: 0, stdout: 'a value\n', stderr: '' });
    expect(await cli(['rm', 'k'])).to.include({ code: 0, stderr: '' });
    expect(await cli(['rm', 'k'])).to.deep.equal({ code: 1, stdout: '', stderr: 'Key not found\n' });
    expect((await cli(['incr', 'n', 'm'])).code).to.equal(1);
  });

  it('reads commands from a pipe', async () => {
    const { code, stdout } = await cli([], 'set a 1\nincr a\nmget a none\n');
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: 'OK\n2\n2\n\n' });
  });

  it('ends with 2 for an address that does not parse, with 1 where nobody answers', async () => {
    expect((await runProgram([...CASKADE, 'cli', '--addr', 'nowhere', 'ping'])).code).to.equal(2);
    const silent = await ServerProcess.start();
    const { address } = silent;
    await silent.destroy();
    const end = await runProgram([...CASKADE, 'cli', '--addr', address, 'ping']);
    expect(end.code).to.equal(1);
    expect(end.stderr).to.contain(address);
  });
});
