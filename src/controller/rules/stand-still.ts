import type { PartitionState, ReplicaReport } from '../../model/partition-state.ts';
import type { PartitionWorld } from './partition-world.ts';

/**
 * Whether the state is that of an epoch that nobody leads, above all that anybody has heard of: only in such a one may
 * replicas be compared after the coordinator lost writes (R17). A leader that goes on in an epoch before it commits
 * while it is asked, and what was the greatest log when one replica answered is not when the next does.
 */
export function isLeaderless(
  { recovery, leader, leaderEpoch }: PartitionState,
  { leaderEpochMax }: Pick<PartitionWorld, 'leaderEpochMax'>,
): boolean {
  return recovery === 'regressed' && leader === null && leaderEpochMax <= leaderEpoch;
}

/** Whether who reports has heard of the epoch of the state, and so neither leads nor follows in one before it. */
export function standsStill(
  { leaderEpoch }: PartitionState,
  { leaderEpochMax }: Pick<ReplicaReport, 'leaderEpochMax'>,
): boolean {
  return leaderEpochMax >= leaderEpoch;
}
