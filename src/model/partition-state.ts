import type {
  ControllerEpoch,
  Incarnation,
  LeaderEpoch,
  NodeId,
  Offset,
  PartitionId,
  PartitionVersion,
} from './numbers.ts';

/** What is decided about one partition: the content of its znode (PROTOCOL 0.2). Only the controller writes it. */
export interface PartitionState {
  readonly id: PartitionId;
  /** 32 hexadecimal digits, given at creation. A partition deleted and made anew is another one. */
  readonly uuid: string;
  /** Of the znode that holds this state. */
  readonly version: PartitionVersion;
  /** Everybody assigned, the preferred leader first; while a reassignment runs also those being added or removed. */
  readonly replicas: readonly NodeId[];
  readonly adding: readonly NodeId[];
  readonly removing: readonly NodeId[];
  readonly leader: NodeId | null;
  /** 0: nobody ever led it. */
  readonly leaderEpoch: LeaderEpoch;
  /** In-sync replicas. Never empty once somebody led (PROTOCOL 2.7). */
  readonly isr: readonly NodeId[];
  /** Eligible leader replicas: not in the ISR, and yet known to hold everything committed (KIP-966). */
  readonly elr: readonly NodeId[];
  /** By node: the incarnation under which a member of ISR or ELR counts. */
  readonly incarnations: Readonly<Record<number, Incarnation>>;
  /** By node: the directory under which a member of ISR or ELR counts (R5). */
  readonly directoryIds: Readonly<Record<number, string>>;
  readonly controllerEpoch: ControllerEpoch;
  /**
   * The min.insync under which ISR and ELR of this version were decided, and by which its leader goes (R2). Absent:
   * that of `/cluster`.
   */
  readonly minInsync?: number;
  /**
   * `unclean`: the leader of this epoch was elected without a proof that it has everything committed. `regressed`: the
   * coordinator lost writes, so that ISR and ELR say nothing; nobody leads until all replicas were compared (R17).
   */
  readonly recovery: 'clean' | 'unclean' | 'regressed';
}

/** What is one for the whole cluster (R2): `/cluster`. Pushed together with partition states. */
export interface ClusterFacts {
  readonly clusterId: string;
  /** Of `/cluster`: a receiver keeps the newest it has seen. */
  readonly version: number;
  readonly replicationFactor: number;
  /** What partitions are to have; each has it from the version on that says so (`PartitionState.minInsync`). */
  readonly minInsync: number;
  readonly flushMode: 'always' | 'interval' | 'os';
  /** The lease length D. */
  readonly leaseMsMax: number;
  /** First slot, last slot, partition. */
  readonly slots: readonly (readonly [first: number, last: number, partition: number])[];
}

/** R2: the value travels with the version. A leader that has not heard of a version yet goes by the value of the one it has. */
export function minInsyncOf(
  state: Pick<PartitionState, 'minInsync'>,
  facts: Pick<ClusterFacts, 'minInsync'>,
): number {
  return state.minInsync ?? facts.minInsync;
}

/**
 * What recovery says about a replica (R6). `whole`: nothing that was ever acknowledged to anybody is missing. `gone`:
 * there is none any more; what was known of the partition is remembered (R17).
 */
export type ReplicaVerdict = 'whole' | 'lossy' | 'gone';

/** What a node says about a replica it holds (R5, election query). */
export interface ReplicaReport {
  readonly partition: PartitionId;
  readonly uuid: string;
  readonly directoryId: string;
  readonly lastEpoch: LeaderEpoch;
  readonly logEndOffset: Offset;
  readonly verdict: ReplicaVerdict;
  /** Highest leader epoch this node has ever seen for the partition, durably: the next election goes above it. */
  readonly leaderEpochMax: LeaderEpoch;
  /** Highest partition version this node ever acknowledged under, durably (R17). */
  readonly versionMax: PartitionVersion;
}

/** `/nodes/<id>`: a node that is alive. */
export interface NodeRegistration {
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
  readonly addresses: Readonly<Record<string, string>>;
  readonly rack: string;
}

/**
 * Whose word counts for what has been decided of the partition (R17): not that of a replica that is being added and
 * never was in sync, which can tell nothing.
 */
export function isWitness({ isr, adding }: Pick<PartitionState, 'isr' | 'adding'>, node: NodeId): boolean {
  return isr.includes(node) || !adding.includes(node);
}

/**
 * The same leader, in the same life and epoch; or none. In an epoch that nothing was written in there may be two
 * leaders, one after the other (R17).
 */
export function isSameLeadership(a: PartitionState, b: PartitionState): boolean {
  if (a.leaderEpoch !== b.leaderEpoch || a.leader !== b.leader) return false;
  return a.leader === null || a.incarnations[a.leader] === b.incarnations[a.leader];
}

/** What was written once, and is told again. A coordinator that lost writes gives a version twice, in another reign (R17). */
export function isSameState(a: PartitionState, b: PartitionState): boolean {
  return a.version === b.version && a.controllerEpoch === b.controllerEpoch && isSameLeadership(a, b);
}
