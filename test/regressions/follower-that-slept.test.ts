import { expect } from 'chai';
import { PARTITION, TestCluster } from '../replication/node/replica-cluster.ts';

const STALENESS_MS = 1000;

describe('a follower whose host slept', () => {
  // Its monotonic clock stood still: what it heard last seemed to be just now, and was not.
  it('answers no read before it has heard its leader again (PROTOCOL 4.3-9)', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(500);
    const { manager } = cluster.node(2);
    expect(manager.readStale(PARTITION, STALENESS_MS)).to.not.equal(null);
    cluster.clock.wallJump(5_000);
    expect(manager.readStale(PARTITION, STALENESS_MS)).to.equal(null);
    await cluster.clock.advance(500);
    expect(manager.readStale(PARTITION, STALENESS_MS)).to.not.equal(null);
  });
});
