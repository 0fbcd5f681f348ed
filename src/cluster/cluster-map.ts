import type { HostPort } from '../model/host-port.ts';
import type { Incarnation, LeaderEpoch, NodeId, PartitionId, Slot } from '../model/numbers.ts';
import { SLOT_COUNT } from '../model/numbers.ts';
import {
  type ClusterFacts,
  minInsyncOf,
  type NodeRegistration,
  type PartitionState,
} from '../model/partition-state.ts';

/** Names under which a node registers where it listens: for other nodes, for plain clients, for cluster clients (R23). */
export const AddressName = { rpc: 'rpc', plain: 'resp', cluster: 'cluster' } as const;
export type AddressName = (typeof AddressName)[keyof typeof AddressName];

/** A node that is alive, as far as has been heard. */
export interface NodeRoute {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly rack: string;
  /** 40 hexadecimal digits that stay the same over restarts, as cluster clients want to see a node named. */
  readonly name: string;
  /** Null: it does not listen there. */
  readonly rpc: HostPort | null;
  readonly plain: HostPort | null;
  readonly cluster: HostPort | null;
}

/** Whom to ask for a partition, as far as has been heard. A hint: who is asked checks for itself. */
export interface PartitionRoute {
  readonly id: PartitionId;
  readonly leader: NodeId | null;
  readonly leaderEpoch: LeaderEpoch;
  readonly replicas: readonly NodeId[];
  readonly isr: readonly NodeId[];
  readonly minInsync: number;
}

export type SlotRange = readonly [first: number, last: number, partition: number];

/** In place of a partition's number. */
const NOBODY = -1;

/** Where everything is: one immutable picture, replaced as a whole when something has changed. */
export class ClusterMap {
  /** Empty: nothing has been heard of the cluster yet. */
  readonly clusterId: string;
  readonly slots: readonly SlotRange[];
  /** In order of id; those without a leader too. */
  readonly partitions: readonly PartitionRoute[];
  readonly nodes: ReadonlyMap<NodeId, NodeRoute>;
  readonly #bySlot: Int32Array;
  readonly #byId: ReadonlyMap<PartitionId, PartitionRoute>;

  private constructor(
    facts: ClusterFacts | null,
    nodes: readonly NodeRegistration[],
    partitions: readonly PartitionRoute[],
  ) {
    this.clusterId = facts?.clusterId ?? '';
    this.slots = facts?.slots ?? [];
    this.partitions = partitions;
    this.nodes = new Map(nodes.map((node) => [node.nodeId, nodeRoute(this.clusterId, node)]));
    this.#byId = new Map(partitions.map((partition) => [partition.id, partition]));
    this.#bySlot = new Int32Array(SLOT_COUNT).fill(NOBODY);
    for (const [first, last, partition] of this.slots) this.#bySlot.fill(partition, first, last + 1);
  }

  static readonly EMPTY = new ClusterMap(null, [], []);

  /** `stateOf`: the newest state that was heard of; null: none. */
  static of(
    facts: ClusterFacts,
    nodes: readonly NodeRegistration[],
    stateOf: (partition: PartitionId) => PartitionState | null,
  ): ClusterMap {
    const ids = [...new Set(facts.slots.map(([, , partition]) => partition))].sort((a, b) => a - b);
    const partitions = ids.map((id) => partitionRoute(id as PartitionId, facts, stateOf(id as PartitionId)));
    return new ClusterMap(facts, nodes, partitions);
  }

  /** Null: the slot belongs to no partition that was heard of. */
  partitionOfSlot(slot: Slot): PartitionRoute | null {
    return this.#byId.get(this.#bySlot[slot] as number as PartitionId) ?? null;
  }

  partition(id: PartitionId): PartitionRoute | null {
    return this.#byId.get(id) ?? null;
  }

  /** The leader of a partition, if it is known and alive. */
  leaderOf({ leader }: PartitionRoute): NodeRoute | null {
    return leader === null ? null : (this.nodes.get(leader) ?? null);
  }
}

/** What is served from the newest map there is. */
export interface MapSource {
  readonly self: NodeId;
  readonly map: ClusterMap;
  /** Called after each change, in its turn; the returned function ends it. */
  onChange(listener: () => void): () => void;
}

function partitionRoute(id: PartitionId, facts: ClusterFacts, state: PartitionState | null): PartitionRoute {
  if (state === null) {
    const { minInsync } = facts;
    return { id, leader: null, leaderEpoch: 0 as LeaderEpoch, replicas: [], isr: [], minInsync };
  }
  const { leader, leaderEpoch, replicas, isr } = state;
  return { id, leader, leaderEpoch, replicas, isr, minInsync: minInsyncOf(state, facts) };
}

function nodeRoute(
  clusterId: string,
  { nodeId: id, incarnation, rack, addresses }: NodeRegistration,
): NodeRoute {
  return {
    id,
    incarnation,
    rack,
    name: nodeName(clusterId, id),
    rpc: hostPort(addresses[AddressName.rpc]),
    plain: hostPort(addresses[AddressName.plain]),
    cluster: hostPort(addresses[AddressName.cluster]),
  };
}

/**
 * Of the node's number and the cluster's id, so that every node gives the same one. The number comes first: tools show
 * the first eight digits.
 */
export function nodeName(clusterId: string, node: NodeId): string {
  const cluster = clusterId
    .toLowerCase()
    .replace(/[^0-9a-f]/g, '')
    .padEnd(32, '0')
    .slice(0, 32);
  return node.toString(16).padStart(8, '0') + cluster;
}

/** `HOST:PORT`; an IPv6 address in brackets. Null for anything else. */
export function hostPort(text: string | undefined): HostPort | null {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text ?? '');
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port };
}
