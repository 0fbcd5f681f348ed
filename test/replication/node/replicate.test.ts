import { expect } from 'chai';
import { ReadOutcome } from '../../../src/replication/leader-partition.ts';
import { PARTITION, TestCluster } from './replica-cluster.ts';

describe('replica managers over a pipe', () => {
  it('replicates what the leader appends and commits it on both', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    const leader = cluster.node(1);
    await cluster.clock.advance(50);
    const offset = leader.put('key', 'value');
    await cluster.clock.advance(300);
    expect(leader.leading().highWatermark).to.equal(offset + 1);
    expect(await leader.stored('key')).to.equal('value');
    expect(await cluster.node(2).stored('key')).to.equal('value');
  });

  it('answers reads under the lease that the follower grants', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(300);
    expect(cluster.node(1).read('key', 1)).to.deep.equal({ outcome: ReadOutcome.ready, value: 'value' });
    expect(cluster.node(1).leading().stats().reads.byLease).to.equal(1);
  });

  it('catches up after messages were lost, doubled and late', async () => {
    const cluster = new TestCluster(2, { seed: 7 });
    await cluster.found(1);
    cluster.isLost = () => cluster.random.chance(0.3);
    cluster.arrivals = () =>
      Array.from(
        { length: 1 + cluster.random.below(2) },
        () => cluster.random.below(3) * cluster.random.below(120),
      );
    for (let number = 0; number < 50; number += 1) {
      cluster.node(1).put(`key${number}`, `value${number}`);
      await cluster.clock.advance(20);
    }
    cluster.isLost = () => false;
    cluster.arrivals = () => [0];
    await cluster.clock.advance(2000);
    for (let number = 0; number < 50; number += 1) {
      expect(await cluster.node(2).stored(`key${number}`)).to.equal(`value${number}`);
    }
  });

  it('drops what was damaged on its way and fetches it again', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(50);
    let damaged = 0;
    cluster.spoil = (message) => {
      if (message.kind !== 'fetchReply' || message.outcome.result !== 'data') return message;
      const { bytes } = message.outcome;
      if (bytes.length === 0 || damaged === 3) return message;
      bytes[(bytes.length / 2) | 0] = 255 - (bytes[(bytes.length / 2) | 0] ?? 0);
      damaged += 1;
      return message;
    };
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(1000);
    expect(damaged).to.equal(3);
    expect(await cluster.node(2).stored('key')).to.equal('value');
    expect(cluster.node(1).leading().highWatermark).to.equal(1);
  });

  it('moves leadership: the old one follows, the new one commits what it inherited and goes on', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    await cluster.clock.advance(200);
    cluster.node(1).put('first', '1');
    await cluster.clock.advance(300);
    await cluster.push(cluster.state(2, 2, 3));
    expect(cluster.node(1).manager.leading(PARTITION)).to.equal(null);
    await cluster.clock.advance(1000);
    cluster.node(2).put('second', '2');
    await cluster.clock.advance(500);
    for (const node of cluster.nodes) {
      expect(await node.stored('first')).to.equal('1');
      expect(await node.stored('second')).to.equal('2');
    }
  });
});
