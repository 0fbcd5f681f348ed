import { expect } from 'chai';
import { life, PARTITION, TestCluster } from '../replication/node/replica-cluster.ts';

const ROOT = '/data/partitions/0';

/** Node 2 has lost its last batch to rot, says so, and has caught up since. */
async function caughtUp(): Promise<TestCluster> {
  const cluster = new TestCluster(2);
  cluster.minInsync = 1;
  await cluster.found(1);
  cluster.node(1).put('key', 'x'.repeat(200));
  await cluster.clock.advance(500);
  const node = cluster.node(2);
  node.kill();
  for (const name of await cluster.clock.until(node.disk.fileSystem.list(ROOT)))
    if (name.endsWith('.log')) node.disk.flipBit(`${ROOT}/${name}`, 200, 1);
  await node.start();
  expect(node.manager.reports([])[0]?.verdict).to.equal('lossy');
  await cluster.push(cluster.state(1, 2, 3, [1]));
  await cluster.clock.advance(500);
  expect(await node.stored('key')).to.equal('x'.repeat(200));
  expect(node.manager.reports([])[0]?.verdict, 'no member yet').to.equal('lossy');
  return cluster;
}

/** Only a follower, or a leader, took the mark away: who heard of its membership from the state that has no leader said for ever that it was lossy. */
describe('a lossy replica that became a member just before its leader died (R6)', () => {
  it('is whole once it hears of it, though nobody leads, and after a restart', async () => {
    const cluster = await caughtUp();
    const node = cluster.node(2);
    await cluster.push(cluster.state(1, 2, 4, [1, 2]), [1]);
    await cluster.push(cluster.state(null, 3, 5, [1, 2]), [2]);
    expect(node.manager.replica(PARTITION)?.follower).to.equal(null);
    expect(node.manager.reports([])[0]?.verdict).to.equal('whole');
    node.kill();
    await node.start();
    expect(node.manager.reports([])[0]?.verdict).to.equal('whole');
  });

  it('is whole also if it hears of itself only when it is eligible and no member any more (KIP-966)', async () => {
    for (const leader of [1, null]) {
      const cluster = await caughtUp();
      const node = cluster.node(2);
      await cluster.push(cluster.state(1, 2, 4, [1, 2]), [1]);
      await cluster.push({ ...cluster.state(leader, 3, 5, [1]), elr: [node.id] }, [2]);
      expect(node.manager.reports([])[0]?.verdict).to.equal('whole');
      node.kill();
      await node.start();
      expect(node.manager.reports([])[0]?.verdict).to.equal('whole');
    }
  });

  it('stays lossy if what it hears speaks of another life, or of others', async () => {
    const cluster = await caughtUp();
    const node = cluster.node(2);
    const { incarnations } = cluster.state(1, 2, 3);
    await cluster.push(
      {
        ...cluster.state(null, 3, 5, [1, 2]),
        incarnations: { ...incarnations, 2: life(node.manager.incarnation - 1) },
      },
      [2],
    );
    expect(node.manager.reports([])[0]?.verdict).to.equal('lossy');
    await cluster.push(cluster.state(null, 4, 6, [1]), [2]);
    expect(node.manager.reports([])[0]?.verdict).to.equal('lossy');
  });
});
