import { expect } from 'chai';
import { startCluster } from '../controller/started-cluster.ts';
import type { ControlledCluster, ScriptedNode } from '../support/controlled-cluster.ts';

/** The controller, who is to reign after it, and who keeps a hint about that one. */
async function started(): Promise<{ cluster: ControlledCluster; next: ScriptedNode; hinted: ScriptedNode }> {
  const cluster = await startCluster();
  const [next, hinted] = [...cluster.nodes.values()].filter((node) => node !== cluster.reigning);
  if (next === undefined || hinted === undefined) throw new Error('too few nodes');
  return { cluster, next, hinted };
}

/** Hands the reign to `next` in one step: nobody sees `/controller` empty. */
async function handTo(cluster: ControlledCluster, next: ScriptedNode): Promise<void> {
  const { nodeId, incarnation } = cluster.reigning;
  next.campaign?.peerRefused(nodeId, incarnation);
  await cluster.clock.advance(1_000);
}

describe('a refused connection of long ago', () => {
  it('R7: of an earlier life does not depose the controller in its next one', async () => {
    const { cluster, next, hinted } = await started();
    const { nodeId, incarnation } = next;
    cluster.kill(nodeId);
    hinted.campaign?.peerRefused(nodeId, incarnation);
    cluster.expire(nodeId);
    const reborn = cluster.restart(nodeId);
    await cluster.clock.advance(500);
    await handTo(cluster, reborn);
    expect(cluster.reigning).to.equal(reborn);
  });

  it('R7: of the same life does not depose it when it reigns much later', async () => {
    const { cluster, next, hinted } = await started();
    hinted.campaign?.peerRefused(next.nodeId, next.incarnation);
    await cluster.clock.advance(7_000);
    await handTo(cluster, next);
    expect(cluster.reigning).to.equal(next);
  });

  it('R7: a hint about another node does not push out the one about the controller', async () => {
    const { cluster, next, hinted } = await started();
    const old = cluster.reigning;
    cluster.kill(old.nodeId);
    hinted.campaign?.peerRefused(old.nodeId, old.incarnation);
    hinted.campaign?.peerRefused(next.nodeId, next.incarnation);
    await cluster.clock.advance(500);
    expect(cluster.reigning).to.equal(hinted);
  });
});
