import { asPartitionVersion, type NodeId, type PartitionId } from '../model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../model/partition-state.ts';
import type { ReadNode } from './coordinator.ts';

/**
 * What lies in the nodes of the coordinator (PROTOCOL 0.2): JSON objects with a format number. What the path and the version of the node say is not repeated in
 * its data. Fields that this version does not know survive a rewrite: `before` is what was read.
 */
const ZNODE_FORMAT = 1;

type Document = Readonly<Record<string, unknown>>;

/** Null: no object, or written by a newer version in a format that this one does not know. */
function documentOf(data: unknown): Document | null {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return null;
  const document = data as Document;
  return typeof document.format === 'number' && document.format <= ZNODE_FORMAT ? document : null;
}

export function readPartitionState(id: PartitionId, node: ReadNode): PartitionState | null {
  const document = documentOf(node.data);
  if (document === null) return null;
  const stored = document as unknown as Omit<PartitionState, 'id' | 'version'>;
  return {
    id,
    uuid: stored.uuid,
    version: asPartitionVersion(node.version),
    replicas: stored.replicas,
    adding: stored.adding,
    removing: stored.removing,
    leader: stored.leader,
    leaderEpoch: stored.leaderEpoch,
    isr: stored.isr,
    elr: stored.elr,
    incarnations: stored.incarnations,
    directoryIds: stored.directoryIds,
    controllerEpoch: stored.controllerEpoch,
    recovery: stored.recovery,
  };
}

export function partitionDocument(state: PartitionState, before: unknown = null): Document {
  const { id: _id, version: _version, ...fields } = state;
  return { ...documentOf(before), format: ZNODE_FORMAT, ...fields };
}

export function readClusterFacts(node: ReadNode): ClusterFacts | null {
  const document = documentOf(node.data);
  if (document === null) return null;
  const stored = document as unknown as Omit<ClusterFacts, 'version'>;
  return {
    clusterId: stored.clusterId,
    version: node.version,
    replicationFactor: stored.replicationFactor,
    minInsync: stored.minInsync,
    flushMode: stored.flushMode,
    leaseMsMax: stored.leaseMsMax,
    slots: stored.slots,
  };
}

export function clusterDocument(facts: ClusterFacts, before: unknown = null): Document {
  const { version: _version, ...fields } = facts;
  return { ...documentOf(before), format: ZNODE_FORMAT, ...fields };
}

export function readRegistration(nodeId: NodeId, node: ReadNode): NodeRegistration | null {
  const document = documentOf(node.data);
  if (document === null) return null;
  const stored = document as unknown as Omit<NodeRegistration, 'nodeId'>;
  return { nodeId, incarnation: stored.incarnation, addresses: stored.addresses, rack: stored.rack };
}

export function registrationDocument(registration: NodeRegistration): Document {
  const { nodeId: _nodeId, ...fields } = registration;
  return { format: ZNODE_FORMAT, ...fields };
}
