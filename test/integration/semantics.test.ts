import { expect } from 'chai';
import {
  type Command,
  eventually,
  PipelinedClient,
  type PlainReply,
  plain,
  withClient,
} from '../support/pipelined-client.ts';
import { ServerProcess } from '../support/server-process.ts';

/** What only the whole server can show: one connection's order, many connections' atomicity, time, restarts. */
describe('the server on the wire', () => {
  let server: ServerProcess;
  let client: PipelinedClient;

  before(async () => {
    server = await ServerProcess.start();
  });
  after(() => server.destroy());
  beforeEach(async () => {
    client = await PipelinedClient.connect(server.port);
    await client.run('FLUSHALL');
  });
  afterEach(() => client.close());

  async function withClients<Result>(
    count: number,
    use: (client: PipelinedClient, index: number) => Promise<Result>,
  ): Promise<Result[]> {
    return await Promise.all(
      Array.from({ length: count }, (_, index) => withClient(server.port, (one) => use(one, index))),
    );
  }

  it('lets a read see the write before it and not the one behind it, in one packet (R11)', async () => {
    const commands: Command[] = [];
    const expected: PlainReply[] = [];
    for (let round = 0; round < 500; round += 1) {
      commands.push(['SET', 'k', `v${round}`], ['GET', 'k'], ['DEL', 'k'], ['GET', 'k'], ['EXISTS', 'k']);
      expected.push('OK', `v${round}`, 1, null, 0);
    }
    expect((await client.pipeline(commands)).map(plain)).to.deep.equal(expected);
  });

  it('adds up INCR of ten connections, each a thousand times in one pipeline', async () => {
    const increments = Array.from({ length: 1000 }, (): Command => ['INCR', 'sum']);
    const replies = await withClients(10, (one) => one.pipeline(increments));
    const values = replies.flat().map((reply) => Number(plain(reply)));
    expect(new Set(values).size, 'no two the same').to.equal(10_000);
    expect(await client.ask('GET', 'sum')).to.equal('10000');
    for (const own of replies) {
      const numbers = own.map((reply) => Number(plain(reply)));
      expect(numbers).to.deep.equal([...numbers].sort((a, b) => a - b));
    }
  });

  it('has one winner of SET NX among twenty connections, whose value stays', async () => {
    for (let round = 0; round < 20; round += 1) {
      const key = `lock${round}`;
      const replies = await withClients(20, (one, index) => one.ask('SET', key, `${index}`, 'NX'));
      const winners = replies.flatMap((reply, index) => (reply === 'OK' ? [index] : []));
      expect(winners, key).to.have.length(1);
      expect(await client.ask('GET', key)).to.equal(`${winners[0]}`);
    }
  });

  it('shows all of an MSET or nothing of it to a concurrent MGET', async () => {
    const keys = Array.from({ length: 8 }, (_, index) => `m${index}`);
    await client.run('MSET', ...keys.flatMap((key) => [key, '0']));
    const writes = withClients(3, async (one, writer) => {
      for (let round = 0; round < 150; round += 1) {
        const value = `${writer}:${round}`.repeat(round % 7 === 0 ? 400 : 1);
        await one.run('MSET', ...keys.flatMap((key) => [key, value]));
      }
    });
    let isWriting = true;
    const seen = new Set<PlainReply>();
    const reads = withClients(3, async (one) => {
      while (isWriting) {
        const values = (await one.ask('MGET', ...keys)) as PlainReply[];
        expect(new Set(values).size, 'values that differ').to.equal(1);
        seen.add(values[0] ?? null);
      }
    });
    await writes.finally(() => {
      isWriting = false;
    });
    await reads;
    expect(seen.size).to.be.above(3);
  });

  it('ends a key at its time, seen as value or nil and nothing else, and takes it away', async () => {
    await client.run('SET', 'brief', 'here', 'PX', '30');
    const seen = new Set<PlainReply>();
    await eventually('the key is gone', async () => {
      const value = await client.ask('GET', 'brief');
      seen.add(value);
      return value === null;
    });
    expect([...seen].filter((value) => value !== null && value !== 'here')).to.deep.equal([]);
    await client.pipeline(
      Array.from({ length: 200 }, (_, index): Command => ['SET', `b${index}`, 'x', 'PX', '20']),
    );
    await eventually('DBSIZE is 0 without a read', async () => (await client.ask('DBSIZE')) === 0);
    expect(Number(await client.info('expired_keys'))).to.be.at.least(201);
  });

  it('stores the largest values and any bytes', async () => {
    const large = Buffer.alloc(5 * 1024 * 1024, 'large ');
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    expect(await client.ask('SET', bytes, large)).to.equal('OK');
    const reply = await client.run('GET', bytes);
    expect(reply.kind === 'bulk' && reply.bytes.equals(large)).to.equal(true);
    expect(await client.ask('SET', 'too large', Buffer.alloc(64 * 1024 * 1024 + 1))).to.match(/^ERR .*/);
    expect(await client.ask('EXISTS', 'too large')).to.equal(0);
    expect(await client.ask('PING')).to.equal('PONG');
  });
});

