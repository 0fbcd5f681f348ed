import { join } from 'node:path';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { withClient } from '../support/pipelined-client.ts';
import { runProgram } from '../support/run-program.ts';
import { ServerProcess, SOURCE_ROOT } from '../support/server-process.ts';

const BINARY = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
const LARGE = Buffer.alloc(5 * 1024 * 1024, 'a large value ');
const PIPELINED = 1000;

async function rejection(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'no error',
    (error: Error) => error.message,
  );
}

describe('client libraries with their defaults', () => {
  let server: ServerProcess;

  before(async () => {
    server = await ServerProcess.start();
  });
  after(() => server.destroy());
  beforeEach(() => withClient(server.port, (client) => client.run('FLUSHALL')));

  async function ioredisRound(redis: Redis): Promise<void> {
    expect(await redis.ping()).to.equal('PONG');
    expect(await redis.set('k', 'v')).to.equal('OK');
    expect(await redis.get('k')).to.equal('v');
    expect(await redis.get('none')).to.equal(null);
    expect(await redis.set('k', 'w', 'NX')).to.equal(null);
    expect(await redis.mset('a', 1, 'b', 2)).to.equal('OK');
    expect(await redis.mget('a', 'b', 'none')).to.deep.equal(['1', '2', null]);
    expect(await redis.incr('a')).to.equal(2);
    expect(await redis.expire('k', 100)).to.equal(1);
    expect(await redis.ttl('k')).to.be.within(98, 100);
    expect((await redis.keys('[ab]')).sort()).to.deep.equal(['a', 'b']);
    const [cursor, keys] = await redis.scan('0', 'COUNT', 100);
    expect([cursor, keys.sort()]).to.deep.equal(['0', ['a', 'b', 'k']]);
    expect(await redis.del('a', 'b', 'none')).to.equal(2);
    expect(await redis.set(BINARY, BINARY)).to.equal('OK');
    expect(await redis.getBuffer(BINARY)).to.deep.equal(BINARY);
    expect(await redis.set('large', LARGE)).to.equal('OK');
    expect(LARGE.equals((await redis.getBuffer('large')) as Buffer)).to.equal(true);
    const pipeline = redis.pipeline();
    for (let index = 0; index < PIPELINED; index += 1) pipeline.set(`p${index}`, index).get(`p${index}`);
    const replies = (await pipeline.exec()) ?? [];
    expect(replies.filter((_, index) => index % 2 === 1).map(([, value]) => value)).to.deep.equal(
      Array.from({ length: PIPELINED }, (_, index) => String(index)),
    );
    expect(await redis.info()).to.match(/^redis_version:7\.2\.4\r$/m);
    expect(await rejection(redis.incr('k'))).to.equal('ERR value is not an integer or out of range');
    expect(await rejection(redis.call('NOSUCH'))).to.match(/^ERR unknown command 'NOSUCH'/);
    expect(await redis.quit()).to.equal('OK');
  }

  it('ioredis', async () => {
    const redis = new Redis(server.port, '127.0.0.1');
    const errors: unknown[] = [];
    redis.on('error', (error) => errors.push(error));
    try {
      await ioredisRound(redis);
    } finally {
      redis.disconnect();
    }
    expect(errors).to.deep.equal([]);
  });

  for (const RESP of [2, 3] as const) {
    it(`node-redis, RESP${RESP}`, async () => {
      const redis = createClient({ url: `redis://${server.address}`, RESP });
      const errors: unknown[] = [];
      redis.on('error', (error) => errors.push(error));
      await redis.connect();
      try {
        expect(await redis.ping()).to.equal('PONG');
        expect(await redis.set('k', 'v')).to.equal('OK');
        expect(await redis.get('k')).to.equal('v');
        expect(await redis.get('none')).to.equal(null);
        expect(await redis.set('k', 'w', { condition: 'NX' })).to.equal(null);
        expect(await redis.mSet({ a: '1', b: '2' })).to.equal('OK');
        expect(await redis.mGet(['a', 'b', 'none'])).to.deep.equal(['1', '2', null]);
        expect(await redis.incr('a')).to.equal(2);
        expect(await redis.expire('k', 100)).to.equal(1);
        expect(await redis.ttl('k')).to.be.within(98, 100);
        expect([...(await redis.keys('[ab]'))].sort()).to.deep.equal(['a', 'b']);
        const scanned: string[] = [];
        for await (const keys of redis.scanIterator()) scanned.push(...keys);
        expect(scanned.sort()).to.deep.equal(['a', 'b', 'k']);
        expect(await redis.del(['a', 'b', 'none'])).to.equal(2);
        expect(await redis.set(BINARY, BINARY)).to.equal('OK');
        expect(await redis.exists(BINARY)).to.equal(1);
        expect(await redis.set('large', LARGE)).to.equal('OK');
        expect(await redis.get('large')).to.equal(LARGE.toString());
        const pipelined = await Promise.all(
          Array.from({ length: PIPELINED }, async (_, index) => {
            void redis.set(`p${index}`, index);
            return await redis.get(`p${index}`);
          }),
        );
        expect(pipelined).to.deep.equal(Array.from({ length: PIPELINED }, (_, index) => String(index)));
        expect(await redis.info()).to.match(/^redis_version:7\.2\.4\r$/m);
        expect(await rejection(redis.incr('k'))).to.equal('ERR value is not an integer or out of range');
        expect(await rejection(redis.sendCommand(['NOSUCH']))).to.match(/^ERR unknown command 'NOSUCH'/);
      } finally {
        await redis.close();
      }
      expect(errors).to.deep.equal([]);
    });
  }

  it('python3-redis', async () => {
    const script = join(SOURCE_ROOT, 'test/support/client-round.py');
    const end = await runProgram(['/usr/bin/python3', script, String(server.port)]);
    expect(end).to.deep.equal({ code: 0, stdout: 'OK\n', stderr: '' });
  });
});
