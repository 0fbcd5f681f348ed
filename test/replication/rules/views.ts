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
  type MonotonicMillis,
  type NodeId,
  type Offset,
} from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { Fetch, FetchProgress } from '../../../src/replication/messages.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import type { FollowerProgress, LeaderView, LogSnapshot } from '../../../src/replication/rules/types.ts';

/** Plain numbers in, the vocabulary of the rules out. Node 1 leads epoch 5; nodes live in incarnation 10 x node, in directory `d<node>`. */
export const UUID = 'ab'.repeat(16);
export const EPOCH = 5;
export const LAG_MS = 1000;

export const node = (id: number): NodeId => asNodeId(id);
export const nodes = (...ids: readonly number[]): readonly NodeId[] => ids.map(asNodeId);
export const offset = (at: number): Offset => asOffset(at);
export const at = (ms: number): MonotonicMillis => asMonotonicMillis(ms);
export const life = (id: number): Incarnation => asIncarnation(id * 10);
export const directory = (id: number): string => `d${id}`;

const byNode = <T>(ids: readonly number[], of: (id: number) => T): Record<number, T> =>
  Object.fromEntries(ids.map((id) => [id, of(id)]));

export interface StateOptions {
  readonly replicas?: readonly number[];
  readonly adding?: readonly number[];
  readonly isr?: readonly number[];
  readonly elr?: readonly number[];
  readonly version?: number;
  readonly leaderEpoch?: number;
  readonly incarnations?: Readonly<Record<number, Incarnation>>;
}

export function stateOf(options: StateOptions = {}): PartitionState {
  const { replicas = [1, 2, 3], adding = [], isr = [1, 2, 3], elr = [] } = options;
  return {
    id: asPartitionId(0),
    uuid: UUID,
    version: asPartitionVersion(options.version ?? 7),
    replicas: nodes(...replicas),
    adding: nodes(...adding),
    removing: [],
    leader: node(1),
    leaderEpoch: asLeaderEpoch(options.leaderEpoch ?? EPOCH),
    isr: nodes(...isr),
    elr: nodes(...elr),
    incarnations: options.incarnations ?? byNode([...isr, ...elr], life),
    directoryIds: byNode([...isr, ...elr], directory),
    controllerEpoch: asControllerEpoch(1),
    recovery: 'clean',
  };
}

export interface ProgressOptions {
  readonly durable?: number;
  /** -1: nothing fetched in this epoch. */
  readonly fetched?: number;
  readonly version?: number;
  readonly incarnation?: Incarnation;
  readonly directoryId?: string;
  readonly sinceMs?: number;
  readonly fetchedAtMs?: number;
  readonly caughtUpAtMs?: number;
  readonly leaseUntilMs?: number;
  readonly clockGapMs?: number;
  readonly sequence?: number;
  readonly isRebuilding?: boolean;
}

/** A follower that has fetched up to what it has durably, at the instant 0. */
export function progressOf(id: number, options: ProgressOptions = {}): FollowerProgress {
  const { durable = 10, fetchedAtMs = 0, sinceMs = 0 } = options;
  const fresh = RULES.newProgress(
    node(id),
    options.incarnation ?? life(id),
    options.directoryId ?? directory(id),
    at(sinceMs),
  );
  return {
    ...fresh,
    fetchOffset: offset(options.fetched ?? durable),
    durableOffset: offset(durable),
    ackedVersion: asPartitionVersion(options.version ?? 7),
    lastFetchAtMs: at(fetchedAtMs),
    lastCaughtUpAtMs: at(options.caughtUpAtMs ?? fetchedAtMs),
    leaseUntilMs: at(options.leaseUntilMs ?? Number.NEGATIVE_INFINITY),
    leaseClockGapMs: options.clockGapMs ?? 0,
    echoedSequence: options.sequence ?? -1,
    isRebuilding: options.isRebuilding ?? false,
  };
}

export interface ViewOptions {
  readonly state?: PartitionState;
  readonly followers?: readonly FollowerProgress[];
  /** Nodes proposed, all of them. */
  readonly pending?: readonly number[];
  readonly live?: Readonly<Record<number, Incarnation>>;
  readonly minInsync?: number;
  readonly durable?: number;
  readonly logEnd?: number;
  readonly highWatermark?: number;
  readonly epochStart?: number;
  readonly mayActAtMs?: number;
  readonly listeningSinceMs?: number;
  readonly hasHadMinInsync?: boolean;
  readonly isEpochKnown?: boolean;
  readonly barred?: readonly number[];
  readonly refused?: readonly number[];
}

