import { expect } from 'chai';
import type { ReplicaTrouble } from '../../../src/model/control-messages.ts';
import { asDatabaseId } from '../../../src/model/numbers.ts';
import { EntryView, ReadOutcome } from '../../../src/replication/leader-partition.ts';
import { SCRUB_SCHEDULE, Scrubber } from '../../../src/replication/node/scrubber.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { keyOf, PARTITION, TestCluster, type TestNode } from './replica-cluster.ts';

const STALENESS_MS = 1000;
/** Large enough to be read from the disk each time. */
const VALUE = 'x'.repeat(400_000);

const troubles = (node: TestNode): readonly ReplicaTrouble[] =>
  node.told.filter((message) => message.kind === 'replicaTrouble');

const directoryOf = (node: TestNode): string | undefined =>
  node.manager.replica(PARTITION)?.store?.directoryId;

/** Flips a bit in the middle of the value, on the disk of one node. */
async function rot(cluster: TestCluster, id: number): Promise<void> {
  const { disk } = cluster.node(id);
  const root = '/data/partitions';
  for (const directory of await cluster.clock.until(disk.fileSystem.list(root))) {
    for (const name of await cluster.clock.until(disk.fileSystem.list(`${root}/${directory}`)))
      if (name.endsWith('.log')) disk.flipBit(`${root}/${directory}/${name}`, 100_000, 2);
  }
}

async function filled(count: number): Promise<TestCluster> {
  const cluster = new TestCluster(count);
  cluster.minInsync = 1;
  await cluster.found(1);
  cluster.node(1).put('key', VALUE);
  await cluster.clock.advance(1000);
  return cluster;
}

describe('a committed record that has rotted (C11)', () => {
  it('met by a read of a follower is not answered: the replica is built anew, and reads again then', async () => {
    const cluster = await filled(2);
    const node = cluster.node(2);
    const before = directoryOf(node);
    await rot(cluster, 2);
    const reads = node.manager.readStale(PARTITION, STALENESS_MS);
    if (reads === null) throw new Error('not fresh');
    const read = () => reads.readCommitted(asDatabaseId(0), keyOf('key', reads), new EntryView(), true);
    expect(read(), 'it is being loaded').to.equal(false);
    await cluster.clock.until(reads.loaded);
    expect(read()).to.equal(false);
    expect(read(), 'told once').to.equal(false);
    expect(node.manager.readStale(PARTITION, STALENESS_MS)).to.equal(null);
    expect(troubles(node)[0]).to.include({ trouble: 'corrupt', directoryId: before });
    await cluster.clock.advance(1000);
    expect(directoryOf(node)).to.not.equal(before);
    expect(await node.stored('key')).to.equal(VALUE);
    expect(node.manager.readStale(PARTITION, STALENESS_MS)).to.not.equal(null);
    expect(node.manager.scrubStats.rotFound).to.equal(1);
  });

  it('met by a read of a leader is told of, until another leads', async () => {
    const cluster = await filled(2);
    const node = cluster.node(1);
    await rot(cluster, 1);
    expect(node.read('key', 1).outcome).to.equal(ReadOutcome.suspended);
    await cluster.clock.until(node.leading().suspension);
    expect(node.read('key', 1).outcome).to.equal(ReadOutcome.refused);
    const told = troubles(node).length;
    expect(told).to.be.greaterThan(0);
    await cluster.clock.advance(2000);
    expect(troubles(node).length, 'again and again').to.be.greaterThan(told + 2);
    await cluster.push(cluster.state(2, 2, 3));
    await cluster.clock.advance(2000);
    expect(await node.stored('key')).to.equal(VALUE);
    const last = troubles(node).length;
    await cluster.clock.advance(5000);
    expect(troubles(node).length, 'it was built anew').to.equal(last);
  });

  it('is said again in the next epoch by a follower that is not built anew yet', async () => {
    const cluster = await filled(2);
    const node = cluster.node(1);
    await rot(cluster, 1);
    await cluster.clock.until(node.manager.scrubNow());
    cluster.isLost = () => true;
    const before = troubles(node).length;
    await cluster.push(cluster.state(2, 2, 3));
    await cluster.clock.advance(2000);
    expect(troubles(node).length).to.be.greaterThan(before + 2);
    expect(node.manager.reports([])[0]?.verdict).to.equal('lossy');
  });

  it('stays marked where the replica is elected in spite of it: a crash does not make it whole', async () => {
    const cluster = await filled(2);
    const node = cluster.node(2);
    await rot(cluster, 2);
    cluster.isLost = () => true;
    await cluster.clock.until(node.manager.scrubNow());
    await cluster.clock.advance(1000);
    await cluster.push(cluster.state(2, 2, 3, [2]));
    expect(node.manager.leading(PARTITION)).to.not.equal(null);
    expect(node.manager.replica(PARTITION)?.store?.isWhole, 'the mark').to.equal(false);
    node.kill();
    await node.start();
    expect(node.manager.reports([])[0]?.verdict).to.equal('lossy');
  });

  it('of a partition that nobody else has is logged and counted, and nothing else', async () => {
    const cluster = await filled(1);
    const node = cluster.node(1);
    await rot(cluster, 1);
    await cluster.clock.until(node.manager.scrubNow());
    expect(node.manager.scrubStats).to.deep.equal({ rotFound: 1, rounds: 1 });
    expect(node.logger.texts('error')).to.deep.equal(['a committed record has rotted, or cannot be read']);
    expect(troubles(node)).to.deep.equal([]);
    expect(node.manager.reports([])[0]?.verdict).to.equal('whole');
    expect(node.leading().writeRefusal()).to.equal(null);
  });
});

