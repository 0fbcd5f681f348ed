import { expect } from 'chai';
import { asEpochMillis, asNodeId, asOffset } from '../../src/model/numbers.ts';
import { CLUSTER_ID, FakeCluster, type FakeClusterOptions, slot } from '../support/fake-cluster.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { Harness } from './harness.ts';

interface World {
  readonly cluster: FakeCluster;
  readonly clock: SimulatedClock;
  /** Of node 1. */
  readonly client: Harness;
  readonly plain: Harness;
}

function world(options: FakeClusterOptions = {}): World {
  const clock = new SimulatedClock();
  const cluster = new FakeCluster({ commit: 'now', wallMs: () => clock.wallMs(), ...options });
  const node = cluster.node(1);
  return {
    cluster,
    clock,
    client: new Harness({ node, clock }),
    plain: new Harness({ node, clock, listener: 'plain' }),
  };
}

const nameOf = (node: number): string => `0000000${node}${CLUSTER_ID}`;

/** A reply as a tree; maps of RESP2 are flat arrays. */
function tree(text: string): unknown {
  let at = 0;
  const next = (): unknown => {
    const end = text.indexOf('\r\n', at);
    const kind = text[at];
    const line = text.slice(at + 1, end);
    at = end + 2;
    if (kind === ':') return Number(line);
    if (kind === '*') return Array.from({ length: Number(line) }, next);
    if (kind !== '$') return line;
    const bulk = text.slice(at, at + Number(line));
    at += Number(line) + 2;
    return bulk;
  };
  return next();
}

function linesOf(reply: string): string[] {
  return (tree(reply) as string).split('\n').filter((line) => line !== '');
}

