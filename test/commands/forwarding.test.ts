import { expect } from 'chai';
import { ALL_COMMANDS } from '../../src/commands/all-commands.ts';
import type { CommandSpec } from '../../src/commands/spec.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { ForwardingCluster } from '../support/forwarding-cluster.ts';
import { Harness } from './harness.ts';

/** Keys of three partitions. */
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];

/** What a client of one server may send, one after the other. */
const SCRIPT: readonly (readonly string[])[] = [
  ...KEYS.map((key) => ['SET', key, `value of ${key}`]),
  ...KEYS.map((key) => ['GET', key]),
  ['MGET', ...KEYS, 'absent', 'a'],
  ['EXISTS', ...KEYS, 'absent', 'a'],
  ['DBSIZE'],
  ['SET', 'counter', '1'],
  ['INCR', 'counter'],
  ['INCRBY', 'counter', '40'],
  ['INCR', 'a'],
  ['APPEND', 'b', '!'],
  ['STRLEN', 'b'],
  ['SETNX', 'c', 'other'],
  ['SET', 'c', 'other', 'XX', 'GET'],
  ['GETDEL', 'd'],
  ['GET', 'd'],
  ['TYPE', 'e'],
  ['EXPIRE', 'e', '100'],
  ['TTL', 'e'],
  ['PERSIST', 'e'],
  ['DEL', 'a', 'b', 'absent', 'b'],
  ['UNLINK', 'c'],
  ['TOUCH', ...KEYS],
  ['MSET', '{x}1', '1', '{x}2', '2'],
  ['MGET', '{x}2', '{x}1'],
  ['MSET', 'a', '1', 'b', '2', 'c', '3', 'd', '4'],
  ['GET'],
  ['NONSENSE', 'a'],
  ['SET', 'a', '1', 'NONSENSE'],
  ['FLUSHALL', 'NONSENSE'],
  ['DBSIZE'],
  ['PING'],
  ['ECHO', 'hello'],
  ['SELECT', '0'],
  ['FLUSHALL'],
  ['DBSIZE'],
  ['MGET', ...KEYS],
];

const NO_REPLICAS = new CaskadeError('notEnoughReplicas', 'too few replicas');

