import { join } from 'node:path';
import { expect } from 'chai';
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { runProgram } from './run-program.ts';
import { SOURCE_ROOT } from './server-process.ts';

/** What the rounds need of a cluster: a listener for cluster clients, and the leaders going elsewhere at half-time. */
export interface ClusterUnderTest {
  readonly port: number;
  /** Nodes that lead something. Absent: not known. */
  readonly leaders?: number;
  /** Leadership of some partitions moves, while clients go on. */
  move(): Promise<void> | void;
}

/** Keys of a round: enough of them that every node leads some. */
const KEYS = 40;
const PIPELINED = 200;
const CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";

async function rejection(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'no error',
    (error: Error) => error.message,
  );
}

/** `name`: of the keys of this round. */
export async function ioredisClusterRound(under: ClusterUnderTest, name: string): Promise<void> {
  const cluster = new Cluster([{ host: '127.0.0.1', port: under.port }]);
  const errors: unknown[] = [];
  cluster.on('error', (error) => errors.push(error));
  try {
    const keys = Array.from({ length: KEYS }, (_, index) => `${name}:${index}`);
    for (const key of keys) expect(await cluster.set(key, key)).to.equal('OK');
    if (under.leaders !== undefined) expect(cluster.nodes('master').length).to.equal(under.leaders);
    await under.move();
    for (const key of keys) expect(await cluster.get(key)).to.equal(key);
    for (const key of keys) expect(await cluster.append(key, '!')).to.equal(key.length + 1);
    expect(await cluster.mset(`{${name}}a`, 1, `{${name}}b`, 2)).to.equal('OK');
    expect(await cluster.mget(`{${name}}a`, `{${name}}b`, `{${name}}c`)).to.deep.equal(['1', '2', null]);
    expect(await cluster.incr(`{${name}}a`)).to.equal(2);
    expect(await cluster.del(`{${name}}a`, `{${name}}b`)).to.equal(2);
    expect(await rejection(cluster.mget(`${name}:1`, `${name}:2`))).to.equal(CROSS_SLOT);
    const counts = await Promise.all(Array.from({ length: PIPELINED }, () => cluster.incr(`${name}:count`)));
    expect(counts).to.deep.equal(Array.from({ length: PIPELINED }, (_, index) => index + 1));
    const sizes = await Promise.all(cluster.nodes('master').map((node) => node.dbsize()));
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.be.at.least(KEYS + 1);
    expect(errors).to.deep.equal([]);
  } finally {
    cluster.disconnect();
  }
}

export async function nodeRedisClusterRound(
  under: ClusterUnderTest,
  name: string,
  RESP: 2 | 3,
): Promise<void> {
  const cluster = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${under.port}` }], RESP });
  const errors: unknown[] = [];
  cluster.on('error', (error) => errors.push(error));
  await cluster.connect();
  try {
    const keys = Array.from({ length: KEYS }, (_, index) => `${name}:${index}`);
    for (const key of keys) expect(await cluster.set(key, key)).to.equal('OK');
    if (under.leaders !== undefined) expect(cluster.masters.length).to.equal(under.leaders);
    await under.move();
    for (const key of keys) expect(await cluster.get(key)).to.equal(key);
    expect(await cluster.mSet({ [`{${name}}a`]: '1', [`{${name}}b`]: '2' })).to.equal('OK');
    expect(await cluster.mGet([`{${name}}a`, `{${name}}b`, `{${name}}c`])).to.deep.equal(['1', '2', null]);
    // It sends a command for each slot.
    expect(await cluster.mGet([`${name}:1`, `${name}:2`])).to.deep.equal([`${name}:1`, `${name}:2`]);
    const counts = await Promise.all(Array.from({ length: PIPELINED }, () => cluster.incr(`${name}:count`)));
    expect(counts).to.deep.equal(Array.from({ length: PIPELINED }, (_, index) => index + 1));
    expect(await cluster.del([`{${name}}a`, `{${name}}b`])).to.equal(2);
    expect(errors).to.deep.equal([]);
  } finally {
    await cluster.close();
  }
}

/** Leadership moves before it, so that it must be redirected as often as redis-cli is. */
export async function redisCliClusterRound(under: ClusterUnderTest, name: string): Promise<void> {
  await under.move();
  const cli = ['redis-cli', '-c', '-p', String(under.port)];
  const keys = Array.from({ length: KEYS }, (_, index) => `${name}:${index}`);
  const script = keys.map((key) => `set ${key} ${key}\nget ${key}\n`).join('');
  const end = await runProgram(cli, script);
  const answers = end.stdout.replace(/^-> Redirected to slot .*\n/gm, '');
  expect(answers).to.equal(keys.map((key) => `OK\n${key}\n`).join(''));
  expect(end.code).to.equal(0);
  const check = await runProgram(['redis-cli', '--cluster', 'check', `127.0.0.1:${under.port}`]);
  expect(check.stdout).to.contain('All 16384 slots covered');
  expect(check.stdout).to.contain('All nodes agree about slots configuration');
}

export async function pythonClusterRound(under: ClusterUnderTest): Promise<void> {
  await under.move();
  const script = join(SOURCE_ROOT, 'test/support/cluster-client-round.py');
  const end = await runProgram(['/usr/bin/python3', script, String(under.port)]);
  expect(end).to.deep.equal({ code: 0, stdout: 'OK\n', stderr: '' });
}
