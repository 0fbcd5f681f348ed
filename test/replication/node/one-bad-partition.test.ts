import { expect } from 'chai';
import { asEpochMillis, asPartitionId, type Offset, type PartitionId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { EntryView, type LeaderPartition, ReadOutcome } from '../../../src/replication/leader-partition.ts';
import { ReadArrivals } from '../../../src/replication/read-arrivals.ts';
import { DATABASE, keyOf, PARTITION, TestCluster, type TestNode, told } from './replica-cluster.ts';

const arrivals = new ReadArrivals();
const OTHER = asPartitionId(1);
const OTHER_UUID = 'ffeeddccbbaa99887766554433221100';
/** The directory of `PARTITION`, and of it alone. */
const BAD_PATH = '/data/partitions/0/';

function otherState(
  cluster: TestCluster,
  leader: number | null,
  epoch: number,
  version: number,
): PartitionState {
  const directoryIds = cluster.nodes.map((node): [number, string] => [
    node.id,
    node.manager.replica(OTHER)?.store?.directoryId ?? '',
  ]);
  const state = cluster.state(leader, epoch, version);
  return { ...state, id: OTHER, uuid: OTHER_UUID, directoryIds: Object.fromEntries(directoryIds) };
}

/** Two partitions at two nodes, both led by the first. */
async function twoPartitions(): Promise<TestCluster> {
  const cluster = new TestCluster(2);
  await cluster.found(1);
  await cluster.push({ ...otherState(cluster, null, 0, 1), isr: [], directoryIds: {} });
  await cluster.push(otherState(cluster, 1, 1, 2));
  await cluster.clock.advance(100);
  return cluster;
}

function leading(node: TestNode, id: PartitionId): LeaderPartition {
  const leader = node.manager.leading(id);
  if (leader === null) throw new Error(`node ${node.id} does not lead partition ${id}`);
  return leader;
}

function put(leader: LeaderPartition, key: string, value: string): Offset {
  const bytes = Buffer.from(value);
  return leader.put(DATABASE, keyOf(key, leader), bytes, 0, bytes.length, asEpochMillis(0));
}

/** As a client reads at the leader. */
function read(leader: LeaderPartition, key: string): string | null {
  const entry = new EntryView();
  expect(leader.readCommitted(DATABASE, keyOf(key, leader), entry, true)).to.equal(ReadOutcome.ready);
  expect(leader.confirmRead(arrivals.next())).to.equal(ReadOutcome.ready);
  return entry.found ? Buffer.from(entry.bytes.subarray(entry.start, entry.end)).toString() : null;
}

function fetchesOf(cluster: TestCluster, node: TestNode, id: PartitionId): number {
  const fetches = cluster.carried.filter((message) => message.kind === 'fetch');
  return fetches.filter(({ from, partition }) => from === node.id && partition === id).length;
}

const troubled = (node: TestNode): readonly PartitionId[] => [
  ...new Set(told(node, 'replicaTrouble').map(({ partition }) => partition)),
];

describe('one bad partition of two (KAFKA-8346)', () => {
  it('a follower whose disk fails in one fetches the other on, which is committed and served', async () => {
    const cluster = await twoPartitions();
    const [one, two] = [cluster.node(1), cluster.node(2)];
    two.disk.arm({ operation: 'sync', path: BAD_PATH, times: Number.POSITIVE_INFINITY });
    put(leading(one, PARTITION), 'key', 'bad');
    await cluster.clock.advance(100);
    const stopped = fetchesOf(cluster, two, PARTITION);
    const before = fetchesOf(cluster, two, OTHER);
    for (let number = 0; number < 5; number += 1) {
      put(leading(one, OTHER), `key${number}`, 'good');
      await cluster.clock.advance(300);
      expect(read(leading(one, OTHER), `key${number}`)).to.equal('good');
    }
    expect(leading(one, OTHER).highWatermark).to.equal(5);
    expect(two.manager.replica(OTHER)?.store?.committedOffset).to.equal(5);
    expect(fetchesOf(cluster, two, OTHER)).to.be.at.least(before + 5);
    expect(leading(one, PARTITION).highWatermark, 'not on two disks').to.equal(0);
    expect(fetchesOf(cluster, two, PARTITION)).to.equal(stopped);
    expect(troubled(two)).to.deep.equal([PARTITION]);
    expect(two.manager.reports([OTHER])[0]?.verdict).to.equal('whole');
    expect(two.manager.reports([PARTITION])[0]?.verdict).to.equal('lossy');
  });

  it('a leader whose disk fails in one leads the other on', async () => {
    const cluster = await twoPartitions();
    const [one, two] = [cluster.node(1), cluster.node(2)];
    one.disk.arm({ operation: 'sync', path: BAD_PATH, times: Number.POSITIVE_INFINITY });
    put(leading(one, PARTITION), 'key', 'bad');
    await cluster.clock.advance(100);
    expect(leading(one, PARTITION).writeRefusal()).to.not.equal(null);
    expect(leading(one, OTHER).writeRefusal()).to.equal(null);
    put(leading(one, OTHER), 'key', 'good');
    await cluster.clock.advance(300);
    expect(read(leading(one, OTHER), 'key')).to.equal('good');
    expect(two.manager.replica(OTHER)?.store?.committedOffset).to.equal(1);
    expect(troubled(one)).to.deep.equal([PARTITION]);
  });
});
