import { expect } from 'chai';
import { P0, startCluster } from '../controller/started-cluster.ts';
import { nodes } from '../support/partition-states.ts';

describe('a wish for other replicas', () => {
  it('is not forgotten when it comes while the write for the one before is under way', async () => {
    const cluster = await startCluster(5);
    const { controller } = cluster.reigning;
    const first = controller?.admin({ kind: 'reassign', partition: P0, replicas: nodes(4, 2, 3) });
    const second = controller?.admin({ kind: 'reassign', partition: P0, replicas: nodes(5, 2, 3) });
    expect(await first).to.deep.equal({ ok: true });
    expect(await second).to.deep.equal({ ok: true });
    await cluster.clock.advance(500);
    expect(cluster.partition().adding).to.deep.equal([5]);
    expect(controller?.state.partitions.get(P0)?.wishes.reassign).to.equal(null);
  });
});
