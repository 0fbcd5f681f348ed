import type { CoordinatorSession, Outcome } from '../coordination/coordinator.ts';
import {
  decodeCluster,
  encodeCluster,
  encodeControllerEpoch,
  encodePartition,
} from '../coordination/documents.ts';
import {
  CLUSTER_PATH,
  CONTROLLER_EPOCH_PATH,
  NODES_PATH,
  PARTITIONS_PATH,
  partitionPath,
} from '../coordination/paths.ts';
import type { Random } from '../env/random.ts';
import {
  asControllerEpoch,
  asLeaderEpoch,
  asPartitionId,
  asPartitionVersion,
  type NodeId,
  SLOT_COUNT,
} from '../model/numbers.ts';
import type { ClusterFacts, PartitionState } from '../model/partition-state.ts';
import type { ControllerRules } from './rules/rules.ts';

/** What a new cluster is made of. */
export interface ClusterPlan extends Omit<ClusterFacts, 'clusterId' | 'version' | 'slots'> {
  readonly partitions: number;
  /** Those known by configuration, or alive now. At least `replicationFactor`. */
  readonly nodes: readonly { readonly nodeId: NodeId; readonly rack: string }[];
}

/** What holds; or why it cannot be known now (try again). */
export type BootstrapResult =
  | { readonly ok: true; readonly facts: ClusterFacts }
  | { readonly ok: false; readonly reason: string };

const hexUuid = (random: Random): string => random.uuid().replaceAll('-', '');

/**
 * Creates what is missing of a cluster's skeleton, in an order in which a crash after any step, or another node that
 * does the same at the same time, leaves something that the next call completes: whoever creates `/cluster` decides
 * about slots and numbers, everything else follows from it.
 */
export async function bootstrap(
  rules: ControllerRules,
  session: CoordinatorSession,
  plan: ClusterPlan,
  random: Random,
): Promise<BootstrapResult> {
  if (plan.nodes.length < plan.replicationFactor)
    return failed(`${plan.nodes.length} nodes are fewer than ${plan.replicationFactor} replicas`);
  const skeleton: readonly (readonly [path: string, data: unknown])[] = [
    [CONTROLLER_EPOCH_PATH, encodeControllerEpoch(asControllerEpoch(0))],
    [NODES_PATH, null],
    [PARTITIONS_PATH, null],
    [CLUSTER_PATH, encodeCluster(plannedFacts(plan, random))],
  ];
  for (const [path, data] of skeleton) {
    if (!isThere(await session.create(path, data, { ephemeral: false })))
      return failed(`${path} not created`);
  }
  if (!(await session.barrier()).ok) return failed('not connected');
  const cluster = await session.read(CLUSTER_PATH);
  if (!cluster.ok) return failed(`${CLUSTER_PATH} not read: ${cluster.failure}`);
  const facts = decodeCluster(cluster.value.data, cluster.value.version);
  if (!facts.ok) return failed(facts.reason);
  return createPartitions(rules, session, { ...plan, ...facts.value }, random);
}

async function createPartitions(
  rules: ControllerRules,
  session: CoordinatorSession,
  plan: ClusterPlan & ClusterFacts,
  random: Random,
): Promise<BootstrapResult> {
  const { partitions: _partitions, nodes, ...facts } = plan;
  const ids = [...new Set(plan.slots.map(([, , partition]) => partition))].sort((a, b) => a - b);
  const existing = await session.list(PARTITIONS_PATH);
  if (!existing.ok) return failed(`${PARTITIONS_PATH} not read: ${existing.failure}`);
  const assignment = rules.assignReplicas(nodes, ids.length, plan.replicationFactor);
  for (const [index, id] of ids.entries()) {
    if (existing.value.includes(String(id))) continue;
    const data = encodePartition(unledPartition(id, assignment[index] ?? [], random));
    const path = partitionPath(asPartitionId(id));
    if (!isThere(await session.create(path, data, { ephemeral: false })))
      return failed(`${path} not created`);
  }
  return { ok: true, facts };
}

const failed = (reason: string): BootstrapResult => ({ ok: false, reason });

const isThere = (outcome: Outcome<unknown>): boolean => outcome.ok || outcome.failure === 'nodeExists';

function plannedFacts(plan: ClusterPlan, random: Random): ClusterFacts {
  const { replicationFactor, minInsync, flushMode, leaseMsMax } = plan;
  const slots = slotRanges(plan.partitions);
  return {
    clusterId: hexUuid(random),
    version: 0,
    replicationFactor,
    minInsync,
    flushMode,
    leaseMsMax,
    slots,
  };
}

/** Every slot once, in ranges as equal as can be. */
function slotRanges(partitions: number): ClusterFacts['slots'] {
  const start = (partition: number): number => Math.floor((partition * SLOT_COUNT) / partitions);
  return Array.from({ length: partitions }, (_, id) => [start(id), start(id + 1) - 1, id] as const);
}

function unledPartition(id: number, replicas: readonly NodeId[], random: Random): PartitionState {
  return {
    id: asPartitionId(id),
    uuid: hexUuid(random),
    version: asPartitionVersion(0),
    replicas,
    adding: [],
    removing: [],
    leader: null,
    leaderEpoch: asLeaderEpoch(0),
    isr: [],
    elr: [],
    incarnations: {},
    directoryIds: {},
    controllerEpoch: asControllerEpoch(0),
    recovery: 'clean',
  };
}

/** What a node expects and the cluster is not: names of the settings. Then the node must not start (R2). */
export function disagreements(
  facts: ClusterFacts,
  expected: Pick<ClusterPlan, 'replicationFactor' | 'minInsync' | 'flushMode' | 'leaseMsMax'>,
): readonly string[] {
  const fields = ['replicationFactor', 'minInsync', 'flushMode', 'leaseMsMax'] as const;
  return fields
    .filter((field) => facts[field] !== expected[field])
    .map((field) => `${field} is ${facts[field]} in the cluster, ${expected[field]} here`);
}
