import type { Clock } from '../../env/clock.ts';
import type { FileSystem } from '../../env/file-system.ts';
import type { Logger } from '../../env/logger.ts';
import type { Random } from '../../env/random.ts';
import type { IsrProposal, IsrProposalReply } from '../../model/control-messages.ts';
import type {
  EpochMillis,
  Incarnation,
  LeaderEpoch,
  MonotonicMillis,
  NodeId,
  Offset,
} from '../../model/numbers.ts';
import type { ClusterFacts, PartitionState } from '../../model/partition-state.ts';
import type { BlockCache } from '../../storage/block-cache.ts';
import type { FlushScheduler } from '../../storage/flush-scheduler.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { PollEnds } from '../leader/poll-ends.ts';
import type { Rounds } from '../leader/rounds.ts';
import type { LeaderPartition } from '../leader-partition.ts';
import type { Fetch, FetchProgress, PeerMessage } from '../messages.ts';
import type { ReplicationRules } from '../rules/rules.ts';
import type { ReplicaManagerSettings, VersionCheck } from './ports.ts';

/** What is known of the cluster when a state is applied. */
export interface ClusterView {
  readonly facts: ClusterFacts;
  /** Nodes that are alive, with the life they are in. */
  readonly live: ReadonlyMap<NodeId, Incarnation>;
}

/** A follower node echoed a stamp for this partition, in this leader epoch (L2, L3). */
export interface EchoedStamp {
  readonly node: NodeId;
  /** The life of the node that promised. */
  readonly incarnation: Incarnation;
  readonly sequence: number;
  /** When this node sent the stamp, by its own two clocks: taken before it was handed to the network (L1). */
  readonly sentAtMs: MonotonicMillis;
  readonly sentWallMs: EpochMillis;
  /** The smaller of what the leader counts on and what the follower promised (4.3-13). */
  readonly leaseMs: number;
}

/** What a leader asks of the node around it. All calls are synchronous and may lose what they send. */
export interface LeaderHost {
  send(to: NodeId, message: PeerMessage): void;
  propose(proposal: IsrProposal): void;
  /**
   * A newer state of this leader epoch came with the controller's answer: it is to be applied as one that was pushed
   * (R17: `stateApplied` when its version is durable).
   */
  adopt(state: PartitionState): void;
  /** Somebody knows a newer epoch or version: the coordinator is to be read again. */
  suspectSelf(): void;
  /**
   * The first instant at which this partition's leader may act here (L5): no promise to another (leader, incarnation)
   * runs, and the boot wait is over. It may lie in the past; it may move to an earlier instant (then
   * `actInstantChanged` is called), never to a later one in the same epoch.
   */
  mayActFromMs(): MonotonicMillis;
  /**
   * Sequence that the next stamp of this node will carry: a stamp with this or a higher sequence is sent after this
   * call (read-index).
   */
  nextStampSequence(): number;
  /** Sends a round of stamps at the end of this turn instead of at the next tick. */
  requestStamps(): void;
  /** The lease set changed: whom to stamp follows `LeaderRole.leaseSet`. */
  leaseSetChanged(): void;
  /** False: clocks are over 1 s apart (R4), nothing may be expired actively. */
  mayExpire(): boolean;
  /** The disk failed, or a committed record cannot be read: told to the controller again and again until the role ends. */
  trouble(trouble: 'disk' | 'corrupt'): void;
  /** L9: told to the controller. */
  handedOver(lastEpoch: LeaderEpoch, logEndOffset: Offset): void;
}

export interface LeaderRoleOptions {
  readonly settings: ReplicaManagerSettings;
  readonly rules: ReplicationRules;
  /** `beginEpoch(state.leaderEpoch)` is durable already; its log end is the epoch's start (LESO). */
  readonly store: PartitionStore;
  /** leader = this node. */
  readonly state: PartitionState;
  readonly view: ClusterView;
  /** The life of this node; a role never outlives it. */
  readonly incarnation: Incarnation;
  readonly host: LeaderHost;
  readonly versionCheck: VersionCheck;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Shared by all partitions of the node. */
  readonly cache: BlockCache;
  readonly scheduler: FlushScheduler;
  /** Null: a node alone. */
  readonly rounds: Rounds | null;
  /** Shared by all partitions of the node. Absent: it has no other. */
  readonly pollEnds?: PollEnds;
}

/**
 * One partition in the leader's role, for one leader epoch, as the replica around it sees it. Between the constructor
 * and the end of `stop` it alone calls the store.
 */
export interface LeaderRole {
  readonly leaderEpoch: LeaderEpoch;
  /** What commands and clients talk to. */
  readonly partition: LeaderPartition;
  readonly highWatermark: Offset;
  /** Whose promises the lease needs: maximal ISR + ELR + pending proposals, without this node (L4). */
  readonly leaseSet: readonly NodeId[];
  /** L5 is over: high watermark, reads, proposals, release are allowed. */
  readonly canAct: boolean;
  /** So many follow it that no controller can begin its epoch again: before that nothing is written in it (R17). */
  readonly isEpochKnown: boolean;

  /** Begins timers and background work. */
  start(): void;
  /** A newer version under the same leader epoch, or new facts or live nodes under the same version. */
  stateApplied(state: PartitionState, view: ClusterView): void;
  /**
   * From a life that is not older than what is known to be alive; whether it is that one, uuid, directory and epoch
   * were not checked.
   */
  receive(message: Fetch | FetchProgress): void;
  /** Checked: own life, partition uuid and leader epoch. */
  echoed(stamp: EchoedStamp): void;
  proposalReply(reply: IsrProposalReply): void;
  /** A new controller has spoken: what is proposed is proposed to it at once. */
  controllerChanged(): void;
  /** The node's process refuses connections: shrink at once, never below min (R9). */
  peerRefused(node: NodeId): void;
  /** `LeaderHost.mayActFromMs` may be earlier now. */
  actInstantChanged(): void;
  /**
   * The controller asks for a hand-over (L9): writers wait, and as soon as everything is committed the role serves
   * nothing any more, sends LeaderReleased and calls `handedOver`, again and again until it is stopped. A request that
   * is not repeated is forgotten, unless that has happened.
   */
  handOver(): void;
  /**
   * Ends the role. Before it returns: no lease, no read, no append, no fetch is served any more (L8); what is not
   * sealed is refused, what is sealed and not committed is in doubt (R22). It resolves when the running flush and merge
   * have ended (C13b) and nothing calls the store any more; a leader that could act has then sent LeaderReleased to
   * everybody assigned (L9, R20). Never rejects.
   */
  stop(): Promise<void>;
}

export type LeaderRoleFactory = (options: LeaderRoleOptions) => LeaderRole;
