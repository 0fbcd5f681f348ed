import { ClusterRouter, type LeaderPartition, type StaleReads, slotOf } from '../../src/cluster/index.ts';
import { ClusterPlacement } from '../../src/commands/cluster-placement.ts';
import type { ClusterLink, ClusterPort, ListenerKind } from '../../src/commands/ports.ts';
import {
  asIncarnation,
  asNodeId,
  asPartitionId,
  type NodeId,
  type PartitionId,
  SLOT_COUNT,
  type Slot,
} from '../../src/model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../../src/model/partition-state.ts';
import { FakePartition, type FakePartitionOptions } from './fake-partition.ts';
import { CLUSTER_FACTS, partitionState } from './partition-states.ts';

export interface FakeClusterOptions extends Pick<FakePartitionOptions, 'commit' | 'wallMs'> {
  readonly nodes?: number;
  readonly partitions?: number;
  /** What nodes announce of replicas. */
  readonly announcesReplicas?: boolean;
}

export const CLUSTER_ID = '0123456789abcdef0123456789abcdef';

/**
 * A cluster in one process: what its nodes have heard of it, told to all of them at once, over fake partitions that
 * stay where they are when another node begins to lead them. Partition p is led by node 1 + p modulo the nodes.
 */
export class FakeCluster {
  readonly partitions: readonly FakePartition[];
  readonly nodes: readonly FakeClusterNode[];
  readonly facts: ClusterFacts;
  readonly announcesReplicas: boolean;
  readonly #states: PartitionState[];
  readonly #dead = new Set<NodeId>();
  readonly #listeners = new Set<() => void>();
  /** Of the cluster listeners, by node from 1 on. */
  readonly #clusterPorts: number[];

  constructor(options: FakeClusterOptions = {}) {
    const nodeCount = options.nodes ?? 3;
    const count = options.partitions ?? 3;
    const ids = Array.from({ length: count }, (_, id) => id);
    const allNodes = Array.from({ length: nodeCount }, (_, index) => index + 1);
    this.announcesReplicas = options.announcesReplicas ?? false;
    this.#clusterPorts = allNodes.map((id) => 7000 + id);
    this.#states = ids.map((id) =>
      partitionState({ id, leader: (id % nodeCount) + 1, replicas: allNodes, isr: allNodes }),
    );
    this.partitions = this.#states.map(
      ({ id, leaderEpoch }) => new FakePartition({ ...options, id, leaderEpoch }),
    );
    const firstOf = (id: number): number => Math.ceil((id * SLOT_COUNT) / count);
    const slots = ids.map((id) => [firstOf(id), firstOf(id + 1) - 1, id] as const);
    this.facts = { ...CLUSTER_FACTS, clusterId: CLUSTER_ID, slots };
    this.nodes = allNodes.map((id) => new FakeClusterNode(this, asNodeId(id)));
  }

  node(id: number): FakeClusterNode {
    return this.nodes[id - 1] as FakeClusterNode;
  }

  partitionOf(key: string): FakePartition {
    const index = this.facts.slots.findIndex(([first, last]) => slot(key) >= first && slot(key) <= last);
    return this.partitions[index] as FakePartition;
  }

  /** A key that a node leads now, with a slot of its own. */
  keyOf(node: number, skip = 0): string {
    for (let count = 0, found = 0; ; count += 1) {
      const key = `key${count}`;
      if (this.state(this.partitionOf(key).id).leader !== node) continue;
      if (found === skip) return key;
      found += 1;
    }
  }

  // What is heard of it

  get registrations(): readonly NodeRegistration[] {
    return this.nodes
      .filter(({ id }) => !this.#dead.has(id))
      .map(({ id }) => ({
        nodeId: id,
        incarnation: asIncarnation(100 * id),
        rack: '',
        addresses: {
          rpc: `127.0.0.1:${8000 + id}`,
          resp: `127.0.0.1:${6000 + id}`,
          cluster: `127.0.0.1:${this.#clusterPorts[id - 1]}`,
        },
      }));
  }

  state(partition: PartitionId): PartitionState {
    return this.#states[partition] as PartitionState;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // The test's hand

  /** Another node leads a partition, or nobody does. */
  lead(partition: number, leader: number | null): void {
    this.change(partition, { leader: leader === null ? null : asNodeId(leader) });
  }

  change(partition: number, change: Partial<PartitionState>): void {
    this.#states[partition] = { ...this.state(asPartitionId(partition)), ...change };
    this.changed();
  }

  dies(node: number): void {
    this.#dead.add(asNodeId(node));
    this.changed();
  }

  /** 7001 and so on unless a test listens elsewhere. */
  listens(node: number, clusterPort: number): void {
    this.#clusterPorts[node - 1] = clusterPort;
    this.changed();
  }

  /** Something was heard, be it nothing new. */
  changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** What one node of it knows and leads. */
export class FakeClusterNode {
  readonly id: NodeId;
  readonly router: ClusterRouter;
  /** What it follows may tell. */
  readonly staleReads = new Map<PartitionId, StaleReads>();
  /** Partitions that it is to lead and cannot serve yet. */
  readonly beginning = new Set<PartitionId>();
  links: readonly ClusterLink[] = [];
  readonly #cluster: FakeCluster;

  constructor(cluster: FakeCluster, id: NodeId) {
    this.id = id;
    this.#cluster = cluster;
    const metadata = {
      get facts() {
        return cluster.facts;
      },
      get nodes() {
        return cluster.registrations;
      },
      state: (partition: PartitionId) => cluster.state(partition),
      onChange: (listener: () => void) => cluster.onChange(listener),
    };
    const leading = (partition: PartitionId): LeaderPartition | null =>
      cluster.state(partition).leader === id && !this.beginning.has(partition)
        ? (cluster.partitions[partition] as FakePartition)
        : null;
    this.router = new ClusterRouter({ self: id, metadata, leading });
  }

  placement(): ClusterPlacement {
    return new ClusterPlacement({
      router: this.router,
      readStale: (partition) => this.staleReads.get(partition) ?? null,
    });
  }

  port(listener: ListenerKind): ClusterPort {
    return {
      listener,
      source: this.router,
      announcesReplicas: this.#cluster.announcesReplicas,
      writeTimeoutMs: 4000,
      replica: (id) => {
        const { logEndOffset, highWatermark } = this.#cluster.partitions[id] as FakePartition;
        return { logEndOffset, committedOffset: highWatermark };
      },
      links: () => this.links,
    };
  }
}

export function slot(key: string): Slot {
  const bytes = Buffer.from(key, 'latin1');
  return slotOf(bytes, 0, bytes.length);
}
