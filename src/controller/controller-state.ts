import type { IsrProposal, ProposalResult } from '../model/control-messages.ts';
import {
  asControllerEpoch,
  type ControllerEpoch,
  type Incarnation,
  type LeaderEpoch,
  type NodeId,
  type PartitionId,
  type PartitionVersion,
} from '../model/numbers.ts';
import type {
  ClusterFacts,
  NodeRegistration,
  PartitionState,
  ReplicaReport,
} from '../model/partition-state.ts';
import type { Candidate, DecisionReason, PartitionWishes, WaitPurpose } from './rules/partition-world.ts';

/** All in milliseconds. */
export interface ControllerSettings {
  /** Losses of nodes within this time are one event (PROTOCOL 2.11). */
  readonly settleMs: number;
  /** So long an election waits for reports (4.3-16). */
  readonly electionMsMax: number;
  /** So long a new partition waits for all its replicas. */
  readonly newPartitionMsMax: number;
  /** So long a planned election waits for the leader to come to an end with its writes (PROTOCOL L9). */
  readonly handOverMsMax: number;
  /** A report older than this is asked for again. */
  readonly reportMsMax: number;
  /** Between two attempts of a push or a query that nobody answered, and of a read that failed. */
  readonly retryMs: number;
  /** Leadership goes back to the preferred replica not earlier than this after it last changed. */
  readonly preferredMsMin: number;
  /** A node whose process refused connections counts as dead for so long, unless it speaks (R7). */
  readonly refusedMsMax: number;
}

export const CONTROLLER_SETTINGS: ControllerSettings = {
  settleMs: 200,
  electionMsMax: 300,
  newPartitionMsMax: 2_000,
  handOverMsMax: 1_000,
  reportMsMax: 1_000,
  retryMs: 200,
  preferredMsMin: 30_000,
  refusedMsMax: 6_000,
};

/** What a life of a node said about one replica. */
export interface HeardReport {
  readonly incarnation: Incarnation;
  /** The partition's version when it was asked for: a change since then makes it void. */
  readonly askedVersion: PartitionVersion;
  readonly askedMs: number;
  readonly report: ReplicaReport | 'absent';
}

/** Holds until the life or the directory is another one: neither a disk nor a rotten log recovers. */
export interface Trouble {
  readonly incarnation: Incarnation;
  /** The directory that is meant: what is built anew is not in trouble. Undefined: any of this life. */
  readonly directoryId: string | undefined;
}

/**
 * A leader that cannot begin, since its disk is full or its STATE cannot be written: it counts for this life and epoch,
 * and for no other.
 */
export interface StuckLeader {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly leaderEpoch: LeaderEpoch;
}

/** What has been said with a leader about handing over (PROTOCOL L9). */
export interface HandOver {
  readonly leaderEpoch: LeaderEpoch;
  /** When it was first asked, and last. */
  readonly sinceMs: number;
  readonly askedMs: number;
  readonly isReady: boolean;
}

/** The one operation under way for a partition. Nothing else is decided about it meanwhile. */
export type Flight =
  | {
      readonly kind: 'write';
      readonly next: PartitionState;
      readonly reason: DecisionReason | 'proposal' | 'proposalRefused';
      readonly candidates: readonly Candidate[];
      /** Whom to answer, */
      readonly proposal: IsrProposal | null;
      /** and what. */
      readonly result: Extract<ProposalResult, 'ok' | 'ineligible'>;
    }
  | { readonly kind: 'read'; readonly proposal: IsrProposal | null };

