import type { Incarnation, MonotonicMillis, PartitionId } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { SerialQueue } from '../../storage/serial-queue.ts';
import type { FollowerUpkeep } from '../follower/follower-replica.ts';
import type { WriteGroup } from '../follower/write-group.ts';
import type { UpkeepHost } from '../leader/upkeep.ts';
import type { ReplicationRules } from '../rules/rules.ts';
import type { ClusterView, LeaderHost, LeaderRole } from './leader-role.ts';
import type { LeaseExchange } from './lease-exchange.ts';
import type { NodeState } from './node-state.ts';
import type { ReplicaManagerDoors, ReplicaManagerSettings } from './ports.ts';
import type { ReplicaDirectories } from './replica-directories.ts';

/** What a replica asks of its node: one for all replicas. */
export interface ReplicaNode {
  readonly settings: ReplicaManagerSettings;
  readonly doors: ReplicaManagerDoors;
  readonly rules: ReplicationRules;
  readonly nodeState: NodeState;
  readonly directories: ReplicaDirectories;
  readonly exchange: LeaseExchange;
  readonly writes: WriteGroup;
  /** The life that this node is in now, or, between two, was in last. */
  readonly incarnation: Incarnation;
  /**
   * The next life is not durable yet: no role begins, and nothing is answered, acknowledged or promised under either
   * (KIP-380).
   */
  readonly isBetweenLives: boolean;
  view(): ClusterView;
  mayActFromMs(uuid: string): MonotonicMillis;
  newLeader(state: PartitionState, store: PartitionStore, host: LeaderHost): LeaderRole;
  newUpkeep(store: PartitionStore, host: UpkeepHost, serial: SerialQueue): FollowerUpkeep;
  /** A state that a leader was told of: to be taken over like a pushed one. */
  adopt(state: PartitionState): void;
  /** Somebody knows more than we do: the coordinator is to be read again. */
  suspectSelf(): void;
  /** A committed record cannot be read: counted. */
  rotFound(): void;
  /** A role began or ended. */
  roleChanged(partition: PartitionId): void;
}
