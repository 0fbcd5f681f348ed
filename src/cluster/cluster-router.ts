import type { NodeId, PartitionId, Slot } from '../model/numbers.ts';
import { SLOT_COUNT } from '../model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../model/partition-state.ts';
import type { LeaderPartition } from '../replication/leader-partition.ts';
import { ReadArrivals } from '../replication/read-arrivals.ts';
import { ClusterMap, type MapSource } from './cluster-map.ts';
import { NO_PARTITION } from './no-partition.ts';
import type { Router } from './router.ts';
import { slotOf } from './slots.ts';

/** What the router hears of the cluster (`ClusterMetadata`). */
export interface HeardOfCluster {
  readonly facts: ClusterFacts | null;
  readonly nodes: readonly NodeRegistration[];
  state(partition: PartitionId): PartitionState | null;
  onChange(listener: () => void): () => void;
}

export interface ClusterRouterParts {
  readonly self: NodeId;
  readonly metadata: HeardOfCluster;
  /** What commands talk to, where this node leads; null elsewhere. */
  readonly leading: (partition: PartitionId) => LeaderPartition | null;
}

/**
 * Router of a node of a cluster: the partitions that it leads now, and the map of the others. Both are made anew when
 * something has changed, once for all changes of a turn and before anybody looks.
 */
export class ClusterRouter implements Router, MapSource {
  readonly self: NodeId;
  readonly arrivals = new ReadArrivals();
  readonly #parts: ClusterRouterParts;
  readonly #listeners = new Set<() => void>();
  readonly #bySlot = new Array<LeaderPartition>(SLOT_COUNT).fill(NO_PARTITION);
  #map = ClusterMap.EMPTY;
  #partitions: readonly LeaderPartition[] = [];
  #isStale = true;
  readonly #stopListening: () => void;

  constructor(parts: ClusterRouterParts) {
    this.self = parts.self;
    this.#parts = parts;
    this.#stopListening = parts.metadata.onChange(() => {
      this.#isStale = true;
      for (const listener of this.#listeners) listener();
    });
  }

  get map(): ClusterMap {
    this.#refresh();
    return this.#map;
  }

  get partitions(): readonly LeaderPartition[] {
    this.#refresh();
    return this.#partitions;
  }

  /** `NO_PARTITION`, which refuses everything, where another node leads: a `Placement` asks first. */
  partitionOf(bytes: Uint8Array, start: number, end: number): LeaderPartition {
    this.#refresh();
    return this.#bySlot[slotOf(bytes, start, end)] as LeaderPartition;
  }

  /** The partition of a slot, if this node leads it. */
  ledSlot(slot: Slot): LeaderPartition | null {
    this.#refresh();
    const partition = this.#bySlot[slot] as LeaderPartition;
    return partition === NO_PARTITION ? null : partition;
  }

  leading(partition: PartitionId): LeaderPartition | null {
    return this.#parts.leading(partition);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): void {
    this.#stopListening();
    this.#listeners.clear();
  }

  #refresh(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const { metadata, leading } = this.#parts;
    const { facts, nodes } = metadata;
    if (facts === null) return;
    this.#map = ClusterMap.of(facts, nodes, (partition) => metadata.state(partition));
    const led = new Map<number, LeaderPartition>();
    for (const { id } of this.#map.partitions) {
      const partition = leading(id);
      if (partition !== null) led.set(id, partition);
    }
    this.#partitions = [...led.values()];
    this.#bySlot.fill(NO_PARTITION);
    for (const [first, last, id] of facts.slots)
      this.#bySlot.fill(led.get(id) ?? NO_PARTITION, first, last + 1);
  }
}
