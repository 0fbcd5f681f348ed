import { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import type { ToController } from '../../../src/model/control-messages.ts';
import {
  asControllerEpoch,
  asDatabaseId,
  asEpochMillis,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asPartitionId,
  asPartitionVersion,
  type NodeId,
  type Offset,
} from '../../../src/model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../../../src/model/partition-state.ts';
import {
  EntryView,
  KeyView,
  type LeaderPartition,
  ReadOutcome,
} from '../../../src/replication/leader-partition.ts';
import type { PeerMessage } from '../../../src/replication/messages.ts';
import type { LeaderRoleFactory } from '../../../src/replication/node/leader-role.ts';
import type { ReplicaManagerSettings } from '../../../src/replication/node/ports.ts';
import { ReplicaManager } from '../../../src/replication/node/replica-manager.ts';
import { type ReplicationRules, RULES } from '../../../src/replication/rules/rules.ts';
import { CollectingLogger } from '../../support/collecting-logger.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

export const PARTITION = asPartitionId(0);
export const UUID = '00112233445566778899aabbccddeeff';
export const DATABASE = asDatabaseId(0);
export const LEASE_MS = 600;

/** One machine: its disk outlives its lives. */
export class TestNode {
  readonly id: NodeId;
  disk: FaultyFileSystem;
  readonly logger = new CollectingLogger();
  /** What it told the controller. */
  readonly told: ToController[] = [];
  readAgains = 0;
  /** Changes what the coordinator answers. */
  versionAnswer: 'confirmed' | 'changed' | 'unknown' = 'unknown';
  #manager: ReplicaManager | null = null;
  readonly #cluster: TestCluster;

  constructor(id: number, cluster: TestCluster) {
    this.id = asNodeId(id);
    this.#cluster = cluster;
    this.disk = this.#newDisk();
  }

  get manager(): ReplicaManager {
    if (this.#manager === null) throw new Error(`node ${this.id} is down`);
    return this.#manager;
  }

  get isUp(): boolean {
    return this.#manager !== null;
  }

  get registration(): NodeRegistration {
    return { nodeId: this.id, incarnation: this.manager.incarnation, addresses: {}, rack: '' };
  }

  async start(newLeader?: LeaderRoleFactory): Promise<void> {
    const { clock, random, rules } = this.#cluster;
    const manager: { current: ReplicaManager | null } = { current: null };
    const doors = {
      fileSystem: this.disk.fileSystem,
      clock,
      random: random.fork(),
      logger: this.logger,
      peers: {
        send: (to: NodeId, message: PeerMessage) => {
          if (this.#manager === manager.current) this.#cluster.carry(to, message);
        },
      },
      controller: {
        send: (message: ToController) => {
          if (this.#manager === manager.current) this.told.push(message);
        },
      },
      versionCheck: { confirm: () => Promise.resolve(this.versionAnswer) },
      stateSource: {
        readAgain: () => {
          this.readAgains += 1;
        },
      },
    };
    const opening = ReplicaManager.open(settingsOf(this.id), rules, doors, newLeader);
    manager.current = await clock.until(opening);
    this.#manager = manager.current;
  }

  /** The process is gone, with everything that was not synced. */
  kill(): void {
    this.#manager = null;
    if (!this.disk.isCrashed) this.disk.crash({ policy: 'loseAll' });
    this.disk.restart();
  }

  /** The process is gone, and a new disk was put in. */
  wipe(): void {
    this.#manager = null;
    this.disk = this.#newDisk();
  }

  #newDisk(): FaultyFileSystem {
    return new FaultyFileSystem({ random: this.#cluster.random.fork(), clock: this.#cluster.clock });
  }

  async stop(): Promise<void> {
    const closing = this.manager.close();
    await this.#cluster.clock.until(closing);
    this.#manager = null;
    this.disk.crashAndRestart({ policy: 'loseAll' });
  }

  leading(): LeaderPartition {
    const leader = this.manager.leading(PARTITION);
    if (leader === null) throw new Error(`node ${this.id} does not lead`);
    return leader;
  }

  put(key: string, value: string): Offset {
    const leader = this.leading();
    const bytes = Buffer.from(value);
    return leader.put(DATABASE, keyOf(key, leader), bytes, 0, bytes.length, asEpochMillis(0));
  }

  /** Committed value of this node's own store, whatever its role; null: the key is not there. */
  async stored(key: string): Promise<string | null> {
    const store = this.manager.replica(PARTITION)?.store;
    if (store === null || store === undefined) return null;
    const entry = new EntryView();
    while (!store.readCommitted(DATABASE, keyOf(key, store), entry, true))
      await this.#cluster.clock.until(store.loaded);
    return entry.found ? textOf(entry) : null;
  }

  /** As a client reads at the leader: value first, then the confirmation. Null outcome: refused or not answered yet. */
  read(key: string, arrival: number): { readonly outcome: ReadOutcome; readonly value: string | null } {
    const leader = this.leading();
    const entry = new EntryView();
    const outcome = leader.readCommitted(DATABASE, keyOf(key, leader), entry, true);
    if (outcome !== ReadOutcome.ready) return { outcome, value: null };
    return { outcome: leader.confirmRead(arrival), value: entry.found ? textOf(entry) : null };
  }
}

/**
 * Nodes over a pipe that delivers at the end of a turn, and a hand that plays the controller. Nothing is decided here: a test says what is pushed.
 */
export class TestCluster {
  readonly clock = new SimulatedClock();
  readonly random: SeededRandom;
  readonly rules: ReplicationRules;
  readonly nodes: readonly TestNode[];
  /** Every message that was carried, lost or not. */
  readonly carried: PeerMessage[] = [];
  /** Says which messages get lost. */
  isLost: (to: NodeId, message: PeerMessage) => boolean = () => false;
  /** After how many milliseconds a message arrives, once for each number. */
  arrivals: () => readonly number[] = () => [0];
  /** What happens to a message on its way. */
  spoil: (message: PeerMessage) => PeerMessage = (message) => message;
  minInsync = 2;
  controllerEpoch = 1;
  nodesSequence = 1;

  constructor(count: number, options: { readonly rules?: ReplicationRules; readonly seed?: number } = {}) {
    this.random = new SeededRandom(options.seed ?? 1);
    this.rules = options.rules ?? RULES;
    this.nodes = Array.from({ length: count }, (_, index) => new TestNode(index + 1, this));
  }

  node(id: number): TestNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  async start(): Promise<void> {
    for (const node of this.nodes) await node.start();
  }

  carry(to: NodeId, message: PeerMessage): void {
    this.carried.push(message);
    if (this.isLost(to, message)) return;
    const copy = this.spoil(structuredClone(message));
    const arrive = (): void => {
      const node = this.node(to);
      if (node.isUp) node.manager.receive(copy);
    };
    for (const delayMs of this.arrivals()) {
      if (delayMs === 0) this.clock.atTurnEnd(arrive);
      else this.clock.setTimer(delayMs, arrive);
    }
  }

  get facts(): ClusterFacts {
    return {
      clusterId: 'test',
      version: 1,
      replicationFactor: this.nodes.length,
      minInsync: this.minInsync,
      flushMode: 'always',
      leaseMsMax: LEASE_MS,
      slots: [[0, 16383, 0]],
    };
  }

  /** A state of the partition: by default everybody is assigned and in sync, under its present life and directory. */
  state(leader: number | null, leaderEpoch: number, version: number, isr = this.ids): PartitionState {
    const up = this.nodes.filter((node) => node.isUp);
    return {
      id: PARTITION,
      uuid: UUID,
      version: asPartitionVersion(version),
      replicas: this.nodes.map(({ id }) => id),
      adding: [],
      removing: [],
      leader: leader === null ? null : asNodeId(leader),
      leaderEpoch: asLeaderEpoch(leaderEpoch),
      isr: isr.map(asNodeId),
      elr: [],
      incarnations: Object.fromEntries(up.map(({ id, manager }) => [id, manager.incarnation])),
      directoryIds: Object.fromEntries(up.map((node) => [node.id, directoryIdOf(node)])),
      controllerEpoch: asControllerEpoch(this.controllerEpoch),
      recovery: 'clean',
    };
  }

  get ids(): readonly number[] {
    return this.nodes.map(({ id }) => id);
  }

  /** Pushes to some nodes, by default to all that are up, and lets the roles begin. */
  async push(state: PartitionState, to: readonly number[] = this.ids): Promise<void> {
    for (const id of to) {
      const node = this.node(id);
      if (!node.isUp) continue;
      node.manager.receiveControl({
        kind: 'statePush',
        controller: asNodeId(1),
        controllerEpoch: asControllerEpoch(this.controllerEpoch),
        targetIncarnation: node.manager.incarnation,
        facts: this.facts,
        nodes: this.nodes.filter((other) => other.isUp).map((other) => other.registration),
        nodesSequence: this.nodesSequence,
        partitions: [state],
      });
    }
    await this.clock.settle();
  }

  /** Makes the directories, then elects `leader` in epoch 1 over all. */
  async found(leader: number): Promise<PartitionState> {
    await this.start();
    await this.push({ ...this.state(null, 0, 1), isr: [] });
    const state = this.state(leader, 1, 2);
    await this.push(state);
    return state;
  }
}

export function settingsOf(nodeId: NodeId): ReplicaManagerSettings {
  return {
    nodeId,
    directory: '/data',
    engine: 'bitcask',
    segmentBytesMax: 16 * 1024,
    cacheBytesMax: 1024 * 1024,
    flushIntervalMs: 1000,
    lagMsMax: 1500,
    pollMsMax: 150,
    writeTimeoutMs: 4000,
    fetchBytesMax: 1024 * 1024,
    mergeIntervalMs: 10_000,
    maintenance: { enabled: false, deadRatioMin: 0.5, bytesPerSecondMax: 0 },
  };
}

function directoryIdOf(node: TestNode): string {
  return node.manager.replica(PARTITION)?.store?.directoryId ?? '';
}

export function keyOf(text: string, hasher: Pick<LeaderPartition, 'hash'>): KeyView {
  const key = new KeyView();
  key.bytes = Buffer.from(text);
  key.start = 0;
  key.end = key.bytes.length;
  key.hash = hasher.hash(key.bytes, key.start, key.end);
  return key;
}

function textOf(entry: EntryView): string {
  return Buffer.from(entry.bytes.subarray(entry.start, entry.end)).toString();
}

export const life = asIncarnation;

/** What a node has said to its controller, of one kind. */
export function told<Kind extends ToController['kind']>(
  node: TestNode,
  kind: Kind,
): Extract<ToController, { kind: Kind }>[] {
  return node.told.filter(
    (message): message is Extract<ToController, { kind: Kind }> => message.kind === kind,
  );
}
