import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asOffset,
  asPartitionId,
  asPartitionVersion,
  type NodeId,
} from '../../src/model/numbers.ts';
import type { ClusterFacts, PartitionState, ReplicaReport } from '../../src/model/partition-state.ts';

export const UUID = '00112233445566778899aabbccddeeff';

export const node = (id: number): NodeId => asNodeId(id);
export const nodes = (...ids: number[]): NodeId[] => ids.map(asNodeId);

/** The life and the directory that count for node n, unless a test says otherwise. */
export const lifeOf = (id: number): ReturnType<typeof asIncarnation> => asIncarnation(100 * id);
export const directoryOf = (id: number): string => `directory-${id}`;

export interface StateChoice {
  readonly id?: number;
  readonly version?: number;
  readonly replicas?: readonly number[];
  readonly adding?: readonly number[];
  readonly removing?: readonly number[];
  readonly leader?: number | null;
  readonly leaderEpoch?: number;
  readonly isr?: readonly number[];
  readonly elr?: readonly number[];
}

/** Partition 0 on nodes 1, 2 and 3, led by node 1 in epoch 5. */
export function partitionState(choice: StateChoice = {}): PartitionState {
  const isr = choice.isr ?? [1, 2, 3];
  const elr = choice.elr ?? [];
  const members = [...isr, ...elr];
  return {
    id: asPartitionId(choice.id ?? 0),
    uuid: UUID,
    version: asPartitionVersion(choice.version ?? 7),
    replicas: nodes(...(choice.replicas ?? [1, 2, 3])),
    adding: nodes(...(choice.adding ?? [])),
    removing: nodes(...(choice.removing ?? [])),
    leader: choice.leader === null ? null : node(choice.leader ?? 1),
    leaderEpoch: asLeaderEpoch(choice.leaderEpoch ?? 5),
    isr: nodes(...isr),
    elr: nodes(...elr),
    incarnations: Object.fromEntries(members.map((id) => [id, lifeOf(id)])),
    directoryIds: Object.fromEntries(members.map((id) => [id, directoryOf(id)])),
    controllerEpoch: asControllerEpoch(2),
    recovery: 'clean',
  };
}

export function replicaReport(id: number, change: Partial<ReplicaReport> = {}): ReplicaReport {
  return {
    partition: asPartitionId(0),
    uuid: UUID,
    directoryId: directoryOf(id),
    lastEpoch: asLeaderEpoch(5),
    logEndOffset: asOffset(100),
    verdict: 'whole',
    leaderEpochMax: asLeaderEpoch(5),
    versionMax: asPartitionVersion(7),
    ...change,
  };
}

export const CLUSTER_FACTS: ClusterFacts = {
  clusterId: 'cluster',
  version: 0,
  replicationFactor: 3,
  minInsync: 2,
  flushMode: 'always',
  leaseMsMax: 600,
  slots: [[0, 16_383, 0]],
};
