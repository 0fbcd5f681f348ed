import { expect } from 'chai';
import { asPartitionId, type NodeId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { ReadPathStats } from '../../../src/replication/leader-partition.ts';
import type { Replica } from '../../../src/replication/node/replica.ts';
import type { PartitionStore } from '../../../src/storage/partition-store.ts';
import { type Finding, Findings } from '../checkers/findings.ts';
import { PartitionStateWatch } from '../checkers/partition-state-watch.ts';
import type { ReferenceLog } from '../checkers/reference-log.ts';
import { ReplicaWatch } from '../checkers/replica-watch.ts';
import { ClusterProbe } from '../runner/cluster-probe.ts';
import { openWorld } from '../world/open-world.ts';
import type { LiveNode, World, WorldNode, WorldOptions } from '../world/world.ts';

/** The one partition of a script. */
export const P0 = asPartitionId(0);

export const HEAL_MS_MAX = 30_000;

export interface ScriptOptions extends Partial<WorldOptions> {
  /** False: the story gives up what was committed, and says so. */
  readonly isClean?: boolean;
}

const QUIET = {
  partitionCount: 1,
  lossShare: 0,
  doubledShare: 0,
  reorderedShare: 0,
  mergesByItself: false,
} as const;

/**
 * Where a story is told: a cluster in a network that loses nothing of itself, the checkers that look on, who plays
 * which part, and the time.
 */
export class ScriptStage {
  readonly world: World;
  protected readonly isClean: boolean;
  protected readonly findings: Findings;
  protected readonly probe: ClusterProbe;
  readonly #watch: ReplicaWatch;

  protected constructor(options: ScriptOptions) {
    const { isClean = true, ...world } = options;
    this.isClean = isClean;
    this.world = openWorld({ ...QUIET, ...world });
    this.findings = new Findings(() => this.world.nowMs);
    this.probe = new ClusterProbe(this.world);
    const { world: told } = this;
    const { minInsync } = told.options;
    this.#watch = new ReplicaWatch(this.probe.look, this.findings, {
      // An operator may lower it (R2).
      get minInsync() {
        return Math.min(minInsync, told.partitionState(P0)?.minInsync ?? minInsync);
      },
      nowMs: () => told.trueWallMs,
    });
    const states = new PartitionStateWatch(this.findings, minInsync);
    this.world.observe(() => {
      if (this.isClean) this.#watch.look();
      const state = this.world.partitionState(P0);
      if (state !== null) states.look(state, this.world.coordinator.lossCount);
    });
  }

  /** What the checkers have to say so far. */
  get found(): readonly Finding[] {
    return this.findings.list;
  }

  /** All that was ever committed. */
  get reference(): ReferenceLog {
    return this.#watch.reference(P0);
  }

  // Who is who

  get state(): PartitionState {
    const state = this.world.partitionState(P0);
    if (state === null) throw new Error('the partition does not exist yet');
    return state;
  }

  /** As the coordinator has it. */
  get leader(): NodeId {
    const { leader } = this.state;
    if (leader === null) throw new Error(`nobody leads: ${this.world.describe()}`);
    return leader;
  }

  /** Replicas that do not lead, in the order of their assignment. */
  get followers(): readonly NodeId[] {
    return this.state.replicas.filter((node) => node !== this.state.leader);
  }

  /** Two followers, for stories of three. */
  get pair(): readonly [NodeId, NodeId] {
    const [one, other] = this.followers;
    if (one === undefined || other === undefined) throw new Error('there are not two followers');
    return [one, other];
  }

  /** The same, the controller last: who is cut off from the leader while it reigns keeps the leader from changing the ISR. */
  get pairByReign(): readonly [NodeId, NodeId] {
    const [one, other] = this.pair;
    return one === this.world.controller ? [other, one] : [one, other];
  }

  node(id: NodeId): WorldNode {
    return this.world.node(id);
  }

  others(id: NodeId): readonly NodeId[] {
    return this.world.nodes.map((node) => node.id).filter((node) => node !== id);
  }

  live(id: NodeId): LiveNode {
    const { live } = this.node(id);
    if (live === null) throw new Error(`node ${id} does not run`);
    return live;
  }

  replica(id: NodeId): Replica {
    const replica = this.live(id).cluster.replicas.replica(P0);
    if (replica === null) throw new Error(`node ${id} has no replica`);
    return replica;
  }

  store(id: NodeId): PartitionStore {
    const { store } = this.replica(id);
    if (store === null) throw new Error(`the replica of node ${id} is not open`);
    return store;
  }

  /** It leads and may act, in the newest epoch. */
  isServedBy(id: NodeId): boolean {
    const leader = this.node(id).live?.cluster.replicas.replica(P0)?.leader;
    return (
      this.state.leader === id && leader?.canAct === true && leader.leaderEpoch === this.state.leaderEpoch
    );
  }

  readPaths(id: NodeId): ReadPathStats {
    const { leader } = this.replica(id);
    if (leader === null) throw new Error(`node ${id} does not lead`);
    return leader.partition.stats().reads;
  }

  /** Everybody assigned has taken over what the coordinator has. */
  #isInForce(): boolean {
    const { leader, leaderEpoch, replicas } = this.state;
    if (leader === null || !this.isServedBy(leader)) return false;
    return replicas.every((id) => {
      const replica = this.node(id).live?.cluster.replicas.replica(P0);
      return id === leader || replica?.follower?.leaderEpoch === leaderEpoch;
    });
  }

  // Time

  run(ms: number): Promise<void> {
    return this.world.run(ms);
  }

  /** Fails unless the condition comes true within `msMax`. */
  async until(what: string, condition: () => boolean, msMax = 10_000): Promise<void> {
    const isSo = await this.world.runUntil(condition, msMax, 0);
    expect(isSo, `${what}, within ${msMax} ms: ${this.world.describe()}`).to.equal(true);
  }

  untilStable(): Promise<void> {
    return this.until('everything is well', () => this.world.isStable() && this.#isInForce(), HEAL_MS_MAX);
  }

  untilRuns(id: NodeId): Promise<void> {
    return this.until(`node ${id} runs`, () => this.node(id).live !== null);
  }

  /** Somebody else than `old` leads and may act. */
  async untilLedAnew(old: NodeId, msMax = 10_000): Promise<NodeId> {
    await this.until(
      `another than node ${old} leads`,
      () => this.state.leader !== null && this.state.leader !== old && this.isServedBy(this.state.leader),
      msMax,
    );
    return this.leader;
  }

  untilInSync(nodes: readonly NodeId[], msMax = 10_000): Promise<void> {
    const wanted = inOrder(nodes);
    return this.until(`the ISR is ${wanted}`, () => inOrder(this.state.isr) === wanted, msMax);
  }

  /** Everything committed is known to everybody who runs. */
  untilLevel(): Promise<void> {
    const { endOffset } = this.reference;
    return this.until('every replica knows what is committed', () =>
      this.probe
        .look()
        .every(({ replicas }) => replicas.every(({ highWatermark }) => highWatermark >= endOffset)),
    );
  }
}

const inOrder = (nodes: readonly NodeId[]): string => [...nodes].sort((left, right) => left - right).join();
