import { CONTROLLER_RULES } from '../../../src/controller/rules/rules.ts';
import {
  type Decoded,
  decodeCluster,
  decodeController,
  decodePartition,
} from '../../../src/coordination/documents.ts';
import { CLUSTER_PATH, CONTROLLER_PATH, partitionPath } from '../../../src/coordination/paths.ts';
import type { SurvivalPolicy } from '../../../src/env/simulated-file.ts';
import type { AdminRequest } from '../../../src/model/control-messages.ts';
import { asPartitionId, type NodeId, type PartitionId } from '../../../src/model/numbers.ts';
import type { ClusterFacts, PartitionState } from '../../../src/model/partition-state.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { ClusterNode } from '../../../src/server/cluster-node.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { CoordinatorServer, TreeNode } from './coordinator-server.ts';
import { DataCenter } from './data-center.ts';
import type { FaultKind, FaultPlan, FaultRecord, FaultRole } from './fault.ts';
import { FaultInjector } from './fault-injector.ts';
import type { Machine, ProgramDoors } from './machine.ts';
import type { Network } from './network.ts';
import { trueWallMs } from './node-clock.ts';
import type { ClientRequest, EventLog, LiveNode, World, WorldNode, WorldOptions } from './world.ts';
import { WorldLogger } from './world-logger.ts';
import { nodeSettings, SCRUB_MS, timingOf, WORLD_OPTIONS } from './world-settings.ts';

type ClusterMachine = Machine<ClusterNode>;

const START_MS_MAX = 20_000;

