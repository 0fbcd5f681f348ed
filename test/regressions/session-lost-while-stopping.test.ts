import { expect } from 'chai';
import { openWorld } from '../simulation/world/open-world.ts';
import { P0, writtenAtLast } from '../simulation/world/world-writes.ts';

describe('a session that is lost while the node stops', () => {
  it('begins no new life on replicas that are being closed', async () => {
    const world = openWorld({ seed: 22, lossShare: 0, doubledShare: 0, reorderedShare: 0 });
    await world.start();
    expect(await writtenAtLast(world, 'a', 5000)).to.equal(true);
    const leader = world.leader(P0);
    if (leader === null) throw new Error('no leader');
    const node = world.node(leader);
    const cluster = node.live?.cluster;
    if (cluster === undefined) throw new Error('it does not run');
    node.shutDown();
    // It has come to closing its replicas, and is still registered.
    for (let ms = 0; cluster.session !== null && ms < 20_000; ms += 1) await world.run(1);
    expect(node.isUp).to.equal(true);
    const { incarnation } = cluster.replicas;
    world.fire('sessionExpiry', leader);
    expect(await world.runUntil(() => !node.isUp, 20_000)).to.equal(true);
    expect(cluster.replicas.incarnation).to.equal(incarnation);
    expect(world.defects).to.deep.equal([]);
    world.end();
  });
});
