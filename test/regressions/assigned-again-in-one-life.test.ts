import { expect } from 'chai';
import { asNodeId } from '../../src/model/numbers.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import { TestCluster } from '../replication/node/replica-cluster.ts';

/** Seed 907: the new replica counted its fetches from 1 again, and its leader ignored them all as older than the ones of before. */
describe('a replica that is taken away and assigned again in one life of its node', () => {
  it('is heard by a leader that knows its fetches of before', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(2000);
    const without = (state: PartitionState): PartitionState => ({
      ...state,
      replicas: state.replicas.filter((id) => id !== asNodeId(3)),
    });
    await cluster.push(without(cluster.state(1, 2, 3, [1, 2])), [1, 2]);
    // Node 3 has not heard of it, and asks on.
    await cluster.clock.advance(500);
    await cluster.push(without(cluster.state(1, 2, 3, [1, 2])), [3]);
    await cluster.clock.advance(100);
    expect(await cluster.node(3).stored('key')).to.equal(null);
    await cluster.push(cluster.state(1, 2, 4, [1, 2]));
    await cluster.clock.advance(1000);
    expect(await cluster.node(3).stored('key')).to.equal('value');
  });
});
