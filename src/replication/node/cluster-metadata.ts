import {
  asControllerEpoch,
  type ControllerEpoch,
  type Incarnation,
  type LeaderEpoch,
  type NodeId,
  type PartitionId,
} from '../../model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../../model/partition-state.ts';

/** Who leads a partition, as last heard. A hint: who is asked checks for itself. */
export interface KnownLeader {
  readonly leader: NodeId | null;
  readonly leaderEpoch: LeaderEpoch;
}

/** Where a pushed list of nodes stands among others: reigns first. */
export interface NodesOrder {
  readonly controllerEpoch: ControllerEpoch;
  readonly sequence: number;
}

/** What a node has heard of the cluster: facts, nodes that are alive, and the newest state of each partition, its own or not. */
export class ClusterMetadata {
  readonly #states = new Map<PartitionId, PartitionState>();
  readonly #listeners = new Set<() => void>();
  #facts: ClusterFacts | null = null;
  #nodes: readonly NodeRegistration[] = [];
  #live: ReadonlyMap<NodeId, Incarnation> = new Map();
  /** Of the newest list of nodes that was pushed. */
  #nodesOrder: NodesOrder = { controllerEpoch: asControllerEpoch(0), sequence: 0 };

  get facts(): ClusterFacts | null {
    return this.#facts;
  }

  get nodes(): readonly NodeRegistration[] {
    return this.#nodes;
  }

  get live(): ReadonlyMap<NodeId, Incarnation> {
    return this.#live;
  }

  state(partition: PartitionId): PartitionState | null {
    return this.#states.get(partition) ?? null;
  }

  leaderOf(partition: PartitionId): KnownLeader | null {
    const state = this.#states.get(partition);
    return state === undefined ? null : { leader: state.leader, leaderEpoch: state.leaderEpoch };
  }

  /** Called after every change, in the turn of the change; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Newest version wins. True: they are news. */
  noteFacts(facts: ClusterFacts): boolean {
    if (this.#facts !== null && facts.version <= this.#facts.version) return false;
    this.#facts = facts;
    return true;
  }

  /**
   * True: somebody came, went, or began another life. A life that is over does not come back, and of pushed lists none
   * that is older than one seen. `order` null: read from the coordinator.
   */
  noteNodes(nodes: readonly NodeRegistration[], order: NodesOrder | null): boolean {
    if (order !== null) {
      if (isBefore(order, this.#nodesOrder)) return false;
      this.#nodesOrder = order;
    }
    const known = this.#live;
    const live = new Map<NodeId, Incarnation>();
    for (const { nodeId, incarnation } of nodes) {
      const before = known.get(nodeId);
      live.set(nodeId, before !== undefined && before > incarnation ? before : incarnation);
    }
    this.#nodes = nodes;
    const isSame = live.size === known.size && [...live].every(([node, life]) => known.get(node) === life);
    if (isSame) return false;
    this.#live = live;
    return true;
  }

  noteState(state: PartitionState): boolean {
    const known = this.#states.get(state.id);
    if (known !== undefined && !isNewer(state, known)) return false;
    this.#states.set(state.id, state);
    return true;
  }
}

const isBefore = (order: NodesOrder, than: NodesOrder): boolean =>
  order.controllerEpoch === than.controllerEpoch
    ? order.sequence < than.sequence
    : order.controllerEpoch < than.controllerEpoch;

/**
 * Epochs first: after a coordinator lost writes versions may repeat, and an epoch in which nothing was written. Then
 * the later reign is right (R17).
 */
export function isNewer(state: PartitionState, known: PartitionState): boolean {
  if (state.leaderEpoch !== known.leaderEpoch) return state.leaderEpoch > known.leaderEpoch;
  if (state.version !== known.version) return state.version > known.version;
  return state.controllerEpoch > known.controllerEpoch;
}
