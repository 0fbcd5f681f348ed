import type { LeaderPartition, ReadArrivals } from '../../../src/cluster/index.ts';
import type { Clock } from '../../../src/env/clock.ts';
import type { NodeId, PartitionId } from '../../../src/model/numbers.ts';
import type { Action } from '../checkers/history.ts';

/** What a follower says to a read that asked for one. `refused`: it is not one, or may be too far behind. */
export type FollowerRead =
  | { readonly kind: 'reply'; readonly reply: string }
  | { readonly kind: 'suspended'; readonly until: Promise<void> }
  | { readonly kind: 'refused' };

/** One life of a node, as the simulated command layer needs it. */
export interface ServiceNode {
  readonly clock: Clock;
  readonly arrivals: ReadArrivals;
  /** The partition, if this node leads it. */
  lead(partition: PartitionId): LeaderPartition | null;
  /** Who leads it, as far as this node knows. */
  leaderHint(partition: PartitionId): NodeId | null;
  followerRead(partition: PartitionId, action: Action, stalenessMsMax: number): FollowerRead;
}
