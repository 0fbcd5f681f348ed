import { expect } from 'chai';
import { asPartitionId } from '../../src/model/numbers.ts';
import { startCluster } from '../controller/started-cluster.ts';

describe('a wish for an unclean election', () => {
  it('is gone when the leader turns out to be well, and does not strike at its next death', async () => {
    const cluster = await startCluster(3, 3);
    // What was reported is too old to elect by.
    await cluster.clock.advance(2_000);
    const { controller, nodeId: self } = cluster.reigning;
    const led = [0, 1, 2].find((id) => cluster.partition(id).leader !== self) ?? 0;
    const before = cluster.partition(led);
    const { nodeId, incarnation } = cluster.node(before.leader ?? 0);
    // The election waits for the third: there is time for the leader to speak.
    for (const node of cluster.nodes.values()) node.isDeaf = node.nodeId !== self && node.nodeId !== nodeId;
    // It counts as dead, and is not.
    controller?.nodeRefused(nodeId, incarnation);
    const partition = asPartitionId(led);
    const asked = controller?.admin({ kind: 'electUnclean', partition, node: self });
    expect(await asked).to.deep.equal({ ok: true });
    await cluster.clock.advance(1_000);
    expect(cluster.partition(led)).to.deep.equal(before);
    expect(controller?.state.partitions.get(partition)?.wishes.unclean).to.equal(null);
  });
});
