import { expect } from 'chai';
import { startCluster } from '../controller/started-cluster.ts';

describe('a process that was refused in an earlier life', () => {
  it('does not count as dead in its next one, for a controller that comes to reign meanwhile', async () => {
    const cluster = await startCluster();
    const old = cluster.reigning;
    const id = [1, 2, 3].find((other) => other !== old.nodeId) ?? 0;
    const { nodeId, incarnation } = cluster.node(id);
    cluster.kill(id);
    for (const node of cluster.nodes.values()) node.controller?.nodeRefused(nodeId, incarnation);
    cluster.expire(id);
    const reborn = cluster.restart(id);
    await cluster.clock.advance(500);
    expect(cluster.partition().incarnations[id]).to.equal(reborn.incarnation);
    const before = cluster.partition();
    cluster.kill(old.nodeId);
    cluster.expire(old.nodeId);
    await cluster.clock.advance(1_500);
    expect(cluster.reigning).to.not.equal(old);
    expect(cluster.reigning.controller?.state.refused.has(nodeId)).to.equal(false);
    expect(cluster.partition().isr).to.include(nodeId);
    expect(before.isr).to.include(nodeId);
  });
});