describe('the digest of a replica (C14)', () => {
  it('is the same on all at the same offset, and another after another write', async () => {
    const cluster = await filled(2);
    const digests = async (): Promise<unknown[]> => {
      await cluster.clock.advance(1000);
      const all = cluster.nodes.map(({ manager }) => manager.digest(PARTITION));
      return cluster.clock.until(Promise.all(all));
    };
    const [first, same] = await digests();
    expect(first).to.include({ offset: 1, keys: 1 });
    expect(same).to.deep.equal(first);
    cluster.node(1).put('other', 'value');
    const [second, sameAgain] = await digests();
    expect(second).to.include({ offset: 2, keys: 2 });
    expect(sameAgain).to.deep.equal(second);
    expect(second).to.not.deep.equal(first);
  });

  it('of what has rotted is none, and the replica is built anew', async () => {
    const cluster = await filled(2);
    await rot(cluster, 2);
    const { manager } = cluster.node(2);
    expect(await cluster.clock.until(manager.digest(PARTITION))).to.equal(null);
    await cluster.clock.advance(1000);
    expect(await cluster.clock.until(manager.digest(PARTITION))).to.include({ offset: 1 });
    expect(manager.scrubStats.rotFound).to.equal(1);
  });

  it('is asked in vain of a node that holds none', async () => {
    const cluster = new TestCluster(1);
    await cluster.start();
    expect(await cluster.node(1).manager.digest(PARTITION)).to.equal(null);
  });
});

describe('the schedule of scrub', () => {
  const roundsIn = async (intervalMs: number, forMs: number): Promise<number> => {
    const clock = new SimulatedClock();
    const asked: number[] = [];
    const target = {
      scrub: (bytesPerSecondMax: number) => {
        asked.push(bytesPerSecondMax);
        return Promise.resolve();
      },
    };
    const scrubber = new Scrubber(clock, { intervalMs, bytesPerSecondMax: 7 }, () => [target]);
    scrubber.start();
    await clock.advance(forMs);
    scrubber.stop();
    expect(clock.timerCount).to.equal(0);
    expect(asked.every((rate) => rate === 7)).to.equal(true);
    return asked.length;
  };

  it('is one round after the other, with the interval between them; 0 is never', async () => {
    expect(await roundsIn(1000, 999)).to.equal(0);
    expect(await roundsIn(1000, 3500)).to.equal(3);
    expect(await roundsIn(0, 100_000)).to.equal(0);
    expect(SCRUB_SCHEDULE.intervalMs).to.be.greaterThan(0);
  });
});
