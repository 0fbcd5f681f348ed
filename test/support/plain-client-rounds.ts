import { join } from 'node:path';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { runProgram } from './run-program.ts';
import { SOURCE_ROOT } from './server-process.ts';

/** Rounds of plain clients, for which a cluster is one server: everything is found wherever it lies. */

const KEYS = Array.from({ length: 30 }, (_, index) => `plain:${index}`);
const LARGE = 'a large value '.repeat(200_000);
const COUNTED = Array.from({ length: 200 }, (_, index) => index + 1);
/** Each waits for the one before it: a read for the write, a write for the read. */
const IN_TURN = COUNTED.slice(0, 30);

export async function ioredisRound(port: number): Promise<void> {
  const redis = new Redis(port, '127.0.0.1');
  const errors: unknown[] = [];
  redis.on('error', (error) => errors.push(error));
  try {
    expect(await redis.flushall()).to.equal('OK');
    for (const key of KEYS) expect(await redis.set(key, key)).to.equal('OK');
    expect(await redis.mget(...KEYS, 'none')).to.deep.equal([...KEYS, null]);
    expect(await redis.exists(...KEYS, 'none')).to.equal(KEYS.length);
    expect(await redis.touch(...KEYS)).to.equal(KEYS.length);
    expect(await redis.dbsize()).to.equal(KEYS.length);
    expect((await redis.keys('plain:*')).sort()).to.deep.equal([...KEYS].sort());
    expect(await scanAll(redis)).to.deep.equal([...KEYS].sort());
    expect(await redis.del(...KEYS.slice(0, 10))).to.equal(10);
    expect(await redis.unlink(...KEYS.slice(10, 20), 'none')).to.equal(10);
    expect(await redis.mset('{t}a', 1, '{t}b', 2)).to.equal('OK');
    const pipeline = redis.pipeline();
    for (let index = 0; index < IN_TURN.length; index += 1) pipeline.incr('count').get('count');
    const replies = (await pipeline.exec()) ?? [];
    expect(replies.map(([error, value]) => error?.message ?? Number(value))).to.deep.equal(
      IN_TURN.flatMap((count) => [count, count]),
    );
    expect(await redis.set('large', LARGE)).to.equal('OK');
    expect(await redis.get('large')).to.equal(LARGE);
    expect(await redis.expire('count', 100)).to.equal(1);
    expect(await redis.ttl('count')).to.be.within(90, 100);
    expect(await redis.info()).to.match(/^cluster_enabled:0\r$/m);
    expect(errors).to.deep.equal([]);
  } finally {
    redis.disconnect();
  }
}

async function scanAll(redis: Redis): Promise<string[]> {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 7);
    found.push(...keys);
    cursor = next;
  } while (cursor !== '0');
  return found.sort();
}

export async function nodeRedisRound(port: number, RESP: 2 | 3): Promise<void> {
  const redis = createClient({ url: `redis://127.0.0.1:${port}`, RESP });
  const errors: unknown[] = [];
  redis.on('error', (error) => errors.push(error));
  await redis.connect();
  try {
    await redis.flushAll();
    for (const key of KEYS) expect(await redis.set(key, key)).to.equal('OK');
    expect(await redis.mGet([...KEYS, 'none'])).to.deep.equal([...KEYS, null]);
    expect(await redis.exists([...KEYS, 'none'])).to.equal(KEYS.length);
    expect(await redis.dbSize()).to.equal(KEYS.length);
    expect([...(await redis.keys('plain:*'))].sort()).to.deep.equal([...KEYS].sort());
    const scanned: string[] = [];
    for await (const keys of redis.scanIterator({ COUNT: 7 })) scanned.push(...keys);
    expect(scanned.sort()).to.deep.equal([...KEYS].sort());
    expect(await redis.del(KEYS)).to.equal(KEYS.length);
    const counts = await Promise.all(COUNTED.map(() => redis.incr('count')));
    expect(counts).to.deep.equal(COUNTED);
    expect(await redis.set('large', LARGE)).to.equal('OK');
    expect(await redis.get('large')).to.equal(LARGE);
    expect(errors).to.deep.equal([]);
  } finally {
    redis.destroy();
  }
}

/** Without -c: it follows no redirection. */
export async function redisCliRound(port: number): Promise<void> {
  const script = KEYS.map((key) => `set ${key} ${key}\nget ${key}\n`).join('');
  const end = await runProgram(
    ['redis-cli', '-p', String(port)],
    `flushall\n${script}dbsize\nmget ${KEYS.join(' ')}\n`,
  );
  const answers = KEYS.map((key) => `OK\n${key}\n`).join('');
  expect(end).to.deep.equal({
    code: 0,
    stdout: `OK\n${answers}${KEYS.length}\n${KEYS.join('\n')}\n`,
    stderr: '',
  });
}

export async function pythonRound(port: number): Promise<void> {
  const script = join(SOURCE_ROOT, 'test/support/plain-client-round.py');
  const end = await runProgram(['/usr/bin/python3', script, String(port)]);
  expect(end).to.deep.equal({ code: 0, stdout: 'OK\n', stderr: '' });
}