function fieldsOf(reply: string): Record<string, string> {
  const lines = (tree(reply) as string).split('\r\n').filter((line) => /^[^#].*:/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

const range = (first: number, last: number, node: number): unknown => [
  first,
  last,
  ['127.0.0.1', 7000 + node, nameOf(node), []],
];

describe('CLUSTER', () => {
  it('announces leaders alone, at the ports for cluster clients, on both listeners', () => {
    const { client, plain } = world();
    const expected = [range(0, 5461, 1), range(5462, 10_922, 2), range(10_923, 16_383, 3)];
    expect(tree(client.run('cluster', 'slots'))).to.deep.equal(expected);
    expect(tree(plain.run('cluster', 'slots'))).to.deep.equal(expected);
  });

  it('takes neighbouring partitions of one leader together', () => {
    const { cluster, client } = world({ partitions: 12 });
    for (let partition = 0; partition < 12; partition += 1) cluster.lead(partition, partition < 6 ? 1 : 3);
    expect(tree(client.run('cluster', 'slots'))).to.deep.equal([range(0, 8191, 1), range(8192, 16_383, 3)]);
  });

  it('leaves out slots that nobody alive leads', () => {
    const { cluster, client } = world();
    cluster.dies(2);
    cluster.lead(2, null);
    expect(tree(client.run('cluster', 'slots'))).to.deep.equal([range(0, 5461, 1)]);
  });

  it('shows every node that is alive in NODES and SHARDS, one without slots too', () => {
    const { cluster, client } = world();
    cluster.lead(1, 3);
    cluster.change(1, { leaderEpoch: 9 as never });
    expect(linesOf(client.run('cluster', 'nodes'))).to.deep.equal([
      `${nameOf(1)} 127.0.0.1:7001@8001 myself,master - 0 0 5 connected 0-5461`,
      `${nameOf(2)} 127.0.0.1:7002@8002 master - 0 0 0 connected`,
      `${nameOf(3)} 127.0.0.1:7003@8003 master - 0 0 9 connected 5462-16383`,
    ]);
    const shards = tree(client.run('cluster', 'shards')) as [string, number[], string, unknown[][]][];
    expect(shards.map(([, slots]) => slots)).to.deep.equal([[0, 5461], [], [5462, 16_383]]);
    expect(shards[1]?.[3]).to.deep.equal([
      ['id', nameOf(2), 'port', 7002, 'ip', '127.0.0.1', 'endpoint', '127.0.0.1', 'role', 'master'].concat([
        'replication-offset',
        0,
        'health',
        'online',
      ] as never[]),
    ]);
    cluster.dies(3);
    expect(linesOf(client.run('cluster', 'nodes')).length).to.equal(2);
  });

  it('says in SHARDS how far it is itself', () => {
    const { cluster, client } = world();
    const key = cluster.keyOf(1);
    client.run('set', key, '1');
    client.run('set', key, '2');
    const [mine] = tree(client.run('cluster', 'shards')) as [string, number[], string, unknown[][]][];
    expect(mine?.[3][0]?.slice(10, 12)).to.deep.equal(['replication-offset', 2]);
  });

  it('announces replicas that are in sync where it is told to', () => {
    const { cluster, client } = world({ announcesReplicas: true });
    cluster.change(0, { isr: [asNodeId(1), asNodeId(3)] });
    const [first] = tree(client.run('cluster', 'slots')) as unknown[][];
    expect(first?.slice(2)).to.deep.equal([
      ['127.0.0.1', 7001, nameOf(1), []],
      ['127.0.0.1', 7003, nameOf(3), []],
    ]);
    const [shard] = tree(client.run('cluster', 'shards')) as [string, number[], string, unknown[][]][];
    expect(shard?.[3].map((node) => [node[1], node[9]])).to.deep.equal([
      [nameOf(1), 'master'],
      [nameOf(3), 'replica'],
    ]);
    expect(tree(client.run('cluster', 'replicas', nameOf(1)))).to.deep.equal([
      `${nameOf(3)} 127.0.0.1:7003@8003 slave ${nameOf(1)} 0 0 5 connected`,
    ]);
  });

  it('names replicas of nobody else', () => {
    const { client } = world();
    expect(client.run('cluster', 'replicas', nameOf(2))).to.equal('*0\r\n');
    expect(client.run('cluster', 'slaves', nameOf(2).toUpperCase())).to.equal('*0\r\n');
    expect(client.run('cluster', 'replicas', 'x')).to.equal('-ERR Unknown node x\r\n');
  });

  it('counts in INFO what is served; one slot without a leader takes no other with it', () => {
    const { cluster, client } = world();
    const healthy = fieldsOf(client.run('cluster', 'info'));
    expect(healthy).to.include({
      cluster_state: 'ok',
      cluster_slots_assigned: '16384',
      cluster_slots_ok: '16384',
      cluster_slots_fail: '0',
      cluster_known_nodes: '3',
      cluster_size: '3',
      cluster_current_epoch: '5',
      cluster_my_epoch: '5',
    });
    cluster.dies(2);
    expect(fieldsOf(client.run('cluster', 'info'))).to.include({
      cluster_state: 'ok',
      cluster_slots_ok: String(5462 + 5461),
      cluster_slots_fail: '5461',
      cluster_known_nodes: '2',
      cluster_size: '2',
    });
    for (const partition of [0, 2]) cluster.lead(partition, null);
    expect(fieldsOf(client.run('cluster', 'info'))).to.include({ cluster_state: 'fail', cluster_size: '0' });
  });

  it('knows its own name, which stays the same over restarts', () => {
    const { client } = world();
    expect(tree(client.run('cluster', 'myid'))).to.equal(nameOf(1));
    expect(tree(client.run('cluster', 'myshardid'))).to.equal(nameOf(1));
  });

  it('finds slots and the keys in them, of what it leads', () => {
    const { cluster, client } = world();
    const key = cluster.keyOf(1);
    const other = cluster.keyOf(2);
    expect(client.run('cluster', 'keyslot', key)).to.equal(`:${slot(key)}\r\n`);
    const partition = cluster.partitionOf(key);
    for (let count = 0; count < 5; count += 1) partition.seed(`{${key}}${count}`, '1');
    partition.seed(cluster.keyOf(1, 1), '1');
    cluster.partitionOf(other).seed(other, '1');
    expect(client.run('cluster', 'countkeysinslot', String(slot(key)))).to.equal(':5\r\n');
    expect(
      (tree(client.run('cluster', 'getkeysinslot', String(slot(key)), '3')) as string[]).length,
    ).to.equal(3);
    const all = tree(client.run('cluster', 'getkeysinslot', String(slot(key)), '100')) as string[];
    expect(all.sort()).to.deep.equal([0, 1, 2, 3, 4].map((count) => `{${key}}${count}`));
    expect(client.run('cluster', 'getkeysinslot', String(slot(key)), '0')).to.equal('*0\r\n');
    expect(client.run('cluster', 'countkeysinslot', String(slot(other)))).to.equal(':0\r\n');
    expect(client.run('cluster', 'getkeysinslot', String(slot(other)), '10')).to.equal('*0\r\n');
  });

  it('looks for the keys of a slot in slices', async () => {
    const { cluster, client, clock } = world();
    const key = cluster.keyOf(1);
    const partition = cluster.partitionOf(key);
    for (let count = 0; count < 1000; count += 1) partition.seed(`{${key}}${count}`, '1');
    const scan = partition.scan.bind(partition);
    let slices = 0;
    partition.scan = (...of) => {
      slices += 1;
      void clock.advance(10);
      return scan(...of);
    };
    expect(await client.complete('cluster', 'countkeysinslot', String(slot(key)))).to.equal(':1000\r\n');
    expect(slices).to.be.above(3);
  });

  it('counts only what is committed, the own write too (R11)', async () => {
    const { cluster, client } = world({ commit: 'manual' });
    const key = cluster.keyOf(1);
    client.run('set', key, '1');
    expect(client.run('cluster', 'countkeysinslot', String(slot(key)))).to.equal('');
    cluster.partitionOf(key).commitAll();
    await client.clock.until(client.context.suspension as Promise<void>);
    expect(client.runAgain()).to.equal(':1\r\n');
  });

  it('lists the connections between nodes', () => {
    const { cluster, client } = world();
    cluster.node(1).links = [
      { node: asNodeId(2), direction: 'to', createdAtMs: asEpochMillis(17), unsentBytes: 0 },
      { node: asNodeId(9), direction: 'from', createdAtMs: asEpochMillis(17), unsentBytes: 0 },
    ];
    expect(tree(client.run('cluster', 'links'))).to.deep.equal([
      ['direction', 'to', 'node', nameOf(2), 'create-time', 17, 'events', 'r'].concat([
        'send-buffer-allocated',
        0,
        'send-buffer-used',
        0,
      ] as never[]),
    ]);
  });

  it('refuses what would change the topology in one line', () => {
    const { client } = world();
    for (const words of [
      ['meet', '127.0.0.1', '7009'],
      ['forget', nameOf(2)],
      ['addslots', '1', '2'],
      ['addslotsrange', '1', '2'],
      ['delslots', '1'],
      ['delslotsrange', '1', '2'],
      ['flushslots'],
      ['setslot', '1', 'stable'],
      ['replicate', nameOf(2)],
      ['failover'],
      ['reset', 'hard'],
      ['bumpepoch'],
      ['set-config-epoch', '1'],
      ['saveconfig'],
    ]) {
      expect(client.run('cluster', ...words), words.join(' ')).to.equal(
        `-ERR CLUSTER ${words[0]?.toUpperCase()} is not available: the topology is managed by the controller\r\n`,
      );
    }
  });
});

describe('what depends on the listener', () => {
  it('HELLO, INFO and SELECT speak of a cluster to cluster clients, of one server to plain ones', () => {
    const { client, plain } = world();
    expect(tree(client.run('hello'))).to.include('cluster');
    expect(tree(plain.run('hello'))).to.include('standalone');
    expect(fieldsOf(client.run('info'))).to.include({ redis_mode: 'cluster', cluster_enabled: '1' });
    expect(fieldsOf(plain.run('info'))).to.include({ redis_mode: 'standalone', cluster_enabled: '0' });
    expect(client.run('config', 'get', 'cluster-enabled')).to.contain('yes');
    expect(plain.run('config', 'get', 'cluster-enabled')).to.contain('no');
    expect(client.run('select', '1')).to.equal('-ERR SELECT is not allowed in cluster mode\r\n');
    expect(client.run('select', '0')).to.equal('+OK\r\n');
    expect(plain.run('select', '1')).to.equal('-ERR DB index is out of range\r\n');
  });

  it('ASKING changes nothing', () => {
    const { cluster, client } = world();
    const key = cluster.keyOf(2);
    expect(client.run('asking')).to.equal('+OK\r\n');
    expect(client.run('get', key)).to.match(/^-MOVED /);
  });
});

describe('INFO of a node of a cluster', () => {
  it('tells who follows, and how far they are for certain', () => {
    const { cluster, client } = world();
    client.run('set', cluster.keyOf(1), '1');
    const fields = fieldsOf(client.run('info', 'replication'));
    // The fake partition's leader says who is in sync.
    expect(fields).to.include({ role: 'master', connected_slaves: '0', master_repl_offset: '1' });
    const partition = cluster.partitions[0];
    const stats = partition?.stats();
    if (partition !== undefined && stats !== undefined)
      partition.stats = () => ({ ...stats, isr: [1, 2, 3], highWatermark: asOffset(7) });
    expect(fieldsOf(client.run('info', 'replication'))).to.include({
      connected_slaves: '2',
      slave0: 'ip=127.0.0.1,port=6002,state=online,offset=7,lag=0',
      slave1: 'ip=127.0.0.1,port=6003,state=online,offset=7,lag=0',
    });
  });

  it('has a line for every partition, led here or not', () => {
    const { cluster, client } = world();
    cluster.lead(2, null);
    expect(fieldsOf(client.run('info', 'partitions'))).to.deep.equal({
      partition0: 'role=leader,leader=1,epoch=5,log_start=0,leo=0,hw=0,isr=1',
      partition1: 'role=follower,leader=2,epoch=5,leo=0,hw=0,isr=1/2/3',
      partition2: 'role=follower,leader=none,epoch=5,leo=0,hw=0,isr=1/2/3',
    });
  });
});

describe('WAIT and WAITAOF', () => {
  it('answer at once how many in-sync replicas hold what was written, at most as many as were asked for', () => {
    const { cluster, client } = world();
    client.run('set', cluster.keyOf(1), '1');
    expect(client.run('wait', '2', '100')).to.equal(':2\r\n');
    expect(client.run('wait', '1', '100')).to.equal(':1\r\n');
    expect(client.run('wait', '0', '0')).to.equal(':0\r\n');
    expect(client.run('wait', '9', '0')).to.equal(':2\r\n');
    expect(client.run('waitaof', '1', '2', '100')).to.equal('*2\r\n:1\r\n:2\r\n');
  });

  it('look at the partitions that the connection has written to', () => {
    const { cluster, client } = world();
    cluster.change(1, { isr: [asNodeId(2)] });
    client.run('set', cluster.keyOf(1), '1');
    expect(client.run('wait', '2', '0')).to.equal(':2\r\n');
  });

  it('look at all where it has written nothing', async () => {
    const { cluster, client, clock } = world();
    cluster.change(1, { isr: [asNodeId(1), asNodeId(2)] });
    expect(client.run('wait', '1', '0')).to.equal(':1\r\n');
    expect(client.run('wait', '2', '100')).to.equal('');
    await clock.advance(100);
    expect(client.runAgain()).to.equal(':1\r\n');
  });

  it('wait until the last write is committed, for no longer than was said', async () => {
    const { cluster, client, clock } = world({ commit: 'manual' });
    const key = cluster.keyOf(1);
    client.run('set', key, '1');
    expect(client.run('wait', '2', '50')).to.equal('');
    await clock.advance(50);
    expect(client.runAgain()).to.equal(':0\r\n');
    expect(client.run('waitaof', '1', '2', '50')).to.equal('');
    await clock.advance(50);
    expect(client.runAgain()).to.equal('*2\r\n:0\r\n:0\r\n');
    expect(client.run('wait', '2', '0')).to.equal('');
    cluster.partitionOf(key).commitAll();
    await clock.until(client.context.suspension as Promise<void>);
    expect(client.runAgain()).to.equal(':2\r\n');
    expect(clock.timerCount).to.equal(0);
  });

  it('wait for a replica to come back into the ISR', async () => {
    const { cluster, client, clock } = world();
    client.run('set', cluster.keyOf(1), '1');
    cluster.change(0, { isr: [asNodeId(1), asNodeId(2)] });
    expect(client.run('wait', '2', '1000')).to.equal('');
    await clock.advance(500);
    expect(client.runAgain()).to.equal('');
    cluster.change(0, { isr: [asNodeId(1), asNodeId(2), asNodeId(3)] });
    await clock.until(client.context.suspension as Promise<void>);
    expect(client.runAgain()).to.equal(':2\r\n');
  });

  it('wait no longer than a write may take where no time was said', async () => {
    const { cluster, client, clock } = world();
    client.run('set', cluster.keyOf(1), '1');
    cluster.change(0, { isr: [asNodeId(1)] });
    expect(client.run('wait', '1', '0')).to.equal('');
    await clock.advance(3999);
    expect(client.runAgain()).to.equal('');
    await clock.advance(1);
    expect(client.runAgain()).to.equal(':0\r\n');
  });

  it('do not count a write that is in doubt', () => {
    const { cluster, client } = world({ commit: 'manual' });
    const key = cluster.keyOf(1);
    client.run('set', key, '1');
    cluster.partitionOf(key).fail();
    expect(client.run('wait', '1', '0')).to.equal(':1\r\n');
  });

  it('of a node alone: nobody else, and the own disk once the write is committed', async () => {
    const harness = new Harness({ commit: 'manual' });
    harness.run('set', 'a', '1');
    expect(harness.run('wait', '1', '0')).to.equal('');
    harness.partition.commitAll();
    await harness.clock.until(harness.context.suspension as Promise<void>);
    expect(harness.runAgain()).to.equal(':0\r\n');
    expect(harness.run('waitaof', '1', '0', '0')).to.equal('*2\r\n:1\r\n:0\r\n');
    expect(harness.run('waitaof', '1', '1', '100')).to.equal('*2\r\n:1\r\n:0\r\n');
  });

  it('refuse arguments as Redis words it', () => {
    const { client } = world();
    for (const [words, reply] of [
      ['wait x 1', 'value is not an integer or out of range'],
      ['wait 1 x', 'timeout is not an integer or out of range'],
      ['wait 1 -1', 'timeout is negative'],
      ['waitaof 2 0 0', 'value is out of range, must between 0 and 1'],
      ['waitaof -1 0 0', 'value is out of range, must between 0 and 1'],
      ['waitaof x 0 0', 'value is not an integer or out of range'],
      ['waitaof 0 -1 0', 'value is out of range, must be positive'],
      ['waitaof 0 0 -1', 'timeout is negative'],
    ] as const)
      expect(client.run(...words.split(' ')), words).to.equal(`-ERR ${reply}\r\n`);
  });
});
