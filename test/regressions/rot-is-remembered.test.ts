import { expect } from 'chai';
import { TestCluster, type TestNode } from '../replication/node/replica-cluster.ts';

const ROOT = '/data/partitions/0';

async function flip(cluster: TestCluster, node: TestNode): Promise<void> {
  for (const name of await cluster.clock.until(node.disk.fileSystem.list(ROOT)))
    if (name.endsWith('.log')) node.disk.flipBit(`${ROOT}/${name}`, 100_000, 2);
}

/** Only memory knew it: who crashed before it was built anew came back as whole, if the start did not meet the same bytes. */
describe('a replica that has met a rotten record', () => {
  it('is lossy also after a crash, until it has been built anew (C11, R6)', async () => {
    const cluster = new TestCluster(2);
    cluster.minInsync = 1;
    await cluster.found(1);
    cluster.node(1).put('key', 'x'.repeat(400_000));
    await cluster.clock.advance(1000);
    const node = cluster.node(2);
    cluster.isLost = () => true;
    await flip(cluster, node);
    await cluster.clock.until(node.manager.scrubNow());
    await cluster.clock.advance(500);
    // A disk that gives the right bytes when it is asked again.
    await flip(cluster, node);
    node.kill();
    await node.start();
    expect(node.manager.reports([])[0]?.verdict).to.equal('lossy');
    cluster.isLost = () => false;
    await cluster.push(cluster.state(1, 2, 3, [1]));
    await cluster.clock.advance(1000);
    await cluster.push(cluster.state(1, 2, 4));
    expect(node.manager.reports([])[0]?.verdict).to.equal('whole');
  });
});
