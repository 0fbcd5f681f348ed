import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runLoad } from '../../src/cli/load.ts';
import { RespScanner } from '../../src/cli/resp-scanner.ts';
import { type Answer, CLOSE, FakeServer } from './fake-server.ts';
import { TestIo, until } from './test-io.ts';

const request = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

describe('caskade load', () => {
  let directory: string;
  let server: FakeServer;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'caskade-load-'));
  });
  after(() => rmSync(directory, { recursive: true }));
  afterEach(() => server?.stop());

  async function load(input: string | Buffer, answer: Answer, flags: string[] = []) {
    await server?.stop();
    server = await FakeServer.start(answer);
    const path = join(directory, 'input');
    writeFileSync(path, typeof input === 'string' ? Buffer.from(input, 'latin1') : input);
    const io = new TestIo();
    const code = await runLoad(['--addr', server.address, ...flags, path], io);
    return { code, out: io.out, err: io.err };
  }

  const ok: Answer = () => '+OK\r\n';

  it('loads key<TAB>value lines as they are, byte for byte, the last one with or without a line feed', async () => {
    const { code, out, err } = await load('a\t1\nb\xff\x00\t\x802\r\tx\n\tempty key\nc\t', ok);
    expect(server.requests).to.deep.equal([
      ['SET', 'a', '1'],
      ['SET', 'b\xff\x00', '\x802\r\tx'],
      ['SET', '', 'empty key'],
      ['SET', 'c', ''],
    ]);
    expect(out).to.match(/^loaded 4, errors 0, \d+\/s\n$/);
    expect({ code, err }).to.deep.equal({ code: 0, err: '' });
  });

  it('passes RESP requests on, of any command, with inline ones between them', async () => {
    const input = `${request('SET', 'a', 'x\r\n*1')}${request('INCR', 'n')}`;
    const { code, out } = await load(input, (words) => (words[0] === 'INCR' ? ':1\r\n' : '+OK\r\n'));
    expect(server.requests).to.deep.equal([
      ['SET', 'a', 'x\r\n*1'],
      ['INCR', 'n'],
    ]);
    expect(out).to.match(/^loaded 2, errors 0, /);
    expect(code).to.equal(0);
  });

  it('counts replies of every kind as one each', async () => {
    const replies = [
      '$3\r\na\r\n\r\n',
      '*2\r\n:1\r\n*1\r\n$-1\r\n',
      '*0\r\n',
      '_\r\n',
      '%1\r\n+a\r\n-ERR in a map\r\n',
    ];
    let at = 0;
    const { out } = await load(replies.map(() => request('X')).join(''), () => replies[at++] ?? '');
    expect(out).to.match(/^loaded 5, errors 0, /);
  });

  it('malformed lines are counted, the first five named by number, and exit 1; the others are loaded', async () => {
    const input = Array.from({ length: 10 }, (_, index) =>
      index % 2 === 0 ? 'no tab' : `k${index}\tv`,
    ).join('\n');
    const { code, out, err } = await load(`${input}\n\nno tab\n`, ok);
    expect(out).to.match(/^loaded 5, errors 7, /);
    expect(code).to.equal(1);
    expect(err.match(/line \d+/g)).to.deep.equal(['line 1', 'line 3', 'line 5', 'line 7', 'line 9']);
    expect(err).to.contain('malformed: 7');
  });

  it('error replies are counted with the first texts, those in doubt apart', async () => {
    const answer: Answer = ([, key = '']) => {
      if (key.startsWith('bad')) return `-ERR refused ${key}\r\n`;
      return key.startsWith('doubt') ? '-INDOUBT 0 1 2 text\r\n' : '+OK\r\n';
    };
    const lines = ['good\t1', 'doubt\t1', ...Array.from({ length: 8 }, (_, index) => `bad${index}\t1`)];
    const failed = await load(lines.join('\n'), answer);
    expect(failed.code).to.equal(1);
    expect(failed.out).to.match(/^loaded 1, errors 8, /);
    expect(failed.err).to.contain('INDOUBT, written or not: 1');
    expect(failed.err.match(/ERR refused/g)).to.have.length.within(4, 5);
    await server.stop();
    const doubtful = await load('good\t1\ndoubt\t1\n', answer);
    expect(doubtful.code).to.equal(7);
    expect(doubtful.out).to.match(/^loaded 1, errors 0, /);
  });

  it('a connection that is lost exits 1 and says how many commands are in doubt', async () => {
    let count = 0;
    const { code, out, err } = await load('a\t1\nb\t2\nc\t3\n', () => {
      count += 1;
      return count === 1 ? '+OK\r\n' : CLOSE;
    });
    expect(code).to.equal(1);
    expect(out).to.match(/^loaded [01], errors 0, /);
    expect(err).to.match(/connection lost: [\s\S]*in doubt: [23]\n/);
  });

  it('input that is not RESP, or ends within a request, is named by its position', async () => {
    const first = request('PING');
    const broken = await load(`${first}*2\r\n$x\r\n`, ok, ['--format', 'resp']);
    expect(broken.code).to.equal(1);
    expect(broken.err).to.contain(`not RESP after byte ${first.length + 4}`);
    await server.stop();
    const cut = await load(`${first}*2\r\n$3\r\nGE`, ok);
    expect(cut.code).to.equal(1);
    expect(cut.out).to.match(/^loaded 1, errors 1, /);
    expect(cut.err).to.contain('ends in the middle of a request');
  });

  it('--format decides what the first byte would get wrong; a wrong one exits 2', async () => {
    await load('*key\tvalue\n', ok, ['--format', 'pairs']);
    expect(server.requests).to.deep.equal([['SET', '*key', 'value']]);
    expect((await load('', ok, ['--format', 'csv'])).code).to.equal(2);
    expect((await load('', ok, ['--window', '5'])).code).to.equal(2);
  });

  it('an empty file loads nothing; a missing file or server exits 1 with a clear line', async () => {
    const empty = await load('', ok);
    expect(empty.out).to.equal('loaded 0, errors 0, 0/s\n');
    expect(empty.code).to.equal(0);
    const io = new TestIo();
    expect(await runLoad(['--addr', server.address, join(directory, 'none')], io)).to.equal(1);
    expect(io.err).to.match(/^caskade: cannot read .*none: there is no such file\n$/);
    const { address } = server;
    await server.stop();
    const alone = new TestIo();
    expect(await runLoad(['--addr', address, '-'], alone)).to.equal(1);
    expect(alone.err).to.contain(`could not connect to Caskade at ${address}`);
    expect(await runLoad([], new TestIo())).to.equal(2);
  });

  it('reads standard input, in any pieces', async () => {
    server = await FakeServer.start(ok);
    const io = new TestIo();
    const done = runLoad(['--addr', server.address, '-'], io);
    for (const byte of 'key one\tvalue one\nk2\tv2') io.stdin.write(byte);
    io.stdin.end();
    expect(await done).to.equal(0);
    expect(server.requests).to.deep.equal([
      ['SET', 'key one', 'value one'],
      ['SET', 'k2', 'v2'],
    ]);
  });

  it('interrupted it exits 130 with the counts so far', async () => {
    server = await FakeServer.start(([, key]) => (key === 'a' ? '+OK\r\n' : null));
    const io = new TestIo();
    const done = runLoad(['--addr', server.address, '-'], io);
    io.stdin.write(request('SET', 'a', '1') + request('SET', 'b', '2'));
    await until(() => server.requests.length === 2);
    await new Promise((resolve) => setImmediate(resolve));
    io.interrupt();
    expect(await done).to.equal(130);
    expect(io.out).to.match(/^loaded [01], errors 0, /);
    expect(io.err).to.match(/in doubt: [12]\n/);
  });

  it('shows a bar on a terminal', async () => {
    server = await FakeServer.start(ok);
    const path = join(directory, 'bar');
    writeFileSync(path, 'a\t1\nb\t2\n');
    const io = new TestIo({ terminal: true });
    expect(await runLoad(['--addr', server.address, path], io)).to.equal(0);
    expect(io.err).to.contain('100 % | 2 loaded | 0 errors');
  });
});

