import { bootstrap } from '../../src/controller/bootstrap.ts';
import { Campaign, type Reign, type ReigningController } from '../../src/controller/campaign.ts';
import { CONTROLLER_SETTINGS, Controller } from '../../src/controller/controller.ts';
import { CONTROLLER_RULES } from '../../src/controller/rules/rules.ts';
import type { CoordinatorSession } from '../../src/coordination/coordinator.ts';
import { decodePartition } from '../../src/coordination/documents.ts';
import { partitionPath } from '../../src/coordination/paths.ts';
import { Registration } from '../../src/coordination/registration.ts';
import type { FromController, ToController } from '../../src/model/control-messages.ts';
import type { CaskadeError } from '../../src/model/errors.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asOffset,
  asPartitionId,
  asPartitionVersion,
  type Incarnation,
  type NodeId,
  type PartitionId,
} from '../../src/model/numbers.ts';
import type { NodeRegistration, PartitionState, ReplicaReport } from '../../src/model/partition-state.ts';
import { CollectingLogger } from './collecting-logger.ts';
import { MemoryCoordinator, type MemorySession } from './memory-coordinator.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedClock } from './simulated-clock.ts';

export const RETRY_MS = 50;

/** What one node says of one replica; a test sets what it wants said. */
type ScriptedReplica = Omit<ReplicaReport, 'partition'>;

/** One node that obeys every push, answers every query from a script, and takes part in the election of the controller. */
export class ScriptedNode {
  readonly nodeId: NodeId;
  readonly registration: Registration;
  readonly states = new Map<PartitionId, PartitionState>();
  readonly replicas = new Map<PartitionId, ScriptedReplica>();
  readonly received: FromController[] = [];
  readonly nodes: NodeRegistration[] = [];
  readonly fatal: CaskadeError[] = [];
  incarnation: Incarnation;
  /** What it hears of the controller's messages, and what it says. */
  isDeaf = false;
  isMute = false;
  /** False: it takes no state over that it is told of. */
  acknowledges = true;
  /** False: what it leads never comes to an end (L9). */
  handsOver = true;
  reign: Reign | null = null;
  reigning: ReigningController | null = null;
  session: MemorySession | null = null;
  campaign: Campaign | null = null;
  controller: Controller | null = null;
  registeredCount = 0;
  readonly #cluster: ControlledCluster;

  constructor(cluster: ControlledCluster, nodeId: NodeId, incarnation: Incarnation) {
    this.#cluster = cluster;
    this.nodeId = nodeId;
    this.incarnation = incarnation;
    const { clock, logger, coordinator } = cluster;
    const address = { client: `node-${nodeId}:6379` };
    const settings = {
      nodeId,
      addresses: address,
      rack: '',
      retryMs: RETRY_MS,
      foreignMsMax: 10_000,
      process: cluster.random.uuid(),
      directory: `directory-${nodeId}`,
    };
    this.registration = new Registration(
      settings,
      { factory: coordinator, clock, logger },
      {
        sessionLost: () => this.#beginNextLife(),
        sessionOpened: (session, life) => this.#onSession(session, life),
        registered: () => {
          this.registeredCount += 1;
        },
        nodesChanged: (nodes) => {
          this.nodes.splice(0, this.nodes.length, ...nodes);
        },
        refused: (error) => this.fatal.push(error),
      },
    );
  }

  /** To whoever this node takes for the controller. */
  send(message: ToController): void {
    if (this.reigning !== null && !this.isMute) this.#cluster.toController(this.reigning.nodeId, message);
  }

  receive(message: FromController): void {
    if (this.isDeaf) return;
    this.received.push(message);
    if (message.kind === 'statePush' && this.acknowledges) this.#onPush(message);
    if (message.kind === 'replicaQuery') this.#onQuery(message);
    if (message.kind === 'handOverRequest' && this.handsOver) this.handOver(message.partition);
  }

