import type { LeaderPartition, ReadArrivals } from '../../../src/cluster/index.ts';
import type { Clock } from '../../../src/env/clock.ts';
import type { NodeId, PartitionId } from '../../../src/model/numbers.ts';
import type { Action } from '../checkers/history.ts';

/** One life of a node, as the simulated command layer needs it. */
export interface ServiceNode {
  readonly clock: Clock;
  readonly arrivals: ReadArrivals;
  /** The partition, if this node leads it. */
  lead(partition: PartitionId): LeaderPartition | null;
  /** Who leads it, as far as this node knows. */
  leaderHint(partition: PartitionId): NodeId | null;
  /** The reply to a read that a follower may answer, within its staleness bound; null: it may not now. */
  followerRead(partition: PartitionId, action: Action): string | null;
}