export interface PartitionRecord {
  /** As last read, or as written and confirmed. */
  readonly state: PartitionState;
  /** The highest that any node ever reported: what a coordinator that lost writes does not know (R17). */
  readonly seenLeaderEpoch: LeaderEpoch;
  readonly seenVersion: PartitionVersion;
  /** What was seen is above the state even after the state was read again. */
  readonly isRegressed: boolean;
  readonly reports: ReadonlyMap<NodeId, HeardReport>;
  /** When a node was last asked. */
  readonly askedMs: ReadonlyMap<NodeId, number>;
  readonly troubles: ReadonlyMap<NodeId, Trouble>;
  /** Of another leader epoch: void. */
  readonly stuckLeader: StuckLeader | null;
  readonly flight: Flight | null;
  /** The newest proposal that came while something was under way. */
  readonly heldProposal: IsrProposal | null;
  /** For what the decision waits, and since when. */
  readonly waiting: { readonly purpose: WaitPurpose; readonly sinceMs: number } | null;
  readonly leaderChangedMs: number;
  /** Of another leader epoch: void. */
  readonly handOver: HandOver | null;
  readonly wishes: PartitionWishes;
  /** An operator wants the preferred leader now. */
  readonly wantsPreferred: boolean;
}

/** What has been pushed to one life of a node, and what it has taken over. */
export interface PushRecord {
  readonly incarnation: Incarnation;
  /** Of the list of nodes that was sent last; 0: none. */
  readonly nodesSequence: number;
  readonly acked: ReadonlyMap<PartitionId, PartitionVersion>;
  readonly sent: ReadonlyMap<PartitionId, { readonly version: PartitionVersion; readonly atMs: number }>;
}

/** A question under way. */
export interface QueryRecord {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly askedMs: number;
  readonly versions: ReadonlyMap<PartitionId, PartitionVersion>;
}

/** Everything the controller knows. Never changed in place. */
export interface ControllerState {
  readonly nodeId: NodeId;
  readonly settings: ControllerSettings;
  /** Null: this node does not reign. */
  readonly controllerEpoch: ControllerEpoch | null;
  readonly facts: ClusterFacts | null;
  /** `/cluster` is being written, or read after a write that failed. */
  readonly isFactsFlight: boolean;
  /** R2: what an operator wants `/cluster` to say. */
  readonly wantedMinInsync: number | null;
  readonly nodes: ReadonlyMap<NodeId, NodeRegistration>;
  /** Grows with every change of `nodes`. */
  readonly nodesSequence: number;
  /** Lives whose process refuses connections, and until when that counts (R7). */
  readonly refused: ReadonlyMap<NodeId, { readonly incarnation: Incarnation; readonly untilMs: number }>;
  /** Lives that shut down, and how many partitions they were told they still lead. */
  readonly shuttingDown: ReadonlyMap<
    NodeId,
    { readonly incarnation: Incarnation; readonly told: number | null }
  >;
  readonly partitions: ReadonlyMap<PartitionId, PartitionRecord>;
  readonly pushes: ReadonlyMap<NodeId, PushRecord>;
  readonly queries: ReadonlyMap<number, QueryRecord>;
  readonly nextQueryId: number;
  /** Until then, losses of nodes are gathered. */
  readonly settleUntilMs: number | null;
}

export function idleState(nodeId: NodeId, settings: ControllerSettings, nextQueryId = 1): ControllerState {
  return {
    nodeId,
    settings,
    controllerEpoch: null,
    facts: null,
    isFactsFlight: false,
    wantedMinInsync: null,
    nodes: new Map(),
    nodesSequence: 0,
    refused: new Map(),
    shuttingDown: new Map(),
    partitions: new Map(),
    pushes: new Map(),
    queries: new Map(),
    nextQueryId,
    settleUntilMs: null,
  };
}

export function newRecord(state: PartitionState, nowMs: number): PartitionRecord {
  return {
    state,
    seenLeaderEpoch: state.leaderEpoch,
    seenVersion: state.version,
    isRegressed: false,
    reports: new Map(),
    askedMs: new Map(),
    troubles: new Map(),
    stuckLeader: null,
    flight: null,
    heldProposal: null,
    waiting: null,
    leaderChangedMs: nowMs,
    handOver: null,
    wishes: { reassign: null, unclean: null },
    wantsPreferred: false,
  };
}

/** Stands in replies of a node that does not reign. */
export const NO_REIGN: ControllerEpoch = asControllerEpoch(0);
