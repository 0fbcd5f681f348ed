import { expect } from 'chai';
import { PARTITION, TestCluster } from '../replication/node/replica-cluster.ts';

/** Fresh enough by a clock that counts to here. */
const STALENESS_MS = 1000;

describe('a read of a follower', () => {
  // Seed 106: the follower went on following a leader that had been replaced. What that one calls committed stands still, while others commit.
  it('is not answered on the word of a leader without a lease: somebody else may lead and commit', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(500);
    const { manager } = cluster.node(2);
    expect(manager.readStale(PARTITION, STALENESS_MS)?.committedOffset).to.equal(1);
    // Node 3 has promised nothing any more and follows nobody here: it, or another, may be elected.
    cluster.isLost = (_to, message) => message.from === 3;
    await cluster.clock.advance(STALENESS_MS + 700);
    expect(manager.readStale(PARTITION, STALENESS_MS)).to.equal(null);
    cluster.isLost = () => false;
    await cluster.clock.advance(500);
    expect(manager.readStale(PARTITION, STALENESS_MS)).to.not.equal(null);
  });

  it('is not answered on the word of a new leader that does not know yet all that was committed', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    const put = cluster.node(1).put('key', 'value');
    await cluster.clock.advance(10);
    cluster.node(1).kill();
    // Too few to commit what it inherited: its high watermark is that of before.
    await cluster.push(cluster.state(2, 2, 3, [2]), [2, 3]);
    await cluster.clock.advance(3000);
    expect(cluster.node(2).manager.replica(PARTITION)?.store?.logEndOffset).to.equal(put + 1);
    expect(cluster.node(3).manager.readStale(PARTITION, STALENESS_MS)).to.equal(null);
  });
});