  /** Says that it has come to an end with what it led in the epoch it was last told. */
  handOver(partition: PartitionId): void {
    const state = this.states.get(partition);
    const replica = this.replicas.get(partition);
    if (state === undefined || replica === undefined) return;
    const { nodeId: node, incarnation } = this;
    const { uuid, leaderEpoch } = state;
    const { lastEpoch, logEndOffset } = replica;
    const at = { uuid, leaderEpoch, lastEpoch, logEndOffset };
    this.send({ kind: 'handOverReady', node, incarnation, partition, ...at });
  }

  #onPush(push: Extract<FromController, { kind: 'statePush' }>): void {
    if (push.targetIncarnation !== this.incarnation) return;
    for (const state of push.partitions) {
      this.states.set(state.id, state);
      if (!this.replicas.has(state.id)) this.#createReplica(state);
      const replica = this.replicas.get(state.id);
      if (replica === undefined) continue;
      const leaderEpochMax = asLeaderEpoch(Math.max(replica.leaderEpochMax, state.leaderEpoch));
      const versionMax = asPartitionVersion(Math.max(replica.versionMax, state.version));
      this.replicas.set(state.id, { ...replica, leaderEpochMax, versionMax });
    }
    const versions = push.partitions.map(({ id, version }) => [id, version] as const);
    const { nodeId: node, incarnation } = this;
    this.send({ kind: 'statePushAck', node, incarnation, controllerEpoch: push.controllerEpoch, versions });
  }

  #createReplica(state: PartitionState): void {
    if (!state.replicas.includes(this.nodeId)) return;
    this.replicas.set(state.id, {
      uuid: state.uuid,
      directoryId: `directory-${this.nodeId}-${state.id}`,
      lastEpoch: asLeaderEpoch(0),
      logEndOffset: asOffset(0),
      verdict: 'whole',
      leaderEpochMax: asLeaderEpoch(0),
      versionMax: asPartitionVersion(0),
    });
  }

  #onQuery({
    queryId,
    controllerEpoch,
    partitions,
  }: Extract<FromController, { kind: 'replicaQuery' }>): void {
    const reports = [...this.replicas]
      .filter(([partition]) => partitions.length === 0 || partitions.includes(partition))
      .map(([partition, replica]) => ({ partition, ...replica }));
    const { nodeId: node, incarnation } = this;
    const epochs = { queryEpoch: controllerEpoch, controllerEpoch };
    this.send({ kind: 'replicaQueryReply', node, incarnation, queryId, ...epochs, reports });
  }

  async #beginNextLife(): Promise<Incarnation> {
    await Promise.resolve();
    this.incarnation = asIncarnation(this.incarnation + 1);
    return this.incarnation;
  }

  #onSession(session: CoordinatorSession, incarnation: Incarnation): void {
    const { clock, logger, coordinator } = this.#cluster;
    this.session = coordinator.sessions.find((other) => other === session) ?? null;
    const campaign = new Campaign({
      session,
      nodeId: this.nodeId,
      incarnation,
      clock,
      logger,
      retryMs: RETRY_MS,
      refusedMsMax: CONTROLLER_SETTINGS.refusedMsMax,
      host: {
        reignBegan: (reign) => {
          this.reign = reign;
          this.controller?.begin(reign);
        },
        reignEnded: () => {
          this.reign = null;
          this.controller?.end();
        },
        controllerChanged: (reigning) => {
          this.reigning = reigning;
        },
      },
    });
    this.campaign = campaign;
    this.controller = new Controller(CONTROLLER_RULES, {
      nodeId: this.nodeId,
      session,
      clock,
      logger,
      settings: { ...CONTROLLER_SETTINGS, retryMs: RETRY_MS },
      send: (to, message) => this.#cluster.toNode(this.nodeId, to, message),
      gaveUp: (reason, epochSeen) => campaign.gaveUp(reason, epochSeen),
    });
    campaign.start();
  }
}