export function viewOf(options: ViewOptions = {}): LeaderView {
  const { state = stateOf(), followers = [progressOf(2), progressOf(3)], live } = options;
  const members = options.pending?.map((id) => ({
    node: node(id),
    incarnation: life(id),
    directoryId: directory(id),
  }));
  return {
    self: node(1),
    incarnation: life(1),
    directoryId: directory(1),
    state,
    pending: members === undefined ? null : { members, version: state.version, proposalId: 1 },
    followers: new Map(followers.map((progress) => [progress.node, progress])),
    live: new Map(
      Object.entries(live ?? byNode([1, 2, 3, 4], life)).map(([id, inc]) => [node(Number(id)), inc]),
    ),
    minInsync: options.minInsync ?? 2,
    lagMsMax: LAG_MS,
    durableOffset: offset(options.durable ?? 10),
    logEndOffset: offset(options.logEnd ?? options.durable ?? 10),
    highWatermark: offset(options.highWatermark ?? 0),
    epochStartOffset: offset(options.epochStart ?? 0),
    leaderEpoch: state.leaderEpoch,
    mayActAtMs: at(options.mayActAtMs ?? 0),
    startedAtMs: at(0),
    listeningSinceMs: at(options.listeningSinceMs ?? 0),
    hasHadMinInsync: options.hasHadMinInsync ?? true,
    isEpochKnown: options.isEpochKnown ?? true,
    barred: new Set(nodes(...(options.barred ?? []))),
    refused: new Set(nodes(...(options.refused ?? []))),
  };
}

export interface FetchOptions {
  readonly fetchId?: number;
  readonly offset?: number;
  readonly durable?: number;
  readonly lastEpoch?: number;
  readonly leaderEpoch?: number;
  readonly version?: number;
  readonly uuid?: string;
  readonly incarnation?: Incarnation;
  readonly directoryId?: string;
  readonly rebuildId?: number;
}

export function fetchOf(from: number, options: FetchOptions = {}): Fetch {
  const { offset: fetchOffset = 10 } = options;
  return {
    kind: 'fetch',
    from: node(from),
    fromIncarnation: options.incarnation ?? life(from),
    partition: asPartitionId(0),
    uuid: options.uuid ?? UUID,
    directoryId: options.directoryId ?? directory(from),
    fetchId: options.fetchId ?? 1,
    leaderEpoch: asLeaderEpoch(options.leaderEpoch ?? EPOCH),
    fetchOffset: offset(fetchOffset),
    durableOffset: offset(options.durable ?? fetchOffset),
    lastFetchedEpoch: asLeaderEpoch(options.lastEpoch ?? EPOCH),
    partitionVersion: asPartitionVersion(options.version ?? 7),
    rebuildId: options.rebuildId ?? 0,
    bytesMax: 1 << 20,
  };
}

export function wordOf(from: number, durable: number, options: FetchOptions = {}): FetchProgress {
  const { uuid, directoryId, leaderEpoch, partitionVersion, partition, fromIncarnation } = fetchOf(
    from,
    options,
  );
  return {
    kind: 'fetchProgress',
    from: node(from),
    fromIncarnation,
    partition,
    uuid,
    directoryId,
    leaderEpoch,
    durableOffset: offset(durable),
    partitionVersion,
  };
}

export interface LogOptions {
  readonly start?: number;
  readonly sealed?: number;
  readonly end?: number;
  readonly floor?: number;
  readonly removals?: number;
  /** Epoch and where it began, in order. */
  readonly epochs?: readonly (readonly [epoch: number, start: number])[];
}

export function logOf(options: LogOptions = {}): LogSnapshot {
  const { end = 10, epochs = [[EPOCH, 0]] } = options;
  return {
    logStartOffset: offset(options.start ?? 0),
    sealedOffset: offset(options.sealed ?? end),
    logEndOffset: offset(end),
    removedFloor: options.floor ?? -1,
    removalCount: options.removals ?? 0,
    epochEnd: (epoch) => epochEndIn(epochs, epoch, end),
  };
}

/** Step 2 of PROTOCOL 2.6, word for word. */
export function epochEndIn(
  epochs: readonly (readonly [epoch: number, start: number])[],
  epoch: number,
  end: number,
): ReturnType<LogSnapshot['epochEnd']> {
  const index = epochs.findLastIndex(([known]) => known <= epoch);
  const found = epochs[index];
  if (found === undefined) return { epoch: asLeaderEpoch(epoch), endOffset: offset(epochs[0]?.[1] ?? end) };
  return { epoch: asLeaderEpoch(found[0]), endOffset: offset(epochs[index + 1]?.[1] ?? end) };
}
