import type { IsrProposal } from '../../src/model/control-messages.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asMonotonicMillis,
  asNodeId,
  asOffset,
  asPartitionId,
  asPartitionVersion,
  type Incarnation,
  type LeaderEpoch,
  type NodeId,
  type Offset,
  type PartitionVersion,
} from '../../src/model/numbers.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import type { Promised } from '../../src/replication/rules/lease.ts';
import type { FollowerProgress, PendingIsr } from '../../src/replication/rules/types.ts';

/**
 * One partition of three replicas with its controller, small enough that every order of events can be tried. Decisions are those of the real rules; what is modelled is what lies between
 * them: logs, disks, lives, messages on their way, clocks. Immutable: every event makes a new model.
 *
 * A message that is on its way may be delivered at any time or be replaced by a newer one, which is how it is lost. Everything appended is at once on the disk (flush: always); a
 * lossy crash takes the last record back.
 */
export const NODES: readonly NodeId[] = [1, 2, 3].map(asNodeId);
/** One step of the clock: the lease is as long, so that a promise given now holds until the next step begins. */
export const TICK_MS = 1000;
export const PARTITION = asPartitionId(0);
export const UUID = '00112233445566778899aabbccddeeff';

/** A record: the epoch that wrote it, and a number that no other record has. */
export interface Entry {
  readonly epoch: LeaderEpoch;
  readonly id: number;
}

export interface EpochStart {
  readonly epoch: LeaderEpoch;
  readonly start: number;
}

/** A follower's fetch on its way to a leader, or the answer on its way back. */
export type Wire =
  | {
      readonly kind: 'request';
      readonly to: NodeId;
      readonly life: Incarnation;
      readonly epoch: LeaderEpoch;
      readonly offset: Offset;
      readonly lastEpoch: LeaderEpoch;
      readonly version: PartitionVersion;
    }
  | {
      readonly kind: 'data';
      readonly epoch: LeaderEpoch;
      readonly offset: Offset;
      readonly entries: readonly Entry[];
      /** Epochs that began at the leader from `offset` on, also those without a record. */
      readonly epochs: readonly EpochStart[];
      readonly highWatermark: Offset;
    }
  | {
      readonly kind: 'diverging';
      readonly epoch: LeaderEpoch;
      readonly endEpoch: LeaderEpoch;
      readonly endOffset: Offset;
      /** The leader's, which a follower must not look at (KAFKA-14704). */
      readonly highWatermark: Offset;
    };

export interface Leading {
  readonly kind: 'leader';
  readonly epoch: LeaderEpoch;
  readonly start: Offset;
  readonly followers: ReadonlyMap<NodeId, FollowerProgress>;
  readonly pending: PendingIsr | null;
  readonly mayActAtMs: number;
  readonly hasHadMinInsync: boolean;
}

export type Role =
  | Leading
  | { readonly kind: 'follower'; readonly epoch: LeaderEpoch; readonly leader: NodeId }
  | { readonly kind: 'none' };

/** A stamp on its way, with what its echo will count for. */
export interface Stamp {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly life: Incarnation;
  readonly sentAtMs: number;
}

export interface ModelNode {
  readonly up: boolean;
  readonly life: Incarnation;
  /** It lost records that it had acknowledged, and is not yet a member again. */
  readonly isLossy: boolean;
  readonly log: readonly Entry[];
  readonly epochs: readonly EpochStart[];
  readonly highWatermark: Offset;
  readonly state: PartitionState | null;
  readonly leaderEpochMax: LeaderEpoch;
  readonly role: Role;
  readonly wire: Wire | null;
  readonly proposal: IsrProposal | null;
  readonly promises: readonly Promised[];
  readonly hasPromised: boolean;
  readonly bootWaitUntilMs: number;
}

/** What may still happen; counted down. */
export interface Budget {
  readonly appends: number;
  readonly crashes: number;
  readonly lossyCrashes: number;
  readonly expiries: number;
  readonly proposals: number;
  readonly ticks: number;
  readonly stamps: number;
  readonly epochs: number;
}

export interface Model {
  readonly nowMs: number;
  readonly nodes: readonly ModelNode[];
  readonly stamps: readonly Stamp[];
  /** What the controller has written. */
  readonly state: PartitionState;
  /** By node: the life that the controller takes to be alive. */
  readonly live: readonly (Incarnation | null)[];
  /** Everything that was ever acknowledged, in order: no node knows it, the invariants do. */
  readonly acknowledged: readonly Entry[];
  readonly budget: Budget;
  readonly nextId: number;
  /** Something happened that must not, whatever state it leaves. */
  readonly alarm: string | null;
}

export interface ModelOptions {
  readonly minInsync: number;
  readonly budget: Budget;
}

export const directoryOf = (node: NodeId): string => `directory ${node}`;

export function nodeOf(model: Model, node: NodeId): ModelNode {
  return model.nodes[node - 1] as ModelNode;
}

export function withNode(model: Model, node: NodeId, change: Partial<ModelNode>): Model {
  const nodes = [...model.nodes];
  nodes[node - 1] = { ...nodeOf(model, node), ...change };
  return { ...model, nodes };
}

export const logEnd = (node: ModelNode): Offset => asOffset(node.log.length);
export const lastEpoch = (node: ModelNode): LeaderEpoch => node.log.at(-1)?.epoch ?? asLeaderEpoch(0);

/** Step 2 of PROTOCOL 2.6 over the node's epoch cache. */
export function epochEnd(
  node: ModelNode,
  epoch: LeaderEpoch,
): { readonly epoch: LeaderEpoch; readonly endOffset: Offset } {
  const at = node.epochs.findLastIndex((entry) => entry.epoch <= epoch);
  const next = node.epochs[at + 1];
  const endOffset = asOffset(next === undefined ? node.log.length : next.start);
  return { epoch: node.epochs[at]?.epoch ?? epoch, endOffset };
}

/** Three replicas, the first leads, all are in the ISR, and everybody knows. */
export function initialModel({ budget }: ModelOptions): Model {
  const life = asIncarnation(1);
  const epoch = asLeaderEpoch(1);
  const all = <Value>(value: (node: NodeId) => Value): Record<number, Value> =>
    Object.fromEntries(NODES.map((node) => [node, value(node)]));
  const state: PartitionState = {
    id: PARTITION,
    uuid: UUID,
    version: asPartitionVersion(1),
    replicas: NODES,
    adding: [],
    removing: [],
    leader: NODES[0] as NodeId,
    leaderEpoch: epoch,
    isr: NODES,
    elr: [],
    incarnations: all(() => life),
    directoryIds: all(directoryOf),
    controllerEpoch: asControllerEpoch(1),
    recovery: 'clean',
  };
  const node: ModelNode = {
    up: true,
    life,
    isLossy: false,
    log: [],
    epochs: [],
    highWatermark: asOffset(0),
    state: null,
    leaderEpochMax: asLeaderEpoch(0),
    role: { kind: 'none' },
    wire: null,
    proposal: null,
    promises: [],
    hasPromised: false,
    bootWaitUntilMs: Number.NEGATIVE_INFINITY,
  };
  return {
    nowMs: asMonotonicMillis(0),
    nodes: NODES.map(() => node),
    stamps: [],
    state,
    live: NODES.map(() => life),
    acknowledged: [],
    budget,
    nextId: 1,
    alarm: null,
  };
}