/** Campaign, controller and registration of some nodes over one coordinator in memory; what replicas do is scripted. */
export class ControlledCluster {
  readonly clock = new SimulatedClock();
  readonly coordinator = new MemoryCoordinator();
  readonly logger = new CollectingLogger();
  readonly random = new SeededRandom(7);
  readonly nodes = new Map<NodeId, ScriptedNode>();
  /** Nodes whose process is gone: nothing reaches them, nothing comes from them. */
  readonly dead = new Set<NodeId>();

  add(nodeId: NodeId, incarnation = asIncarnation(1_000 * nodeId)): ScriptedNode {
    const node = new ScriptedNode(this, nodeId, incarnation);
    this.nodes.set(nodeId, node);
    node.registration.start(incarnation);
    return node;
  }

  async bootstrap(ids: readonly NodeId[], partitions = 1): Promise<void> {
    const session = this.coordinator.open();
    await this.clock.settle();
    const plan = {
      partitions,
      replicationFactor: Math.min(3, ids.length),
      minInsync: Math.min(2, ids.length),
      flushMode: 'always' as const,
      leaseMsMax: 600,
      nodes: ids.map((nodeId) => ({ nodeId, rack: '' })),
    };
    const result = await this.clock.until(bootstrap(CONTROLLER_RULES, session, plan, this.random));
    if (!result.ok) throw new Error(result.reason);
    await this.clock.until(session.close());
  }

  node(id: number): ScriptedNode {
    for (const node of this.nodes.values()) if (node.nodeId === id) return node;
    throw new Error(`no node ${id}`);
  }

  /** The one node that reigns. */
  get reigning(): ScriptedNode {
    const reigning = [...this.nodes.values()].filter(
      (node) => node.reign !== null && !this.dead.has(node.nodeId),
    );
    if (reigning.length !== 1) throw new Error(`${reigning.length} nodes reign`);
    return reigning[0] as ScriptedNode;
  }

  /** As it lies in the coordinator. */
  partition(id = 0): PartitionState {
    const partition = asPartitionId(id);
    const stored = this.coordinator.tree.get(partitionPath(partition));
    if (stored === undefined) throw new Error(`no partition ${id}`);
    const decoded = decodePartition(partition, JSON.parse(stored.text), stored.version);
    if (!decoded.ok) throw new Error(decoded.reason);
    return decoded.value;
  }

  /** The process is gone; its session is not, until it expires. */
  kill(id: number): void {
    const node = this.node(id);
    this.dead.add(node.nodeId);
    if (node.session !== null) node.session.fate = () => 'loseRequest';
    node.session?.disconnect();
  }

  expire(id: number): void {
    const { session } = this.node(id);
    if (session !== null) this.coordinator.forget(session.id);
  }

  /** The same data directory in a new process. */
  restart(id: number): ScriptedNode {
    const before = this.node(id);
    this.dead.delete(before.nodeId);
    const node = this.add(before.nodeId, asIncarnation(before.incarnation + 1));
    for (const [partition, replica] of before.replicas) node.replicas.set(partition, replica);
    return node;
  }

  toNode(from: NodeId, to: NodeId, message: FromController): void {
    this.clock.atTurnEnd(() => {
      if (!this.dead.has(from) && !this.dead.has(to)) this.nodes.get(to)?.receive(message);
    });
  }

  toController(to: NodeId, message: ToController): void {
    this.clock.atTurnEnd(() => {
      if (!this.dead.has(to)) this.nodes.get(to)?.controller?.receive(message);
    });
  }

  setEpochOfCoordinator(epoch: number): void {
    const path = '/controller_epoch';
    const data = { format: 1, controllerEpoch: asControllerEpoch(epoch) };
    this.coordinator.notify(
      this.coordinator.tree.apply([{ kind: 'set', path, data, version: -1 }], 0).changes,
    );
  }
}