describe('the server over a restart', () => {
  let server: ServerProcess;
  afterEach(() => server.destroy());

  it('keeps values, counters, expiries and deletions, after a stop and after a kill', async () => {
    server = await ServerProcess.start();
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGINT'] as const) {
      await withClient(server.port, async (client) => {
        const commands = [
          'SET a 1',
          'INCR n',
          'SET t x EX 1000',
          'SET gone x',
          'DEL gone',
          'SET p x EX 9',
          'PERSIST p',
        ];
        await client.pipeline(commands.map((line) => line.split(' ')));
      });
      await server.kill(signal);
      await server.restart();
    }
    await withClient(server.port, async (client) => {
      expect(await client.ask('MGET', 'a', 'n', 't', 'gone', 'p')).to.deep.equal(['1', '3', 'x', null, 'x']);
      expect(await client.ask('TTL', 't')).to.be.within(980, 1000);
      expect(await client.ask('TTL', 'p')).to.equal(-1);
      expect(await client.ask('DBSIZE')).to.equal(4);
      await client.run('FLUSHALL');
    });
    await server.kill('SIGKILL');
    await server.restart();
    expect(await withClient(server.port, (client) => client.ask('DBSIZE'))).to.equal(0);
  });

  it('goes on with the cursor of a SCAN, and leaves out no key', async () => {
    server = await ServerProcess.start();
    const keys = Array.from({ length: 3000 }, (_, index) => `key:${index}`);
    await withClient(server.port, (client) => client.run('MSET', ...keys.flatMap((key) => [key, 'v'])));
    const found = new Set<PlainReply>();
    let cursor: PlainReply = '0';
    for (let step = 0; step === 0 || cursor !== '0'; step += 1) {
      if (step === 5 || step === 10) {
        await server.kill(step === 5 ? 'SIGTERM' : 'SIGKILL');
        await server.restart();
      }
      const reply = (await withClient(server.port, (client) =>
        client.ask('SCAN', String(cursor), 'COUNT', '150'),
      )) as [PlainReply, PlainReply[]];
      cursor = reply[0];
      for (const key of reply[1]) found.add(key);
    }
    expect(found.size).to.equal(keys.length);
  });

  it('with storage.engine=memory works and forgets', async () => {
    server = await ServerProcess.start({ flags: ['--storage.engine=memory'] });
    await withClient(server.port, async (client) => {
      await client.run('SET', 'k', 'v');
      expect(await client.ask('GET', 'k')).to.equal('v');
      expect(await client.info('engine')).to.equal('memory');
    });
    expect((await server.kill('SIGTERM')).code).to.equal(0);
    await server.restart();
    expect(await withClient(server.port, (client) => client.ask('GET', 'k'))).to.equal(null);
  });
});