describe('the plain listener of a cluster (R23)', () => {
  for (const version of [2, 3] as const) {
    it(`answers on every node as one server would, in RESP${version}`, async () => {
      const alone = new Harness({ partitions: 3 });
      alone.reply.version = version;
      const expected: string[] = [];
      for (const words of SCRIPT) expected.push(await alone.complete(...words));
      for (const id of [1, 2, 3]) {
        const client = new ForwardingCluster().client(id);
        client.reply.version = version;
        for (const [index, words] of SCRIPT.entries())
          expect(await client.complete(...words), `node ${id}: ${words.join(' ')}`).equal(expected[index]);
      }
    });
  }

  it('knows of each command over several keys how it is done in parts, but for MSET', () => {
    const whole = ALL_COMMANDS.filter(
      ({ keys, scatter }: CommandSpec) => keys.first !== keys.last && !scatter,
    );
    expect(whole.map(({ name }) => name)).deep.equal(['mset']);
    const byKeys = ALL_COMMANDS.filter(({ scatter }: CommandSpec) => scatter?.split === 'keys');
    for (const { name, keys } of byKeys) expect(keys, name).deep.equal({ first: 1, last: -1, step: 1 });
  });

  it('answers whichever node is asked, and counts each look-up and each command once', async () => {
    const cluster = new ForwardingCluster();
    let asked = 0;
    for (const words of SCRIPT) {
      asked += 1;
      await cluster.client((asked % 3) + 1).complete(...words);
    }
    const alone = new Harness({ partitions: 3 });
    for (const words of SCRIPT) await alone.complete(...words);
    const counts = cluster.nodes.map(({ client }) => client.server.counters);
    const sum = (of: (count: (typeof counts)[number]) => number): number =>
      counts.reduce((total, count) => total + of(count), 0);
    expect(sum(({ keyspaceHits }) => keyspaceHits)).equal(alone.server.counters.keyspaceHits);
    expect(sum(({ keyspaceMisses }) => keyspaceMisses)).equal(alone.server.counters.keyspaceMisses);
  });

  it('lists and walks the keys of all partitions', async () => {
    const cluster = new ForwardingCluster();
    const names = Array.from({ length: 50 }, (_, index) => `key${index}`);
    for (const name of names) await cluster.client(2).complete('SET', name, '1');
    const bulks = (text: string): string[] =>
      [...text.matchAll(/\$\d+\r\n(key\d+)\r\n/g)].map(([, key]) => key ?? '');
    expect(bulks(await cluster.client(1).complete('KEYS', '*')).sort()).deep.equal([...names].sort());
    const seen = new Set<string>();
    let cursor = '0';
    do {
      // Every call may come to another node.
      const reply = await cluster.client((seen.size % 3) + 1).complete('SCAN', cursor, 'COUNT', '7');
      for (const key of bulks(reply)) seen.add(key);
      cursor = /^\*2\r\n\$\d+\r\n(\d+)\r\n/.exec(reply)?.[1] ?? '0';
    } while (cursor !== '0');
    expect([...seen].sort()).deep.equal([...names].sort());
    expect(await cluster.client(1).complete('SCAN', 'x')).equal('-ERR invalid cursor\r\n');
    expect(await cluster.client(1).complete('SCAN', String(2 ** 50))).equal('*2\r\n$1\r\n0\r\n*0\r\n');
  });

  it('runs what lies here without a word to anybody', async () => {
    const cluster = new ForwardingCluster();
    const client = cluster.client(1);
    const key = cluster.fake.keyOf(1);
    expect(await client.complete('SET', key, '1')).equal('+OK\r\n');
    expect(await client.complete('GET', key)).equal('$1\r\n1\r\n');
    expect(cluster.sentCount).equal(0);
    expect(client.session.forwarded).equal(undefined);
    const all = new ForwardingCluster({ nodes: 1, partitions: 3 });
    for (const words of SCRIPT) await all.client(1).complete(...words);
    expect(all.node(1).forwarder.size).equal(0);
    expect(all.client(1).session.forwarded).equal(undefined);
  });

  it('does not know an empty cluster for one without keys', async () => {
    const cluster = new ForwardingCluster();
    const { client } = cluster.node(1);
    Object.defineProperty(cluster.fake, 'facts', { value: null });
    expect(await client.complete('DBSIZE')).match(/^-CLUSTERDOWN /);
    expect(await client.complete('GET', 'a')).match(/^-CLUSTERDOWN /);
  });

  describe('with commands over several partitions (R21)', () => {
    let cluster: ForwardingCluster;

    beforeEach(async () => {
      cluster = new ForwardingCluster();
      for (const key of KEYS) await cluster.client(1).complete('SET', key, '1');
    });

    it('says in doubt, with every part, where one was done and one was not', async () => {
      const { partitions } = cluster.fake;
      (partitions[1] as (typeof partitions)[number]).refuseWrites = NO_REPLICAS;
      const reply = await cluster.client(1).complete('DEL', ...KEYS);
      expect(reply).match(/^-INDOUBT \d 5 \d+ not all parts are done; by partition: /);
      expect(reply).include('0 done').include('1 refused (NOREPLICAS too few replicas)').include('2 done');
      expect(await cluster.client(2).complete('FLUSHALL')).match(/^-INDOUBT 0 5 \d+ .*1 refused/);
    });

    it('says refused where nothing was done', async () => {
      for (const partition of cluster.fake.partitions) partition.refuseWrites = NO_REPLICAS;
      expect(await cluster.client(1).complete('DEL', ...KEYS)).equal('-NOREPLICAS too few replicas\r\n');
    });

    it('says of a read why a part of it failed', async () => {
      const { partitions } = cluster.fake;
      (partitions[2] as (typeof partitions)[number]).refuseReads = new CaskadeError(
        'corruptSegment',
        'rotten',
      );
      expect(await cluster.client(1).complete('MGET', ...KEYS)).equal('-MISCONF rotten\r\n');
    });

    it('does all parts of a read at the session: behind what it has appended itself (R11)', async () => {
      cluster = new ForwardingCluster({ commit: 'manual' });
      const client = cluster.client(1);
      const [own, other] = [cluster.fake.keyOf(1), cluster.fake.keyOf(2)];
      client.run('SET', own, 'new');
      expect(client.run('MGET', own, other)).equal('');
      const { suspension } = client.context;
      expect(suspension).not.equal(null);
      cluster.fake.partitionOf(own).commitAll();
      expect(await client.complete('MGET', own, other)).equal('*2\r\n$3\r\nnew\r\n$-1\r\n');
    });
  });

  it('keeps the order of a connection when its partition comes here meanwhile (R11)', async () => {
    const cluster = new ForwardingCluster({ commit: 'manual' });
    const client = cluster.client(1);
    const key = cluster.fake.keyOf(2);
    cluster.held = [];
    client.run('SET', key, 'new');
    expect(client.context.deferred?.bytes).equal(null);
    const partition = cluster.fake.partitionOf(key);
    cluster.fake.lead(partition.id, 1);
    expect(client.run('GET', key)).equal('');
    expect(client.context.suspension).not.equal(null);
    await cluster.clock.settle();
    partition.commitAll();
    await cluster.clock.until(client.context.suspension as Promise<void>);
    expect(client.runAgain()).equal('$3\r\nnew\r\n');
    cluster.release();
    await cluster.clock.advance(50);
    expect(partition.valueOf(key)).equal('new');
    expect(partition.records.length).equal(2);
  });

  it('lets WAIT wait for what is written elsewhere', async () => {
    const cluster = new ForwardingCluster();
    const client = cluster.client(1);
    cluster.held = [];
    client.run('SET', cluster.fake.keyOf(2), '1');
    client.run('WAIT', '1', '500');
    expect(client.context.suspension).not.equal(null);
    cluster.release();
    await cluster.clock.advance(10);
    expect(client.runAgain()).match(/^:\d/);
  });

  it('refuses what nobody leads, after its patience', async () => {
    const cluster = new ForwardingCluster();
    const client = cluster.client(1);
    const key = cluster.fake.keyOf(2);
    cluster.fake.lead(cluster.fake.partitionOf(key).id, null);
    client.run('SET', key, '1');
    const { deferred } = client.context;
    await cluster.clock.advance(900);
    expect(deferred?.bytes).equal(null);
    await cluster.clock.advance(200);
    expect(Buffer.from(deferred?.bytes ?? []).toString()).match(/^-CLUSTERDOWN /);
    expect(client.server.counters.errorReplies).equal(1);
  });
});
