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
  /** By node: as it was found by the last look. */
  readonly #seen: SeenNode[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  readonly look = (): readonly NodeProbe[] => {
    const nodes: NodeProbe[] = [];
    for (const { live } of this.#world.nodes) {
      if (live === null) continue;
      const seen = this.#nodeOf(live);
      for (const replica of seen.replicas) replica.look();
      nodes.push(seen);
    }
    return nodes;
  };

  #nodeOf(live: LiveNode): SeenNode {
    const { id, life, cluster } = live;
    const { partitions, incarnation } = cluster.replicas;
    const known = this.#seen[id];
    if (known?.live === live && known.incarnation === incarnation && hasStores(known, partitions))
      return known;
    const held = partitions.filter(({ store }) => store !== null);
    const replicas = held.map((replica) => this.#probeOf(replica, live));
    const seen = { node: id, life, incarnation, replicas, live, held };
    this.#seen[id] = seen;
    return seen;
  }

  #probeOf(replica: Replica, live: LiveNode): LiveReplica {
    const known = this.#probes.get(replica);
    if (known !== undefined) return known;
    const probe = new LiveReplica(replica, live);
    this.#probes.set(replica, probe);
    return probe;
  }
}

interface SeenNode extends NodeProbe {
  readonly replicas: readonly LiveReplica[];
  readonly live: LiveNode;
  /** Those with a store. */
  readonly held: readonly Replica[];
}

function hasStores({ held }: SeenNode, replicas: readonly Replica[]): boolean {
  let at = 0;
  for (const replica of replicas) {
    if (replica.store === null) continue;
    if (held[at] !== replica) return false;
    at += 1;
  }
  return at === held.length;
}

const NO_BYTES: LogSlice = { bytes: new Uint8Array(0), nextOffset: asOffset(0), epochs: [] };

/** A replica that may lose its store while it is looked at: then its marks are those of nothing. */
class LiveReplica implements ReplicaProbe {
  readonly node: NodeId;
  readonly life: number;
  readonly partition: PartitionId;
  readonly #replica: Replica;
  readonly #clock: Clock;
  #changeCount = 0;
  readonly #marks = {
    directoryId: '',
    isLeader: false,
    canAct: false,
    isEpochKnown: false,
    leaderEpoch: 0,
    highWatermark: 0,
    commitTarget: 0,
    durableOffset: 0,
    sealedOffset: 0,
    removedFloor: -1,
  };

  constructor(replica: Replica, { id, life, clock }: LiveNode) {
    this.#replica = replica;
    this.#clock = clock;
    this.node = id;
    this.life = life;
    this.partition = replica.id;
  }

  get changeCount(): number {
    return this.#changeCount;
  }

  /** Counts what has changed. */
  look(): void {
    const marks = this.#marks;
    const { directoryId, isLeader, canAct, isEpochKnown, leaderEpoch, highWatermark, commitTarget } = this;
    const { durableOffset, sealedOffset, removedFloor } = this;
    if (
      marks.durableOffset === durableOffset &&
      marks.sealedOffset === sealedOffset &&
      marks.highWatermark === highWatermark &&
      marks.commitTarget === commitTarget &&
      marks.isLeader === isLeader &&
      marks.canAct === canAct &&
      marks.isEpochKnown === isEpochKnown &&
      marks.leaderEpoch === leaderEpoch &&
      marks.removedFloor === removedFloor &&
      marks.directoryId === directoryId
    ) {
      return;
    }
    this.#changeCount += 1;
    marks.durableOffset = durableOffset;
    marks.sealedOffset = sealedOffset;
    marks.highWatermark = highWatermark;
    marks.commitTarget = commitTarget;
    marks.isLeader = isLeader;
    marks.canAct = canAct;
    marks.isEpochKnown = isEpochKnown;
    marks.leaderEpoch = leaderEpoch;
    marks.removedFloor = removedFloor;
    marks.directoryId = directoryId;
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

  get isEpochKnown(): boolean {
    return this.#replica.leader?.isEpochKnown ?? false;
  }

  get highWatermark(): Offset {
    return this.#replica.leader?.highWatermark ?? this.#replica.store?.committedOffset ?? asOffset(0);
  }

  get commitTarget(): Offset {
    return this.#replica.store?.commitTarget ?? asOffset(0);
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

  get segments(): readonly object[] {
    return this.#replica.store?.log.segments ?? [];
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
