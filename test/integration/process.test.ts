import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { VERSION } from '../../src/model/version.ts';
import { type Command, PipelinedClient, withClient } from '../support/pipelined-client.ts';
import { type ProgramEnd, runProgram } from '../support/run-program.ts';
import { CASKADE, ServerProcess } from '../support/server-process.ts';

function caskadeServer(...words: string[]): Promise<ProgramEnd> {
  return runProgram([...CASKADE, 'server', '--resp.port=0', ...words]);
}

describe('the server process', () => {
  let directory: string;
  let server: ServerProcess | undefined;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'caskade-process-'));
  });
  afterEach(async () => {
    await server?.destroy();
    server = undefined;
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(...flags: string[]): Promise<ServerProcess> {
    server = await ServerProcess.start({ directory, flags });
    return server;
  }

  it('prints its version, and checks a configuration without starting', async () => {
    expect(await caskadeServer('-V')).to.deep.equal({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
    const checked = await caskadeServer('--check-config', `--data.dir=${join(directory, 'data')}`);
    expect(checked).to.include({ code: 0, stderr: '' });
    expect(checked.stdout).to.match(/^configuration ok\n/);
    expect(existsSync(join(directory, 'data'))).to.equal(false);
  });

  it('ends with 2 for an address that does not parse', async () => {
    const end = await caskadeServer('--addr', '127.0.0.1:port');
    expect(end).to.include({ code: 2, stdout: '' });
    expect(end.stderr).to.match(/^caskade: --addr 127\.0\.0\.1:port: not an address; write HOST:PORT/);
  });

  it('ends with 3 for a wrong configuration, and names all of it', async () => {
    const file = join(directory, 'server.yaml');
    writeFileSync(file, 'storage:\n  engin: bitcask\nresp:\n  port: 70000\n');
    const end = await caskadeServer('--config', file, '--merge.deadRatioMin=7', '--cluster.flush=never');
    expect(end).to.include({ code: 3, stdout: '' });
    for (const part of ['engin', 'storage.engine', '70000', 'merge.deadRatioMin', 'cluster.flush']) {
      expect(end.stderr).to.match(new RegExp(part));
    }
    expect((await caskadeServer('--config', join(directory, 'none.yaml'))).code).to.equal(3);
  });

  it('ends with 4 when the port is taken, and leaves the directory free', async () => {
    const taker = createServer();
    await new Promise<void>((resolve) => taker.listen(0, '127.0.0.1', resolve));
    const address = taker.address();
    const port = typeof address === 'object' ? address?.port : 0;
    try {
      const end = await runProgram([
        ...CASKADE,
        'server',
        `--data.dir=${directory}`,
        '--addr',
        `127.0.0.1:${port}`,
      ]);
      expect(end.code).to.equal(4);
      expect(end.stderr).to.match(new RegExp(`^caskade: .*${port}`));
    } finally {
      taker.close();
    }
    await start();
  });

  it('ends with 5 while another process has the directory, which goes on undisturbed', async () => {
    const running = await start();
    await withClient(running.port, (client) => client.run('SET', 'k', 'v'));
    const end = await caskadeServer(`--data.dir=${directory}`);
    expect(end.code).to.equal(5);
    expect(end.stderr).to.match(new RegExp(`^caskade: .*${directory}.*${running.pid}`));
    expect(await withClient(running.port, (client) => client.ask('GET', 'k'))).to.equal('v');
  });

  it('ends with 5 for a damaged file, and names it', async () => {
    const running = await start();
    await withClient(running.port, (client) =>
      client.pipeline(
        Array.from({ length: 500 }, (_, index): Command => ['SET', `k${index}`, 'v'.repeat(200)]),
      ),
    );
    await running.kill('SIGTERM');
    const folder = join(directory, 'partitions', '0');
    const segment = readdirSync(folder).find((name) => /^\d+.*$/.test(name) && !name.endsWith('hint')) ?? '';
    const path = join(folder, segment);
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 4096, 4160);
    writeFileSync(path, bytes);
    const end = await caskadeServer(`--data.dir=${directory}`);
    expect(end.code, end.stderr).to.equal(5);
    expect(end.stderr).to.contain(segment);
    writeFileSync(join(directory, 'NODE'), 'no document');
    const other = await caskadeServer(`--data.dir=${directory}`);
    expect(other.code).to.equal(5);
    expect(other.stderr).to.contain(join(directory, 'NODE'));
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`answers what it accepted at ${signal}, ends with 0, and was closed cleanly`, async () => {
      const running = await start();
      const client = await PipelinedClient.connect(running.port);
      const writes = Array.from(
        { length: 3000 },
        (_, index): Command => ['SET', `k${index}`, 'v'.repeat(300)],
      );
      let answered = 0;
      await client.pipeline(writes.slice(0, 1));
      client.sendEach(writes, (reply) => {
        if (reply?.kind === 'simple') answered += 1;
      });
      await new Promise((resolve) => client.socket.once('data', resolve));
      const { code } = await running.kill(signal);
      await client.closed;
      expect(code).to.equal(0);
      expect(running.stderr).to.equal('');
      await running.restart();
      expect(running.logged('serving')[0]).to.include({ wasClean: true });
      expect(running.logged('recovered')[0]).to.include({ cutBytes: 0 });
      const size = await withClient(running.port, (one) => one.ask('DBSIZE'));
      expect(size, 'every write on disk was answered, and no other').to.equal(answered);
    });
  }

  it('ends with 0 on SHUTDOWN', async () => {
    const running = await start();
    const client = await PipelinedClient.connect(running.port);
    client.sendEach([['SET', 'k', 'v'], ['SHUTDOWN']], () => {});
    expect(await running.ended).to.deep.equal({ code: 0, signal: null });
    await running.restart();
    expect(running.logged('serving')[0]).to.include({ wasClean: true });
    expect(await withClient(running.port, (one) => one.ask('GET', 'k'))).to.equal('v');
  });

  it('starts again after kill -9, whatever lock it left, and says that it was not closed', async () => {
    const running = await start();
    expect(await withClient(running.port, (one) => one.info('process_id'))).to.equal(String(running.pid));
    await running.kill('SIGKILL');
    await running.restart();
    expect(running.logged('serving')[0]).to.include({ wasClean: false });
    expect(await withClient(running.port, (one) => one.info('process_id'))).to.equal(String(running.pid));
  });

  it('is refused by a directory of another shape', async () => {
    const running = await start('--cluster.partitions=3');
    await running.kill('SIGTERM');
    const end = await caskadeServer(`--data.dir=${directory}`, '--cluster.partitions=2');
    expect([3, 5]).to.include(end.code);
    expect(end.stderr).to.match(/partitions/);
  });
});
