import type {
  ControllerEpoch,
  Incarnation,
  LeaderEpoch,
  NodeId,
  PartitionVersion,
} from '../../model/numbers.ts';
import type { PartitionState, ReplicaReport } from '../../model/partition-state.ts';

/** What the controller knows about one node in respect of one partition. */
export interface MemberView {
  /** The life under which it is alive now; null: dead. */
  readonly incarnation: Incarnation | null;
  readonly isShuttingDown: boolean;
  /** Said of its replica that something is wrong with it. */
  readonly isTroubled: boolean;
  /** What is wrong stands only against its leading now: it has all that a member has, and leaves by lag if it cannot keep up. */
  readonly staysMember?: boolean;
  /** The directory in which it is, also while the state does not name that directory. */
  readonly troubledDirectoryId?: string;
  /** What this life said about the replica, asked at the present version and not long ago. `absent`: it holds none. */
  readonly report: ReplicaReport | 'absent' | null;
}

/** What an operator wishes for one partition. */
export interface PartitionWishes {
  /** The replicas it is to have, the preferred leader first. */
  readonly reassign: readonly NodeId[] | null;
  readonly unclean: NodeId | null;
}

/** Everything that a decision about one partition depends on, besides its state. */
export interface PartitionWorld {
  readonly controllerEpoch: ControllerEpoch;
  readonly minInsync: number;
  /** A node that is not in it is dead. */
  readonly members: ReadonlyMap<NodeId, MemberView>;
  /** Who has said what it holds at least once in this reign, alive or not by now (R17). */
  readonly heard: Pick<ReadonlySet<NodeId>, 'has'>;
  /** The highest leader epoch that anybody ever reported. */
  readonly leaderEpochMax: LeaderEpoch;
  /** The highest version that anybody ever reported or acknowledged. */
  readonly versionMax: PartitionVersion;
  /** The coordinator was read again and still knows less than a node does, or knows that it did (R17). */
  readonly isRegressed: boolean;
  /** Milliseconds that the decision has been waiting for this purpose. */
  waited(purpose: WaitPurpose): number;
  /** Bound of an election's wait (4.3-16). */
  readonly electionMsMax: number;
  readonly newPartitionMsMax: number;
  readonly wishes: PartitionWishes;
  /** It is time to give leadership back to the preferred replica. */
  readonly isPreferredDue: boolean;
  readonly handOver: HandOverView;
  /** Bound of the wait for a leader that is asked to hand over (L9). */
  readonly handOverMsMax: number;
}

/** What has been said with the leader of the present epoch about handing over (L9). */
export interface HandOverView {
  /** Since it was first asked; 0: it was not. */
  readonly waitedMs: number;
  /** It has come to an end with everything, and will not act in this epoch again. */
  readonly isReady: boolean;
}

export type DecisionReason =
  | 'newPartition'
  | 'leaderDead'
  | 'noLeader'
  | 'leaderReturned'
  | 'leaderLost'
  | 'leaderTroubled'
  | 'leaderShutsDown'
  | 'leaderHandedOver'
  | 'noneElectable'
  | 'memberReturned'
  | 'memberLost'
  | 'memberShutsDown'
  | 'reassignBegun'
  | 'reassignDone'
  | 'preferred'
  | 'minInsyncChanged'
  | 'unclean'
  | 'regressed'
  | 'coordinatorLostWrites';

export type WaitPurpose = 'election' | 'newPartition' | 'regressed' | 'unclean' | 'member' | 'witness';

export type Decision =
  | { readonly kind: 'nothing' }
  /** Reports of these nodes are wanted. `forMs`: then decide without them; null: there is no deciding without them. */
  | {
      readonly kind: 'wait';
      /** The time waited is counted for each purpose apart. */
      readonly purpose: WaitPurpose;
      readonly ask: readonly NodeId[];
      readonly forMs: number | null;
    }
  /** The leader is to come to an end first (L9). `forMs` after it was first asked, decide without that. */
  | { readonly kind: 'handOver'; readonly leader: NodeId; readonly forMs: number }
  | {
      readonly kind: 'write';
      readonly reason: DecisionReason;
      /** Its `version` is the one it replaces. */
      readonly next: PartitionState;
      /** The version it leaves behind must be above this (R17). */
      readonly versionAbove: PartitionVersion;
      readonly candidates: readonly Candidate[];
    };

/** Somebody who may lead. `position` null: it did not say in time. */
export interface Candidate {
  readonly node: NodeId;
  readonly position: Pick<ReplicaReport, 'lastEpoch' | 'logEndOffset'> | null;
}

/** Somebody about whom nothing is known. */
export const DEAD_MEMBER: MemberView = {
  incarnation: null,
  isShuttingDown: false,
  isTroubled: false,
  report: null,
};

export const memberOf = (world: PartitionWorld, node: NodeId): MemberView =>
  world.members.get(node) ?? DEAD_MEMBER;

export const NOTHING: Decision = { kind: 'nothing' };

export const isAlive = (world: PartitionWorld, node: NodeId): boolean =>
  memberOf(world, node).incarnation !== null;

/** There is no deciding without a word of these, or of those who live; of nobody: there is nothing to be done now. */
export function waitFor(world: PartitionWorld, purpose: WaitPurpose, nodes: readonly NodeId[]): Decision {
  const ask = nodes.filter((node) => isAlive(world, node));
  return ask.length > 0 ? { kind: 'wait', purpose, ask, forMs: null } : NOTHING;
}
