import { expect } from 'chai';
import type { ReplicaTrouble } from '../../../src/model/control-messages.ts';
import { PARTITION, TestCluster, type TestNode } from './replica-cluster.ts';

function troubles(node: TestNode): readonly ReplicaTrouble[] {
  return node.told.filter((message) => message.kind === 'replicaTrouble');
}

function fetchesOf(cluster: TestCluster, node: TestNode): number {
  return cluster.carried.filter((message) => message.kind === 'fetch' && message.from === node.id).length;
}

describe('a disk that fails (KAFKA-7837, KAFKA-10778)', () => {
  it('a follower stops fetching and tells of it until its role ends', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(100);
    const node = cluster.node(2);
    node.disk.arm({ operation: 'sync', path: '.log' });
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(100);
    const fetches = fetchesOf(cluster, node);
    await cluster.clock.advance(1600);
    expect(fetchesOf(cluster, node)).to.equal(fetches);
    expect(troubles(node).length).to.be.within(3, 5);
    expect(troubles(node)[0]).to.include({ trouble: 'disk', partition: PARTITION, leaderEpoch: 1 });
    expect(node.manager.reports([])[0]?.verdict).to.equal('lossy');
  });

  it('nothing that was not synced is acknowledged', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(100);
    cluster.node(2).disk.arm({ operation: 'sync', path: '.log' });
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(1000);
    expect(cluster.node(1).leading().highWatermark).to.equal(0);
  });

  it('a replica whose disk failed leads nothing for the rest of the process', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(100);
    const node = cluster.node(2);
    node.disk.arm({ operation: 'sync', path: '.log' });
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(100);
    await cluster.push(cluster.state(2, 2, 3));
    expect(node.manager.leading(PARTITION)).to.equal(null);
    expect(troubles(node).at(-1)).to.include({ trouble: 'disk', leaderEpoch: 2 });
  });

  it('a full disk heals: the follower falls behind and catches up', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(100);
    const node = cluster.node(2);
    node.disk.arm({ operation: 'create', path: '.log', errno: 'ENOSPC', times: 3 });
    for (let number = 0; number < 3; number += 1) {
      cluster.node(1).put(`key${number}`, 'x'.repeat(9000));
      await cluster.clock.advance(20);
    }
    await cluster.clock.advance(3000);
    expect(troubles(node)).to.deep.equal([]);
    expect(await node.stored('key2')).to.equal('x'.repeat(9000));
  });

  it('a state that cannot be made durable is not in force, and not acknowledged', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    const node = cluster.node(2);
    const acks = node.told.length;
    node.disk.arm({ operation: 'sync', path: 'STATE', times: 2 });
    await cluster.push(cluster.state(2, 2, 3));
    expect(node.manager.leading(PARTITION)).to.equal(null);
    expect(node.told).to.have.length(acks);
    await cluster.push(cluster.state(2, 2, 3));
    await cluster.push(cluster.state(2, 2, 3));
    expect(node.manager.leading(PARTITION), 'the controller pushes until it is acknowledged').to.not.equal(
      null,
    );
  });

  it('a leader elect whose STATE cannot be written says so from the second push on, and leads when it can', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    const node = cluster.node(2);
    node.disk.arm({ operation: 'sync', path: 'STATE', times: 3 });
    await cluster.push(cluster.state(2, 2, 3));
    expect(troubles(node)).to.deep.equal([]);
    for (let push = 2; push <= 3; push += 1) {
      await cluster.push(cluster.state(2, 2, 3));
      expect(troubles(node)).to.have.length(push - 1);
      expect(troubles(node)[0]).to.include({ trouble: 'stuck', leaderEpoch: 2 });
    }
    await cluster.push(cluster.state(2, 2, 3));
    expect(node.manager.leading(PARTITION)).to.not.equal(null);
    expect(troubles(node)).to.have.length(2);
  });
});

describe('scrub (C11)', () => {
  async function rotten(id: number): Promise<TestCluster> {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.node(1).put('key', 'x'.repeat(300));
    await cluster.clock.advance(300);
    const { disk } = cluster.node(id);
    const names = await cluster.clock.until(disk.fileSystem.list('/data/partitions/0'));
    disk.flipBit(`/data/partitions/0/${names.find((name) => name.endsWith('.log'))}`, 300, 2);
    return cluster;
  }

  it('finds what rots at a follower, and the replica is built anew', async () => {
    const cluster = await rotten(2);
    const node = cluster.node(2);
    await cluster.clock.until(node.manager.scrubNow());
    expect(troubles(node)[0]).to.include({ trouble: 'corrupt' });
    await cluster.clock.advance(1000);
    const before = troubles(node).length;
    await cluster.clock.until(node.manager.scrubNow());
    await cluster.clock.advance(1000);
    expect(troubles(node)).to.have.length(before);
    expect(await node.stored('key')).to.equal('x'.repeat(300));
  });

  it('at a leader it is told of; once another leads, the replica is built anew', async () => {
    const cluster = await rotten(1);
    const node = cluster.node(1);
    await cluster.clock.until(node.manager.scrubNow());
    expect(troubles(node)[0]).to.include({ trouble: 'corrupt' });
    expect(node.manager.leading(PARTITION), 'until another can').to.not.equal(null);
    const old = node.manager.replica(PARTITION)?.store?.directoryId;
    await cluster.push(cluster.state(2, 2, 3));
    await cluster.clock.advance(2000);
    expect(node.manager.reports([])[0]).to.include({ verdict: 'whole' });
    expect(node.manager.replica(PARTITION)?.store?.directoryId).to.not.equal(old);
    expect(await node.stored('key')).to.equal('x'.repeat(300));
  });
});
