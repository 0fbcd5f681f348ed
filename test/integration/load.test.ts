import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodeRequests } from '../../src/resp/request-encoder.ts';
import { type Command, withClient } from '../support/pipelined-client.ts';
import { type ProgramEnd, runProgram } from '../support/run-program.ts';
import { CASKADE, ServerProcess } from '../support/server-process.ts';

const LINES = 200_000;
const COMMANDS = 20_000;

describe('caskade load with the server', () => {
  let server: ServerProcess;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'caskade-load-'));
    server = await ServerProcess.start();
  });
  after(async () => {
    await server.destroy();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => withClient(server.port, (client) => client.run('FLUSHALL')));

  function load(content: string | Uint8Array): Promise<ProgramEnd> {
    const file = join(folder, 'input');
    writeFileSync(file, content);
    return runProgram([...CASKADE, 'load', '--addr', server.address, file]);
  }

  async function sizeAfter(): Promise<unknown> {
    return await withClient(server.port, (client) => client.ask('DBSIZE'));
  }

  it(`loads ${LINES} lines of key<TAB>value, which outlive a kill`, async function () {
    this.timeout(30_000);
    const lines = Array.from({ length: LINES }, (_, index) => `key:${index}\tvalue\tof ${index}\n`);
    const { code, stdout, stderr } = await load(lines.join(''));
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.match(new RegExp(`^loaded ${LINES}, errors 0, `));
    await server.kill('SIGKILL');
    await server.restart();
    expect(await sizeAfter()).to.equal(LINES);
    const value = await withClient(server.port, (client) => client.ask('GET', `key:${LINES - 1}`));
    expect(value).to.equal(`value\tof ${LINES - 1}`);
  });

  it('loads a file of RESP commands, and counts what the server refuses', async () => {
    const commands = Array.from({ length: COMMANDS }, (_, index): Command => ['SET', `k${index}`, 'v\r\n']);
    const whole = await load(encodeRequests(commands));
    expect(whole).to.include({ code: 0, stderr: '' });
    expect(await sizeAfter()).to.equal(COMMANDS);
    const refused = await load(encodeRequests([['INCR', 'k0'], ['SET', 'last', '1'], ['NOSUCH']]));
    expect(refused.code).to.equal(1);
    expect(refused.stdout).to.match(/^loaded 1, errors 2, /);
    expect(refused.stderr).to.match(/not an integer[\s\S]*unknown command/);
    expect(await sizeAfter()).to.equal(COMMANDS + 1);
  });

  it('names a malformed line and loads the others', async () => {
    const { code, stdout, stderr } = await load('a\t1\nno tab here\nb\t2\n');
    expect(code).to.equal(1);
    expect(stdout).to.match(/^loaded 2, errors 1, /);
    expect(stderr).to.match(/line 2/);
    expect(await sizeAfter()).to.equal(2);
  });
});