/** A server that holds its replies back until it is told, so that the window can be seen. */
class HoldingServer {
  readonly #server = createServer((socket) => this.#serve(socket));
  #socket: Socket | undefined;
  #answered = 0;
  readonly #scanner = new RespScanner();
  receivedBytes = 0;

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get received(): number {
    return this.#scanner.completed;
  }

  answerAll(): void {
    this.#socket?.write('+OK\r\n'.repeat(this.received - this.#answered));
    this.#answered = this.received;
  }

  async stop(): Promise<void> {
    this.#socket?.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#socket = socket;
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      this.receivedBytes += chunk.length;
      this.#scanner.scan(chunk);
    });
  }
}

describe('the window of caskade load', () => {
  it('never has more bytes unanswered than it says, and goes on as replies come', async () => {
    const holding = new HoldingServer();
    const address = await holding.start();
    const windowBytes = 200_000;
    const io = new TestIo();
    const pairs = 40_000;
    const done = runLoad(['--addr', address, '--window', String(windowBytes), '-'], io);
    io.stdin.end(Array.from({ length: pairs }, (_, index) => `key:${index}\tvalue`).join('\n'));
    let answeredBytes = 0;
    while (holding.received < pairs) {
      const before = holding.receivedBytes;
      await new Promise((resolve) => setTimeout(resolve, 2));
      expect(holding.receivedBytes - answeredBytes).to.be.at.most(windowBytes);
      if (holding.receivedBytes > before) continue;
      answeredBytes = holding.receivedBytes;
      holding.answerAll();
    }
    holding.answerAll();
    expect(await done).to.equal(0);
    expect(io.out).to.match(new RegExp(`^loaded ${pairs}, errors 0, `));
    await holding.stop();
  });

  it('lets a command through that is larger than the window, in both formats', async () => {
    const value = 'v'.repeat(700_000);
    for (const input of [
      `a\t1\nbig\t${value}\nc\t3\n`,
      request('SET', 'big', value) + request('SET', 'c', '3'),
    ]) {
      const server = await FakeServer.start(() => '+OK\r\n');
      const io = new TestIo();
      const done = runLoad(['--addr', server.address, '--window', '1024', '-'], io);
      io.stdin.end(input);
      expect(await done).to.equal(0);
      expect(server.requests.find(([, key]) => key === 'big')?.[2]?.length).to.equal(value.length);
      await server.stop();
    }
  });
});