/** A cluster of production nodes on simulated machines. */
export class SimulatedWorld implements World {
  readonly options: WorldOptions;
  readonly nodes: readonly WorldNode[];
  readonly partitions: readonly PartitionId[];
  readonly #center: DataCenter<ClusterNode>;
  readonly #cache = new WeakMap<TreeNode, unknown>();
  /** By partition: as far as they were asked for since the coordinator's last change. */
  #states: (PartitionState | null)[] = [];
  #statesOf = -1;
  #transactions = 0;
  readonly #injector: FaultInjector<ClusterNode>;
  readonly #onRejection = (error: unknown): void => {
    this.#center.defects.push(
      `unhandled rejection: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
    );
  };

  constructor(options: Partial<WorldOptions> = {}) {
    this.options = { ...WORLD_OPTIONS, ...options };
    const { seed, nodeCount, partitionCount, lossShare, doubledShare, reorderedShare } = this.options;
    const { slownessMs = 0 } = this.options;
    this.#center = new DataCenter({
      seed,
      nodeCount,
      mood: { lossShare, doubledShare, reorderedShare, slownessMs },
      sessionMs: timingOf(this.options).sessionMs,
      boot: (doors) => this.#boot(doors),
    });
    this.nodes = this.#center.machines.map((machine) => new SimulatedNode(machine));
    this.partitions = Array.from({ length: partitionCount }, (_, index) => asPartitionId(index));
    const targets = {
      rolesOf: (machine: ClusterMachine) => this.#rolesOf(machine),
      isWhole: () => this.isStable(),
      copiesOf: (machine: ClusterMachine) => this.#copiesOf(machine),
      isWeak: (this.options.flushMode ?? 'always') !== 'always',
    };
    this.#injector = new FaultInjector(this.#center, targets, this.#center.random.fork());
    this.#center.onTransaction((paths) => this.#noteStates(paths));
    process.on('unhandledRejection', this.#onRejection);
  }

  get random(): SeededRandom {
    return this.#center.random;
  }

  get nowMs(): number {
    return this.#center.scheduler.nowMs;
  }

  get trueWallMs(): number {
    return trueWallMs(this.#center.scheduler);
  }

  get wallAheadMsMax(): number {
    return Math.max(0, ...this.#center.machines.map(({ wall }) => wall.offsetMsMax));
  }

  get events(): EventLog {
    return this.#center.events;
  }

  get network(): Network {
    return this.#center.network;
  }

  get coordinator(): CoordinatorServer {
    return this.#center.coordinator;
  }

  get coordinatorChanges(): number {
    return this.#transactions + this.#center.coordinator.lossCount;
  }

  get digest(): string {
    return this.#center.digest;
  }

  /** Events so far. */
  get eventCount(): number {
    return this.#center.scheduler.eventCount;
  }

  get faults(): readonly FaultRecord[] {
    return this.#injector.records;
  }

  get defects(): readonly string[] {
    return this.#center.defects;
  }

  get facts(): ClusterFacts | null {
    return this.#decoded(CLUSTER_PATH, decodeCluster);
  }

  get controller(): NodeId | null {
    return this.#decoded(CONTROLLER_PATH, decodeController)?.nodeId ?? null;
  }

  node(id: NodeId): WorldNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }

  /** Asked for after every event. */
  partitionState(partition: PartitionId): PartitionState | null {
    const { coordinatorChanges } = this;
    if (coordinatorChanges !== this.#statesOf) {
      this.#statesOf = coordinatorChanges;
      this.#states = [];
    }
    const known = this.#states[partition];
    if (known !== undefined) return known;
    const state = this.#stateNow(partition);
    this.#states[partition] = state;
    return state;
  }

  #stateNow(partition: PartitionId): PartitionState | null {
    return this.#decoded(partitionPath(partition), (data, version) =>
      decodePartition(partition, data, version),
    );
  }

  leader(partition: PartitionId): NodeId | null {
    return this.partitionState(partition)?.leader ?? null;
  }

  run(ms: number): Promise<void> {
    return this.#center.run(ms);
  }

  runUntil(condition: () => boolean, msMax: number, everyMs = 10): Promise<boolean> {
    return this.#center.runUntil(condition, msMax, everyMs);
  }

  observe(observer: () => void): void {
    this.#center.observe(observer);
  }

  after(delayMs: number, callback: () => void): void {
    this.#center.scheduler.after(delayMs, null, callback);
  }

  request<Answer>({ to, work, answered, failed }: ClientRequest<Answer>): void {
    this.#center.request<Answer>({
      to,
      answered,
      failed,
      work: (machine, respond) => {
        const live = liveOf(machine);
        if (live !== null) work(live, respond);
      },
    });
  }

  admin(request: AdminRequest): void {
    const { controller } = this;
    if (controller === null) return;
    this.events.note('operator', JSON.stringify(request));
    this.request<boolean>({
      to: controller,
      work: ({ cluster }) => void cluster.admin(request),
      answered: () => undefined,
      failed: () => undefined,
    });
  }

  async start(): Promise<void> {
    for (const machine of this.#center.machines) machine.start();
    if (!(await this.runUntil(() => this.isStable(), START_MS_MAX, 20)))
      throw new Error(`the cluster is not stable after ${START_MS_MAX} ms: ${this.describe()}`);
  }

  fire(kind: FaultKind, target: NodeId): boolean {
    return this.#injector.fire(kind, this.#center.machine(target));
  }

  mayFire(kind: FaultKind, target: NodeId): boolean {
    return this.#injector.mayFire(kind, this.#center.machine(target));
  }

  strike(kind: FaultKind, target: NodeId, countMax?: number): void {
    this.#injector.strike(kind, this.#center.machine(target), countMax);
  }

  startFaults(plan: FaultPlan): void {
    this.#injector.start(plan);
  }

  stopFaults(): void {
    this.#injector.stop();
  }

  async quiesce(msMax: number): Promise<boolean> {
    this.#injector.stop();
    this.#injector.healAll();
    this.events.note('world', 'everything is healed');
    // What has rotted looks stable until somebody reads it again.
    if (this.faults.some(({ kind }) => kind === 'bitRot' || kind === 'segmentDamage'))
      await this.run(SCRUB_MS * 3);
    return this.runUntil(() => this.isStable(), msMax, 50);
  }

  end(): void {
    process.off('unhandledRejection', this.#onRejection);
  }

  isStable(): boolean {
    const { controller } = this;
    return (
      controller !== null &&
      this.#center.machines.every((machine) => machine.running !== null && !machine.isStalled) &&
      this.partitions.every((partition) => this.#isWell(this.partitionState(partition)))
    );
  }

  /** What an observer would want to know when the cluster is not well. */
  describe(): string {
    const states = this.partitions.map((partition) => JSON.stringify(this.partitionState(partition)));
    const nodes = this.#center.machines.map(
      ({ id, isUp, running }) => `${id}:${running !== null ? 'runs' : isUp ? 'starts' : 'down'}`,
    );
    return `nodes ${nodes.join(' ')}; controller ${this.controller ?? '-'}; ${states.join(' ')}`;
  }

  /** Looked at after every event, and changed rarely. */
  #decoded<Value>(path: string, decode: (data: unknown, version: number) => Decoded<Value>): Value | null {
    const node = this.#center.coordinator.nodeAt(path);
    if (node === null) return null;
    const known = this.#cache.get(node);
    if (known !== undefined) return known as Value;
    const decoded = decode(JSON.parse(node.text) as unknown, node.version);
    if (!decoded.ok) throw new Error(decoded.reason);
    this.#cache.set(node, decoded.value);
    return decoded.value;
  }

  #isWell(state: PartitionState | null): boolean {
    if (state === null || state.leader === null || state.isr.length !== state.replicas.length) return false;
    if (state.adding.length + state.removing.length > 0) return false;
    return state.isr.every((node) => {
      const program = this.#center.machine(node).running?.program;
      return program?.replicas.incarnation === state.incarnations[node];
    });
  }

  async #boot(doors: ProgramDoors): Promise<ClusterNode> {
    const { id, fileSystem, clock, random, coordinator } = doors;
    const { replication, controller } = this.options.rules;
    const node = await ClusterNode.open(
      nodeSettings(id, this.#expected()),
      { replication: { ...RULES, ...replication }, controller: { ...CONTROLLER_RULES, ...controller } },
      {
        fileSystem,
        clock,
        random,
        coordinator,
        logger: new WorldLogger(this.events, `n${id}`),
        transport: {
          sendPeer: (to, message) => doors.sendPeer(to, message),
          sendControl: (to, message) => doors.sendControl(to, message),
        },
        fatal: (error) => doors.exit(error.message),
      },
    );
    node.start({});
    return node;
  }

  #expected(): WorldOptions {
    if (this.options.configurationsFollow !== true) return this.options;
    const facts = this.#decoded(CLUSTER_PATH, decodeCluster);
    return { ...this.options, minInsync: facts?.minInsync ?? this.options.minInsync };
  }

  #rolesOf(machine: ClusterMachine): readonly FaultRole[] {
    const states = this.partitions.map((partition) => this.partitionState(partition));
    const roles: FaultRole[] = [];
    if (states.some((state) => state?.leader === machine.id)) roles.push('leader');
    if (
      states.some((state) => state?.replicas.includes(machine.id) === true && state.leader !== machine.id)
    ) {
      roles.push('follower');
    }
    if (this.controller === machine.id) roles.push('controller');
    return roles;
  }

  #copiesOf(machine: ClusterMachine): string {
    return this.partitions
      .map((partition) => this.partitionState(partition)?.directoryIds[machine.id] ?? '')
      .join();
  }

  #noteStates(paths: ReadonlySet<string>): void {
    this.#transactions += 1;
    for (const path of paths)
      this.events.note('coordinator', `${path} ${JSON.stringify(this.#center.coordinator.peek(path))}`);
  }
}

function liveOf(machine: ClusterMachine): LiveNode | null {
  const { running } = machine;
  if (running === null) return null;
  return { id: machine.id, life: running.lifeNumber, clock: running.clock, cluster: running.program };
}

class SimulatedNode implements WorldNode {
  readonly machine: ClusterMachine;
  #live: LiveNode | null = null;

  constructor(machine: ClusterMachine) {
    this.machine = machine;
  }

  get id(): NodeId {
    return this.machine.id;
  }

  /** The same object as long as it is the same life. */
  get live(): LiveNode | null {
    const { running } = this.machine;
    if (running?.program !== this.#live?.cluster) this.#live = liveOf(this.machine);
    return this.#live;
  }

  get isUp(): boolean {
    return this.machine.isUp;
  }

  get isStalled(): boolean {
    return this.machine.isStalled;
  }

  kill(policy: SurvivalPolicy): void {
    this.machine.kill(policy);
  }

  restart({ wipe = false }: { readonly wipe?: boolean } = {}): void {
    this.machine.kill('keepAll');
    if (wipe) this.machine.disk.wipe();
    this.machine.start();
  }

  shutDown(): void {
    this.machine.shutDown();
  }

  stall(ms: number): void {
    this.machine.stall(ms);
  }
}
