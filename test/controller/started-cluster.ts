import type { IsrProposal, IsrProposalReply } from '../../src/model/control-messages.ts';
import { asPartitionId } from '../../src/model/numbers.ts';
import { ControlledCluster, type ScriptedNode } from '../support/controlled-cluster.ts';
import { nodes } from '../support/partition-states.ts';

export const P0 = asPartitionId(0);

export async function startCluster(count = 3, partitions = 1): Promise<ControlledCluster> {
  const cluster = new ControlledCluster();
  const ids = nodes(...Array.from({ length: count }, (_, index) => index + 1));
  await cluster.bootstrap(ids.slice(0, 3), partitions);
  for (const id of ids) cluster.add(id);
  await cluster.clock.advance(1_000);
  return cluster;
}

/** A node that is not the controller, nor another one named. */
export const other = (cluster: ControlledCluster, ...not: (number | null)[]): ScriptedNode => {
  const found = [...cluster.nodes.values()].find(
    (node) => node !== cluster.reigning && !not.includes(node.nodeId),
  );
  if (found === undefined) throw new Error('no other node');
  return found;
};

export function proposal(
  cluster: ControlledCluster,
  isr: readonly number[],
  change: Partial<IsrProposal> = {},
): IsrProposal {
  const { uuid, leader, leaderEpoch, version } = cluster.partition();
  if (leader === null) throw new Error('no leader');
  return {
    kind: 'isrProposal',
    proposalId: 1,
    partition: P0,
    uuid,
    leader,
    leaderIncarnation: cluster.node(leader).incarnation,
    leaderEpoch,
    version,
    isr: isr.map((id) => {
      const member = cluster.node(id);
      const directoryId = member.replicas.get(P0)?.directoryId ?? '';
      return { node: member.nodeId, incarnation: member.incarnation, directoryId };
    }),
    ...change,
  };
}

export const repliesTo = (node: ScriptedNode): IsrProposalReply[] =>
  node.received.filter((message) => message.kind === 'isrProposalReply');

/** Writes that reached the partition: its version grows by one with each. */
export const versionOf = (cluster: ControlledCluster): number => cluster.partition().version;
