import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCli } from '../../src/cli/main.ts';
import { NO_PARTITION } from '../../src/cluster/index.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { KeyValueNode, mapOf } from '../rpc/kv-node.ts';
import type { CommitMode, FakePartition } from '../support/fake-partition.ts';
import { FakeRouter } from '../support/fake-router.ts';
import { TerminalSession } from './terminal-session.ts';
import { TestIo, until } from './test-io.ts';

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('caskade cli --grpc', () => {
  const nodes: KeyValueNode[] = [];
  let address: string;
  let partition: FakePartition;

  async function start(commit: CommitMode = 'now'): Promise<void> {
    const router = new FakeRouter(1, { commit });
    partition = router.partitions[0] as FakePartition;
    const node = await KeyValueNode.start(router);
    nodes.push(node);
    address = node.address;
  }

  async function run(...words: string[]): Promise<Result> {
    const io = new TestIo();
    const code = await runCli(['--grpc', '--addr', address, ...words], io);
    return { code, out: io.out, err: io.err };
  }

  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
  });

  it('knows get, set, del, expire and ttl, with the exit codes of the other protocol', async () => {
    await start();
    const calls: [string[], Result][] = [
      [['get', 'k'], { code: 0, out: 'Key not found\n', err: '' }],
      [['set', 'k', 'v'], { code: 0, out: 'OK\n', err: '' }],
      [['-q', 'set', 'k', 'w'], { code: 0, out: '', err: '' }],
      [['get', 'k'], { code: 0, out: 'w\n', err: '' }],
      [['ttl', 'k'], { code: 0, out: '-1\n', err: '' }],
      [['expire', 'k', '200'], { code: 0, out: '1\n', err: '' }],
      [['ttl', 'k'], { code: 0, out: '200\n', err: '' }],
      [['set', 'k', 'x', 'px', '90000'], { code: 0, out: 'OK\n', err: '' }],
      [['--json', 'ttl', 'k'], { code: 0, out: '90\n', err: '' }],
      [['del', 'k'], { code: 0, out: '1\n', err: '' }],
      [['del', 'k'], { code: 0, out: '0\n', err: '' }],
      [['rm', 'k'], { code: 1, out: '', err: 'Key not found\n' }],
      [['pttl', 'k'], { code: 0, out: '-2\n', err: '' }],
      [['set', 'k', 'v', 'ex', '5'], { code: 0, out: 'OK\n', err: '' }],
      [['pexpire', 'k', '-1'], { code: 0, out: '1\n', err: '' }],
    ];
    for (const [words, result] of calls) expect(await run(...words), words.join(' ')).to.deep.equal(result);
  });

  it('what it does not know is an error of exit 1', async () => {
    await start();
    const wrong: [string[], RegExp][] = [
      [['incr', 'k'], /unknown command 'incr': over gRPC there are get, set, del, expire/],
      [['del', 'a', 'b'], /wrong number of arguments for 'del'/],
      [['expire', 'k', '1.5'], /not an integer/],
      [['set', 'k', 'v', 'nx'], /syntax error/],
      [['set', 'k', 'v', 'ex', '0'], /expiry is out of range/],
    ];
    for (const [words, text] of wrong) {
      const { code, out, err } = await run(...words);
      expect([code, out], words.join(' ')).to.deep.equal([1, '']);
      expect(err, words.join(' '))
        .to.match(/^\(error\) ERR /)
        .and.match(text);
    }
    expect((await run('get')).code).to.equal(2);
  });

  it('a write in doubt exits 7, with where to look', async () => {
    await start('manual');
    const result = run('set', 'k', 'v');
    await until(() => partition.records.length === 1);
    partition.fail();
    expect(await result).to.deep.equal({
      code: 7,
      out: '',
      err: '(error) INDOUBT 0 1 0 the batch was not committed\n',
    });
  });

  it('a refusal exits 1', async () => {
    await start();
    partition.refuseWrites = new CaskadeError('partitionFenced', 'no more writes');
    expect(await run('set', 'k', 'v')).to.include({ code: 1, err: '(error) MISCONF no more writes\n' });
  });

  it('--ack takes the words and the numbers of the predecessor, and says what is not promised', async () => {
    await start('manual');
    for (const [mode, text] of [
      ['none', /memory only/],
      ['0', /memory only/],
      ['leader', /disk only/],
      ['1', /disk only/],
    ] as const) {
      const { code, out, err } = await run('--ack', mode, 'set', 'k', 'v');
      expect([code, out], mode).to.deep.equal([0, 'OK\n']);
      expect(err, mode)
        .to.match(/^caskade: ack /)
        .and.match(text);
    }
    expect(partition.highWatermark).to.equal(0);
    for (const mode of ['all', '-1']) {
      const before = partition.records.length;
      const result = run('--ack', mode, 'set', 'k', 'v');
      await until(() => partition.records.length > before);
      partition.commitAll();
      expect(await result, mode).to.deep.equal({ code: 0, out: 'OK\n', err: '' });
    }
    expect((await run('--ack', '2', 'set', 'k', 'v')).code).to.equal(2);
    const io = new TestIo();
    expect(await runCli(['--ack', 'all', 'get', 'k'], io)).to.equal(2);
    expect(io.err).to.match(/--ack needs --grpc/);
  });

  it("ack and addr of the predecessor's client configuration count", async () => {
    await start('manual');
    const directory = mkdtempSync(join(tmpdir(), 'caskade-'));
    try {
      const file = join(directory, 'cli.yaml');
      writeFileSync(file, `addr: ${address}\nack: 0\n`);
      const io = new TestIo();
      expect(await runCli(['--grpc', '--config', file, 'set', 'k', 'v'], io)).to.equal(0);
      expect(io.err).to.match(/^caskade: ack none/);
      writeFileSync(file, 'ack: 2\n');
      expect(await runCli(['--grpc', '--config', file, 'get', 'k'], new TestIo())).to.equal(3);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('goes to the node that leads', async () => {
    await start();
    const leader = address;
    const { arrivals } = new FakeRouter();
    const elsewhere = { partitions: [], arrivals, partitionOf: () => NO_PARTITION };
    const follower = await KeyValueNode.start(elsewhere, { map: mapOf(1, 2, () => leader) });
    nodes.push(follower);
    address = follower.address;
    expect(await run('set', 'k', 'v')).to.include({ code: 0 });
    expect(partition.valueOf('k')).to.equal('v');
  });

  it('lines from a pipe are run one after the other', async () => {
    await start();
    const io = new TestIo();
    io.stdin.end('set k "a b"\nget k\nnosuch\nttl k\n');
    expect(await runCli(['--grpc', '--addr', address], io)).to.equal(0);
    const lines = io.out.split('\n').filter((line) => line !== '');
    expect(lines).to.have.length(4);
    expect([lines[0], lines[1], lines[3]]).to.deep.equal(['OK', 'a b', '-1']);
    expect(lines[2]).to.match(/^ERR unknown command/);
  });

  it('without a server it exits 1 and names the address; Ctrl-C exits 130', async () => {
    await start('manual');
    const io = new TestIo();
    const done = runCli(['--grpc', '--addr', address, 'set', 'k', 'v'], io);
    await until(() => partition.records.length === 1);
    io.interrupt();
    expect(await done).to.equal(130);
    expect(io.err).to.match(/^caskade: interrupted; no answer from /);
    for (const node of nodes.splice(0)) await node.stop();
    const { code, err } = await run('get', 'k');
    expect(code).to.equal(1);
    expect(err).to.contain(`could not connect to Caskade at ${address}`);
  });

  it("on a terminal it answers in the predecessor's words", async () => {
    await start();
    const prompt = `${address}> `;
    const session = new TerminalSession(['--grpc', '--addr', address]);
    try {
      await session.shows(new RegExp(prompt));
      const transcript: [string, string][] = [
        ['set hello 1', 'OK'],
        ['get hello', '1'],
        ['ttl hello', 'expire not set'],
        ['expire hello 200', 'OK'],
        ['ttl hello', '200'],
        ['del hello', 'OK'],
        ['get hello', 'record not found'],
        ['del hello', 'record not found'],
        ['ttl hello', 'record not found'],
      ];
      for (const [line, answer] of transcript) expect(await session.ask(line, prompt), line).to.equal(answer);
      expect(await session.ask('help get', prompt)).to.contain('Reads a value.');
    } finally {
      session.kill();
    }
  });
});
