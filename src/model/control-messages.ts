import type {
  ControllerEpoch,
  Incarnation,
  LeaderEpoch,
  NodeId,
  Offset,
  PartitionId,
  PartitionVersion,
} from './numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState, ReplicaReport } from './partition-state.ts';

/**
 * What controller and nodes say to each other. Every message may be lost, doubled, late or out of order: each carries
 * the epochs by which its receiver rejects what is older than what it has seen (PROTOCOL 0, "Who writes what").
 */

/** Controller to node (LeaderAndIsr and metadata). Sent again until acknowledged. ZooKeeper is the truth, this is a hint. */
export interface StatePush {
  readonly kind: 'statePush';
  readonly controller: NodeId;
  readonly controllerEpoch: ControllerEpoch;
  /** The life of the receiver that is meant (KIP-380). */
  readonly targetIncarnation: Incarnation;
  readonly facts: ClusterFacts;
  readonly nodes: readonly NodeRegistration[];
  /** Grows with every change of `nodes` within one reign: a list older than one that was seen is not news. */
  readonly nodesSequence: number;
  readonly partitions: readonly PartitionState[];
}

/** Node to controller: these versions have been taken over. */
export interface StatePushAck {
  readonly kind: 'statePushAck';
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly controllerEpoch: ControllerEpoch;
  readonly versions: readonly (readonly [partition: PartitionId, version: PartitionVersion])[];
}

export interface ProposedMember {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly directoryId: string;
}

/** Leader to controller (AlterPartition, KIP-497). One in flight for each partition. */
export interface IsrProposal {
  readonly kind: 'isrProposal';
  /** Of the sender; a reply carries it back. */
  readonly proposalId: number;
  readonly partition: PartitionId;
  readonly uuid: string;
  readonly leader: NodeId;
  readonly leaderIncarnation: Incarnation;
  readonly leaderEpoch: LeaderEpoch;
  /** The version that the proposal changes. */
  readonly version: PartitionVersion;
  readonly isr: readonly ProposedMember[];
}

/**
 * `ok` (with the state that holds now), `notController` (the sender knows more than I, or I do not reign),
 * `fencedEpoch`, `invalidVersion`, `ineligible` (a member is not alive under that incarnation, shuts down, or is in
 * trouble: the state is the same under a newer version, so that no double of the proposal is accepted later),
 * `unknownPartition`. PROTOCOL 2.3 says what a leader does on each.
 */
export type ProposalResult =
  | 'ok'
  | 'notController'
  | 'fencedEpoch'
  | 'invalidVersion'
  | 'ineligible'
  | 'unknownPartition';

export interface IsrProposalReply {
  readonly kind: 'isrProposalReply';
  readonly proposalId: number;
  readonly partition: PartitionId;
  readonly leaderEpoch: LeaderEpoch;
  readonly controllerEpoch: ControllerEpoch;
  readonly result: ProposalResult;
  /** With `ok`, and where the controller can tell the leader what holds now. */
  readonly state: PartitionState | null;
}

/** Controller to node: what do you hold? Empty list: everything. Answered at once. */
export interface ReplicaQuery {
  readonly kind: 'replicaQuery';
  readonly controller: NodeId;
  readonly controllerEpoch: ControllerEpoch;
  readonly queryId: number;
  readonly partitions: readonly PartitionId[];
}

export interface ReplicaQueryReply {
  readonly kind: 'replicaQueryReply';
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly queryId: number;
  /** That of the query: another controller numbers its queries in the same way. */
  readonly queryEpoch: ControllerEpoch;
  /**
   * That of the query; or a higher one that the node knows, and then no reports: the controller resigns and goes above
   * it (R17).
   */
  readonly controllerEpoch: ControllerEpoch;
  readonly reports: readonly ReplicaReport[];
}

/**
 * Node to controller: I want to stop; move what I lead, and take me out of the ISRs (controlled shutdown). Repeated
 * until answered.
 */
export interface ShutdownRequest {
  readonly kind: 'shutdownRequest';
  readonly node: NodeId;
  readonly incarnation: Incarnation;
}

/** `remaining`: partitions the node still leads, or is just being taken out of. 0: it may stop. */
export interface ShutdownReply {
  readonly kind: 'shutdownReply';
  readonly incarnation: Incarnation;
  readonly controllerEpoch: ControllerEpoch;
  readonly remaining: number;
}

/**
 * Node to controller: this replica has something wrong with it (IO error, bad record, no room): a leader gives up
 * leadership, a follower leaves the ISR, unless it is only `stuck`.
 */
export interface ReplicaTrouble {
  readonly kind: 'replicaTrouble';
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly partition: PartitionId;
  readonly leaderEpoch: LeaderEpoch;
  /** Of the replica that is meant; empty: there is none that can be opened. One that was built anew meanwhile is another. */
  readonly directoryId: string;
  /**
   * `disk`: cannot write any more. `corrupt`: a committed record cannot be read; the replica will be rebuilt. `stuck`:
   * the leader of this epoch, and of no other, cannot take over what it was told, for want of room or because STATE
   * cannot be written; it has everything, and another may lead meanwhile.
   */
  readonly trouble: 'disk' | 'corrupt' | 'stuck';
}

/**
 * Controller to leader: your partition is to be led in another epoch; come to an end with what you have begun (PROTOCOL
 * L9). Repeated until `HandOverReady` comes, or the time that the controller gives it is over.
 */
export interface HandOverRequest {
  readonly kind: 'handOverRequest';
  readonly controller: NodeId;
  readonly controllerEpoch: ControllerEpoch;
  readonly partition: PartitionId;
  readonly uuid: string;
  readonly leaderEpoch: LeaderEpoch;
  /** The life of the leader that is meant. */
  readonly incarnation: Incarnation;
}

/**
 * Leader to controller: everything appended here is committed, and nothing is answered in this epoch any more, whatever
 * becomes of the request. Repeated until the epoch ends: a partition of which this was said needs an election, also by
 * a controller that never asked.
 */
export interface HandOverReady {
  readonly kind: 'handOverReady';
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly partition: PartitionId;
  readonly uuid: string;
  readonly leaderEpoch: LeaderEpoch;
  readonly lastEpoch: LeaderEpoch;
  readonly logEndOffset: Offset;
}

/** An operator's wish. Answered when it has been taken over, not when it is done. */
export type AdminRequest =
  | { readonly kind: 'reassign'; readonly partition: PartitionId; readonly replicas: readonly NodeId[] }
  | { readonly kind: 'electUnclean'; readonly partition: PartitionId; readonly node: NodeId }
  | { readonly kind: 'electPreferred'; readonly partition: PartitionId }
  /** R2. */
  | { readonly kind: 'setMinInsync'; readonly minInsync: number };

export type ToController =
  | StatePushAck
  | IsrProposal
  | ReplicaQueryReply
  | ShutdownRequest
  | ReplicaTrouble
  | HandOverReady;
export type FromController = StatePush | IsrProposalReply | ReplicaQuery | ShutdownReply | HandOverRequest;
export type ControlMessage = ToController | FromController;
