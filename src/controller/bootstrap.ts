import type { CoordinatorSession, Outcome } from '../coordination/coordinator.ts';
import {
  decodeCluster,
  decodeControllerEpoch,
  encodeCluster,
  encodeControllerEpoch,
  encodePartition,
} from '../coordination/documents.ts';
import { readLiveNodes } from '../coordination/live-nodes.ts';
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

export interface PlannedNode {
  readonly nodeId: NodeId;
  readonly rack: string;
}

/** What a new cluster is made of. */
export interface ClusterPlan extends Omit<ClusterFacts, 'clusterId' | 'version' | 'slots'> {
  /** Empty: one is made up. */
  readonly clusterId?: string;
  readonly partitions: number;
  /** Over whom the partitions are spread, `replicationFactor` at least. Absent: over those that are registered. */
  readonly nodes?: readonly PlannedNode[];
  /** A new cluster waits until so many are registered. Never fewer than `replicationFactor`; absent: just as many. */
  readonly nodesMin?: number;
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
  const skeleton: readonly (readonly [path: string, data: unknown])[] = [
    [CONTROLLER_EPOCH_PATH, encodeControllerEpoch(asControllerEpoch(0))],
    [NODES_PATH, null],
    [PARTITIONS_PATH, null],
  ];
  for (const [path, data] of skeleton) {
    if (!isThere(await session.create(path, data, { ephemeral: false })))
      return failed(`${path} not created`);
  }
  if (!(await session.barrier()).ok) return failed('not connected');
  const facts = (await readFacts(session)) ?? (await createFacts(session, plan, random));
  return typeof facts === 'string' ? failed(facts) : createPartitions(rules, session, plan, facts, random);
}

/** Null: the cluster was not created yet. A text: why it cannot be known. */
async function readFacts(session: CoordinatorSession): Promise<ClusterFacts | string | null> {
  const cluster = await session.read(CLUSTER_PATH);
  if (!cluster.ok)
    return cluster.failure === 'noNode' ? null : `${CLUSTER_PATH} not read: ${cluster.failure}`;
  const facts = decodeCluster(cluster.value.data, cluster.value.version);
  return facts.ok ? facts.value : facts.reason;
}

async function createFacts(
  session: CoordinatorSession,
  plan: ClusterPlan,
  random: Random,
): Promise<ClusterFacts | string> {
  const nodes = await nodesFor(session, plan);
  if (typeof nodes === 'string') return nodes;
  const data = encodeCluster(plannedFacts(plan, random));
  if (!isThere(await session.create(CLUSTER_PATH, data, { ephemeral: false })))
    return `${CLUSTER_PATH} not created`;
  return (await readFacts(session)) ?? `${CLUSTER_PATH} is gone again`;
}

/** Over whom partitions may be spread; a text: why it must wait. */
async function nodesFor(
  session: CoordinatorSession,
  { nodes: planned, nodesMin = 0, replicationFactor }: ClusterPlan,
): Promise<readonly PlannedNode[] | string> {
  const nodes = planned ?? (await readLiveNodes(session));
  if (nodes === null) return `${NODES_PATH} not read`;
  const countMin = Math.max(nodesMin, replicationFactor);
  if (nodes.length >= countMin) return nodes;
  return `${nodes.length} nodes are registered; a new cluster waits for ${countMin}`;
}

async function createPartitions(
  rules: ControllerRules,
  session: CoordinatorSession,
  plan: ClusterPlan,
  facts: ClusterFacts,
  random: Random,
): Promise<BootstrapResult> {
  const ids = [...new Set(facts.slots.map(([, , partition]) => partition))].sort((a, b) => a - b);
  const existing = await session.list(PARTITIONS_PATH);
  if (!existing.ok) return failed(`${PARTITIONS_PATH} not read: ${existing.failure}`);
  if (ids.every((id) => existing.value.includes(String(id)))) return { ok: true, facts };
  // They were all there before anybody could reign: one that is missing now was lost, and has its data on the nodes.
  const reigned = await hasReigned(session);
  if (reigned !== false) {
    const missing = ids.filter((id) => !existing.value.includes(String(id)));
    return failed(reigned ?? `partitions ${missing.join(', ')} are missing; restore the coordinator's data`);
  }
  const { replicationFactor } = facts;
  const nodes = await nodesFor(session, { ...plan, replicationFactor });
  if (typeof nodes === 'string') return failed(nodes);
  const assignment = rules.assignReplicas(nodes, ids.length, replicationFactor);
  for (const [index, id] of ids.entries()) {
    if (existing.value.includes(String(id))) continue;
    const data = encodePartition(unledPartition(id, assignment[index] ?? [], random));
    const path = partitionPath(asPartitionId(id));
    if (!isThere(await session.create(path, data, { ephemeral: false })))
      return failed(`${path} not created`);
  }
  return { ok: true, facts };
}

/** Somebody was controller of this cluster. A text: that cannot be known now. */
async function hasReigned(session: CoordinatorSession): Promise<null | false | string> {
  const read = await session.read(CONTROLLER_EPOCH_PATH);
  if (!read.ok) return `${CONTROLLER_EPOCH_PATH} not read: ${read.failure}`;
  const epoch = decodeControllerEpoch(read.value.data);
  if (!epoch.ok) return epoch.reason;
  return epoch.value > 0 ? null : false;
}

const failed = (reason: string): BootstrapResult => ({ ok: false, reason });

const isThere = (outcome: Outcome<unknown>): boolean => outcome.ok || outcome.failure === 'nodeExists';

function plannedFacts(plan: ClusterPlan, random: Random): ClusterFacts {
  const { clusterId = '', replicationFactor, minInsync, flushMode, leaseMsMax } = plan;
  const slots = slotRanges(plan.partitions);
  return {
    clusterId: clusterId === '' ? hexUuid(random) : clusterId,
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
export function disagreements(facts: ClusterFacts, expected: ClusterPlan): readonly string[] {
  const fields = ['replicationFactor', 'minInsync', 'flushMode', 'leaseMsMax'] as const;
  const differing = fields
    .filter((field) => facts[field] !== expected[field])
    .map((field) => `${field} is ${facts[field]} in the cluster, ${expected[field]} here`);
  const { clusterId = '' } = expected;
  if (clusterId !== '' && clusterId !== facts.clusterId)
    differing.unshift(`cluster.id is ${facts.clusterId} in the cluster, ${clusterId} here`);
  return differing;
}
