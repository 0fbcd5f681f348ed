import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { type Command, PipelinedClient, plain } from '../support/pipelined-client.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { ServerProcess } from '../support/server-process.ts';

const MiB = 1024 * 1024;
const CONNECTIONS = 1000;

/** What a stranger sends ends the stranger's connection, and touches nothing else. */
describe('hostile streams', () => {
  let server: ServerProcess;
  let bystander: PipelinedClient;

  before(async () => {
    server = await ServerProcess.start();
    bystander = await PipelinedClient.connect(server.port);
    await bystander.run('SET', 'k', 'mine');
  });
  after(async () => {
    bystander.close();
    await server.destroy();
  });
  afterEach(async () => {
    expect(await bystander.ask('GET', 'k')).to.equal('mine');
    expect(server.stderr).to.equal('');
    expect(server.logged('a command failed by a bug')).to.deep.equal([]);
  });

  async function open(): Promise<Socket> {
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    return socket;
  }

  /** Sends and waits for the server to end the connection; what it said before. */
  async function sendUntilClosed(bytes: string | Uint8Array): Promise<string> {
    const socket = await open();
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(bytes);
    await closed;
    return text;
  }

  it('gets a protocol error for each kind of nonsense, and its connection ended', async () => {
    const nonsense: [string, RegExp][] = [
      ['*1\r\n$-5\r\n', /^-ERR Protocol error: invalid bulk length\r\n$/],
      ['*1\r\n$999999999999\r\n', /^-ERR Protocol error: invalid bulk length\r\n$/],
      ['*99999999999\r\n', /^-ERR Protocol error: invalid multibulk length\r\n$/],
      ['*2\r\n:5\r\n', /^-ERR Protocol error: expected '\$', got ':'\r\n$/],
      ['set "k\r\n', /^-ERR Protocol error: unbalanced quotes in request\r\n$/],
      ['x'.repeat(70_000), /^-ERR Protocol error: too big inline request\r\n$/],
      ['PING\r\n*1\r\n$x\r\n', /^\+PONG\r\n-ERR Protocol error: invalid bulk length\r\n$/],
    ];
    for (const [bytes, answer] of nonsense) expect(await sendUntilClosed(bytes)).to.match(answer);
  });

  it('survives random bytes on many connections', async () => {
    const random = new SeededRandom(7);
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const socket = await open();
          const closed = new Promise((resolve) => socket.once('close', resolve));
          socket.resume();
          socket.end(random.bytes(5000));
          await closed;
        }),
      );
    }
  });

  it('leaves no trace of half a command', async () => {
    for (const half of ['*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\nstol', '*3\r\n$3\r\nSET\r\n', 'SET k stolen']) {
      const socket = await open();
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.resume();
      socket.end(half);
      await closed;
    }
    expect(await bystander.ask('GET', 'k')).to.equal('mine');
  });

  it('takes no memory for lengths that are only claimed', async () => {
    const before = await server.residentBytes();
    const sockets = await Promise.all(Array.from({ length: 50 }, () => open()));
    for (const socket of sockets) socket.write('*1000000\r\n$500000000\r\nxx');
    expect(await bystander.ask('PING')).to.equal('PONG');
    expect(await server.residentBytes()).to.be.below(before + 100 * MiB);
    for (const socket of sockets) socket.destroy();
  });

  it(`serves ${CONNECTIONS} connections at once`, async () => {
    const clients = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => PipelinedClient.connect(server.port)),
    );
    try {
      const replies = await Promise.all(
        clients.map((client, index) =>
          client.pipeline([
            ['SET', `c${index}`, `${index}`],
            ['GET', `c${index}`],
          ]),
        ),
      );
      expect(replies.map(([, value]) => value && plain(value))).to.deep.equal(
        clients.map((_, index) => String(index)),
      );
      expect(Number(await bystander.info('connected_clients'))).to.equal(CONNECTIONS + 1);
    } finally {
      for (const client of clients) client.close();
    }
  });

  it('lets a client that does not read wait, in bounded memory', async () => {
    await bystander.run('SET', 'large', Buffer.alloc(MiB, 'x'));
    const before = await server.residentBytes();
    const socket = await open();
    socket.pause();
    const gets = Array.from({ length: 1000 }, (): Command => ['GET', 'large']);
    socket.write(gets.map(() => '*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n').join(''));
    const until = performance.now() + 500;
    while (performance.now() < until) expect(await bystander.ask('GET', 'k')).to.equal('mine');
    expect(await server.residentBytes()).to.be.below(before + 150 * MiB);
    socket.destroy();
  });
});
