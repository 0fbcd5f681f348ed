import { expect } from 'chai';
import { type Command, PipelinedClient, type PlainReply, plain } from '../support/pipelined-client.ts';
import { ServerProcess } from '../support/server-process.ts';

const KEYS = Array.from({ length: 600 }, (_, index) => `key:${index}`);
const CROSSSLOT = "CROSSSLOT Keys in request don't hash to the same slot";

/** One node with three partitions: commands over the whole key space go to all, atomic ones stay in one. */
describe('a server with three partitions', () => {
  let server: ServerProcess;
  let client: PipelinedClient;

  before(async () => {
    server = await ServerProcess.start({ flags: ['--cluster.partitions=3'] });
  });
  after(() => server.destroy());
  beforeEach(async () => {
    client = await PipelinedClient.connect(server.port);
    await client.run('FLUSHALL');
    await client.pipeline(KEYS.map((key): Command => ['SET', key, `value of ${key}`]));
  });
  afterEach(() => client.close());

  async function scanAll(): Promise<Set<string>> {
    const found = new Set<string>();
    let cursor = '0';
    do {
      const [next, keys] = (await client.ask('SCAN', cursor, 'COUNT', '50')) as [string, string[]];
      for (const key of keys) found.add(key);
      cursor = next;
    } while (cursor !== '0');
    return found;
  }

  it('spreads the keys over all of them', async () => {
    const lines = String(await client.ask('INFO')).match(/^partition\d+:.*$/gm) ?? [];
    expect(lines).to.have.length(3);
    for (const line of lines) expect(Number(/leo=(\d+)/.exec(line)?.[1]), line).to.be.above(100);
  });

  it('counts, lists and scans the keys of all', async () => {
    expect(await client.ask('DBSIZE')).to.equal(KEYS.length);
    expect(((await client.ask('KEYS', '*')) as string[]).sort()).to.deep.equal([...KEYS].sort());
    expect([...(await scanAll())].sort()).to.deep.equal([...KEYS].sort());
  });

  it('reads and deletes over partitions', async () => {
    const some = KEYS.slice(0, 30);
    expect(await client.ask('MGET', ...some, 'none')).to.deep.equal([
      ...some.map((key) => `value of ${key}`),
      null,
    ]);
    expect(await client.ask('EXISTS', ...some, 'none')).to.equal(30);
    expect(await client.ask('DEL', ...some, 'none')).to.equal(30);
    expect(await client.ask('EXISTS', ...some)).to.equal(0);
    expect(await client.ask('DBSIZE')).to.equal(KEYS.length - 30);
  });

  it('writes several keys in one partition only', async () => {
    const words = KEYS.slice(0, 10).flatMap((key) => [key, 'new']);
    expect(await client.ask('MSET', ...words)).to.equal(CROSSSLOT);
    expect(await client.ask('GET', 'key:0')).to.equal('value of key:0');
    expect(await client.ask('MSET', '{tag}a', '1', '{tag}b', '2')).to.equal('OK');
    expect(await client.ask('MGET', '{tag}b', '{tag}a')).to.deep.equal(['2', '1']);
  });

  it('keeps one connection in order over partitions', async () => {
    const commands = KEYS.flatMap((key): Command[] => [
      ['SET', key, `second ${key}`],
      ['GET', key],
      ['DBSIZE'],
    ]);
    const replies = (await client.pipeline(commands)).map(plain);
    const expected = KEYS.flatMap((key): PlainReply[] => ['OK', `second ${key}`, KEYS.length]);
    expect(replies).to.deep.equal(expected);
  });

  it('empties all', async () => {
    expect(await client.ask('FLUSHALL')).to.equal('OK');
    expect(await client.ask('DBSIZE')).to.equal(0);
    expect(await client.ask('KEYS', '*')).to.deep.equal([]);
  });

  it('keeps all over a kill', async () => {
    await server.kill('SIGKILL');
    await server.restart();
    client.close();
    client = await PipelinedClient.connect(server.port);
    expect(await client.ask('DBSIZE')).to.equal(KEYS.length);
    const values = (await client.pipeline(KEYS.map((key): Command => ['GET', key]))).map(plain);
    expect(values).to.deep.equal(KEYS.map((key) => `value of ${key}`));
  });
});
