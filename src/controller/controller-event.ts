import type { AdminRequest, FromController, ToController } from '../model/control-messages.ts';
import type {
  ControllerEpoch,
  Incarnation,
  LeaderEpoch,
  NodeId,
  PartitionId,
  PartitionVersion,
} from '../model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../model/partition-state.ts';
import type { Flight } from './controller-state.ts';

/** What was read at the beginning of a reign, after the barrier (KAFKA-16667). */
export interface ReignWorld {
  readonly facts: ClusterFacts;
  readonly nodes: readonly NodeRegistration[];
  readonly partitions: readonly PartitionState[];
}

/** What the cluster is made of. */
export interface ClusterShape {
  readonly facts: ClusterFacts;
  /** All there are. */
  readonly partitions: readonly PartitionId[];
  /** Those that the controller did not know. */
  readonly added: readonly PartitionState[];
}

/**
 * `moved`: `/controller_epoch` is not ours any more (KAFKA-6082). `conflict`: somebody else wrote the partition, or it
 * is gone. `unknown`: it may have happened (W4). After the last two the state is read again, never written blindly
 * (KAFKA-2729).
 */
export type WriteOutcome<Version extends number = PartitionVersion> =
  | { readonly kind: 'written'; readonly version: Version }
  | { readonly kind: 'moved' | 'conflict' | 'unknown' };

export type AdminResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Everything that can happen to the controller. `nowMs` is the monotonic clock. */
export type ControllerEvent = { readonly nowMs: number } & (
  | { readonly kind: 'reignBegan'; readonly controllerEpoch: ControllerEpoch; readonly world: ReignWorld }
  | { readonly kind: 'reignEnded' }
  | { readonly kind: 'nodesChanged'; readonly nodes: readonly NodeRegistration[] }
  /** The process of this life is gone, or not there yet. */
  | { readonly kind: 'nodeRefused'; readonly node: NodeId; readonly incarnation: Incarnation }
  | { readonly kind: 'message'; readonly message: ToController }
  | { readonly kind: 'written'; readonly partition: PartitionId; readonly outcome: WriteOutcome }
  /** Null: it does not exist. */
  | { readonly kind: 'partitionRead'; readonly partition: PartitionId; readonly state: PartitionState | null }
  | { readonly kind: 'factsWritten'; readonly facts: ClusterFacts; readonly outcome: WriteOutcome<number> }
  /** `/cluster` and the list of partitions, read because they may have changed. */
  | { readonly kind: 'shapeRead'; readonly shape: ClusterShape }
  | { readonly kind: 'admin'; readonly requestId: number; readonly request: AdminRequest }
  | { readonly kind: 'timer' }
);

/** What the shell has to do, in this order. */
export type ControllerEffect =
  /**
   * One multi: check `/controller_epoch`, then set the partition `times` times, from version `next.version` on (more
   * than once only to get above what a lost write had reached, R17). Answered by `written`.
   */
  | { readonly kind: 'write'; readonly next: PartitionState; readonly times: number }
  /** Barrier, then read. Answered by `partitionRead`. */
  | { readonly kind: 'readPartition'; readonly partition: PartitionId }
  /** One multi: check `/controller_epoch`, then set `/cluster` from `facts.version` on. Answered by `factsWritten`. */
  | { readonly kind: 'writeFacts'; readonly facts: ClusterFacts }
  /** Barrier, then read. Answered by `shapeRead`. */
  | { readonly kind: 'readShape' }
  | { readonly kind: 'send'; readonly node: NodeId; readonly message: FromController }
  /** Replaces the wake before; null: none is needed. */
  | { readonly kind: 'wake'; readonly atMs: number | null }
  | { readonly kind: 'resign'; readonly reason: string; readonly epochSeen: ControllerEpoch | null }
  | { readonly kind: 'adminReply'; readonly requestId: number; readonly result: AdminResult }
  /** A decision stands in the coordinator: one line of the log. */
  | {
      readonly kind: 'decided';
      readonly state: PartitionState;
      readonly leaderEpochBefore: LeaderEpoch;
      readonly flight: Extract<Flight, { kind: 'write' }>;
    };

export interface StepResult<State> {
  readonly state: State;
  readonly effects: readonly ControllerEffect[];
}
