import { expect } from 'chai';
import { asPartitionId, type NodeId } from '../../src/model/numbers.ts';
import { ControlledCluster } from '../support/controlled-cluster.ts';
import { nodes } from '../support/partition-states.ts';

const P0 = asPartitionId(0);

/**
 * A follower that had found a rotten record left the ISR, and its leader, which had not heard of the rebuild yet, proposed it again with the old directory. The
 * trouble was kept by the directory that the state named, which by then was none: half a second long the rotten replica could have been elected.
 */
describe('a corrupt replica that is proposed again before its leader knows', () => {
  it('is out of the ISR at once, until it comes with another directory (C11, KAFKA-7837)', async () => {
    const cluster = new ControlledCluster();
    await cluster.bootstrap(nodes(1, 2, 3));
    for (const id of nodes(1, 2, 3)) cluster.add(id);
    await cluster.clock.advance(1_000);
    const { leader, leaderEpoch, directoryIds } = cluster.partition();
    const victim = cluster.node(cluster.partition().isr.find((id) => id !== leader) as NodeId);
    const rotten = directoryIds[victim.nodeId] as string;
    const { nodeId: node, incarnation } = victim;
    const propose = async (directoryId: string): Promise<void> => {
      const { uuid, version } = cluster.partition();
      const sender = cluster.node(leader as NodeId);
      sender.send({
        kind: 'isrProposal',
        proposalId: version,
        partition: P0,
        uuid,
        leader: sender.nodeId,
        leaderIncarnation: sender.incarnation,
        leaderEpoch,
        version,
        isr: nodes(1, 2, 3).map((id) => ({
          node: id,
          incarnation: cluster.node(id).incarnation,
          directoryId: id === node ? directoryId : (directoryIds[id] as string),
        })),
      });
      await cluster.clock.advance(100);
    };
    const trouble = { kind: 'replicaTrouble', node, incarnation, partition: P0, leaderEpoch } as const;
    victim.send({ ...trouble, directoryId: rotten, trouble: 'corrupt' });
    await cluster.clock.advance(100);
    expect(cluster.partition().isr).to.not.include(node);
    await propose(rotten);
    expect(cluster.partition().isr).to.not.include(node);
    // A late double must not be taken for the replica that was built anew.
    await propose('built anew');
    victim.send({ ...trouble, directoryId: rotten, trouble: 'corrupt' });
    await cluster.clock.advance(100);
    expect(cluster.partition().isr).to.include(node);
  });
});
