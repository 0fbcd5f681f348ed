import type { Clock } from '../../../src/env/clock.ts';
import type { LeaderEpoch, NodeId, Offset, PartitionId } from '../../../src/model/numbers.ts';
import { asLeaderEpoch, asOffset } from '../../../src/model/numbers.ts';
import type { Replica } from '../../../src/replication/node/replica.ts';
import { type StateDigest, stateDigest } from '../../../src/storage/digest.ts';
import type { LogSlice } from '../../../src/storage/replica-log.ts';
import type { NodeProbe, ReplicaProbe } from '../checkers/probe.ts';
import type { LiveNode, World } from '../world/world.ts';

/** Shows checkers the replicas of a world's nodes. */
export class ClusterProbe {
  readonly #world: World;
  readonly #probes = new WeakMap<Replica, LiveReplica>();

  constructor(world: World) {
    this.#world = world;
  }

  readonly look = (): readonly NodeProbe[] => {
    const nodes: NodeProbe[] = [];
    for (const { live } of this.#world.nodes) {
      if (live !== null) nodes.push(this.#nodeOf(live));
    }
    return nodes;
  };

  #nodeOf(live: LiveNode): NodeProbe {
    const { id, life, cluster } = live;
    const replicas: ReplicaProbe[] = [];
    for (const replica of cluster.replicas.partitions) {
      if (replica.store !== null) replicas.push(this.#probeOf(replica, live));
    }
    return { node: id, life, incarnation: cluster.replicas.incarnation, replicas };
  }

  #probeOf(replica: Replica, live: LiveNode): LiveReplica {
    const known = this.#probes.get(replica);
    if (known !== undefined) return known;
    const probe = new LiveReplica(replica, live);
    this.#probes.set(replica, probe);
    return probe;
  }
}

const NO_BYTES: LogSlice = { bytes: new Uint8Array(0), nextOffset: asOffset(0), epochs: [] };

/** A replica that may lose its store while it is looked at: then its marks are those of nothing. */
class LiveReplica implements ReplicaProbe {
  readonly node: NodeId;
  readonly life: number;
  readonly partition: PartitionId;
  readonly #replica: Replica;
  readonly #clock: Clock;

  constructor(replica: Replica, { id, life, clock }: LiveNode) {
    this.#replica = replica;
    this.#clock = clock;
    this.node = id;
    this.life = life;
    this.partition = replica.id;
  }

  get directoryId(): string {
    return this.#replica.store?.directoryId ?? '';
  }

  get isLeader(): boolean {
    return this.#replica.leader !== null;
  }

  get leaderEpoch(): LeaderEpoch {
    const { leader, follower } = this.#replica;
    return leader?.leaderEpoch ?? follower?.leaderEpoch ?? asLeaderEpoch(0);
  }

  get canAct(): boolean {
    return this.#replica.leader?.canAct ?? false;
  }

  get highWatermark(): Offset {
    return this.#replica.leader?.highWatermark ?? this.#replica.store?.committedOffset ?? asOffset(0);
  }

  get durableOffset(): Offset {
    return this.#replica.store?.durableOffset ?? asOffset(0);
  }

  get sealedOffset(): Offset {
    return this.#replica.store?.sealedOffset ?? asOffset(0);
  }

  get logEndOffset(): Offset {
    return this.#replica.store?.logEndOffset ?? asOffset(0);
  }

  get logStartOffset(): Offset {
    return this.#replica.store?.logStartOffset ?? asOffset(0);
  }

  get removedFloor(): number {
    return this.#replica.store?.removedFloor ?? -1;
  }

  hasLease(): boolean {
    const reads = this.#replica.leader?.partition.stats().reads;
    return this.canAct && (reads?.leaseRemainingMs ?? 0) > 0;
  }

  /** The index must agree with itself, too. */
  async digest(): Promise<StateDigest | null> {
    const { store } = this.#replica;
    for (const keydir of store?.index.keydirs ?? []) keydir?.verify();
    return store === null ? null : stateDigest(store, this.#clock);
  }

  readLog(offset: Offset, bytesMax: number): LogSlice | Promise<LogSlice> {
    return this.#replica.store?.readLog(offset, bytesMax) ?? NO_BYTES;
  }
}
