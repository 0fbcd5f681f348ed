import type { Clock } from '../../../src/env/clock.ts';
import type { LeaderEpoch, NodeId, Offset, PartitionId } from '../../../src/model/numbers.ts';
import type { Partition } from '../../../src/replication/leader/partition.ts';
import { type StateDigest, stateDigest } from '../../../src/storage/digest.ts';
import type { PartitionStore } from '../../../src/storage/partition-store.ts';
import type { LogSlice } from '../../../src/storage/replica-log.ts';
import type { NodeProbe, ReplicaProbe } from '../checkers/probe.ts';
import type { LiveLoneNode, LoneWorld } from '../world/lone-world.ts';

/** Shows checkers the partitions of a node that is alone. */
export class LoneProbe {
  readonly #world: LoneWorld;
  readonly #nodes = new WeakMap<LiveLoneNode, NodeProbe>();

  constructor(world: LoneWorld) {
    this.#world = world;
  }

  readonly look = (): readonly NodeProbe[] => {
    const { live } = this.#world;
    return live === null ? [] : [this.#nodeOf(live)];
  };

  #nodeOf(live: LiveLoneNode): NodeProbe {
    const known = this.#nodes.get(live);
    if (known !== undefined) return known;
    const { id, life, node, clock } = live;
    const replicas = node.stores.map((store, index) => {
      const partition = node.partitions[index] as Partition;
      return new LoneReplica({ node: id, life, clock }, partition, store);
    });
    const probe = { node: id, life, incarnation: node.coordinator.incarnation, replicas };
    this.#nodes.set(live, probe);
    return probe;
  }
}

class LoneReplica implements ReplicaProbe {
  readonly node: NodeId;
  readonly life: number;
  readonly partition: PartitionId;
  readonly isLeader = true;
  readonly isEpochKnown = true;
  readonly leaderEpoch: LeaderEpoch;
  readonly #partition: Partition;
  readonly #store: PartitionStore;
  readonly #clock: Clock;
  #askedCount = 0;

  constructor(
    { node, life, clock }: { readonly node: NodeId; readonly life: number; readonly clock: Clock },
    partition: Partition,
    store: PartitionStore,
  ) {
    this.node = node;
    this.life = life;
    this.partition = partition.id;
    this.leaderEpoch = partition.leaderEpoch;
    this.#partition = partition;
    this.#store = store;
    this.#clock = clock;
  }

  get directoryId(): string {
    return this.#store.directoryId;
  }

  get canAct(): boolean {
    return this.#partition.isServing;
  }

  get highWatermark(): Offset {
    return this.#partition.highWatermark;
  }

  get segments(): readonly object[] {
    return this.#store.log.segments;
  }

  get commitTarget(): Offset {
    return this.#store.commitTarget;
  }

  get durableOffset(): Offset {
    return this.#store.durableOffset;
  }

  get sealedOffset(): Offset {
    return this.#store.sealedOffset;
  }

  get logEndOffset(): Offset {
    return this.#store.logEndOffset;
  }

  get logStartOffset(): Offset {
    return this.#store.logStartOffset;
  }

  get removedFloor(): number {
    return this.#store.removedFloor;
  }

  /** Nobody counts: it may always have changed. */
  get changeCount(): number {
    this.#askedCount += 1;
    return this.#askedCount;
  }

  hasLease(): boolean {
    return this.canAct;
  }

  /** The index must agree with itself, too. */
  digest(): Promise<StateDigest | null> {
    for (const keydir of this.#store.index.keydirs) keydir?.verify();
    return stateDigest(this.#store, this.#clock);
  }

  readLog(offset: Offset, bytesMax: number): LogSlice | Promise<LogSlice> {
    return this.#store.readLog(offset, bytesMax);
  }
}
