import type { CoordinatorSession, ReadNode } from '../../../src/coordination/coordinator.ts';
import {
  decodeCluster,
  decodeController,
  decodeNode,
  decodePartition,
  partitionOfChild,
} from '../../../src/coordination/documents.ts';
import {
  CLUSTER_PATH,
  CONTROLLER_PATH,
  nodePath,
  PARTITIONS_PATH,
  partitionPath,
} from '../../../src/coordination/paths.ts';
import { ZooKeeperCoordinator } from '../../../src/coordination/zookeeper/zookeeper-coordinator.ts';
import { SystemClock } from '../../../src/env/clock.ts';
import { MemoryFileSystem } from '../../../src/env/memory-file-system.ts';
import { SystemRandom } from '../../../src/env/random.ts';
import { asNodeId, type NodeId, type PartitionId } from '../../../src/model/numbers.ts';
import type { ClusterFacts, NodeRegistration, PartitionState } from '../../../src/model/partition-state.ts';
import { CollectingLogger } from '../collecting-logger.ts';

const SESSION_MS = 4_000;

/**
 * What ZooKeeper says of the cluster, by a session of its own that writes nothing. Null: ZooKeeper does not answer now, or
 * what was looked for is not there.
 */
export class ZooKeeperView {
  readonly #coordinator: ZooKeeperCoordinator;
  #session: CoordinatorSession | null = null;

  constructor(servers: readonly string[], chroot: string) {
    const doors = {
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: new CollectingLogger(),
      fileSystem: new MemoryFileSystem(),
    };
    const settings = { servers, chroot, sessionTimeoutMs: SESSION_MS, auth: '', dataDirectory: '/' };
    this.#coordinator = new ZooKeeperCoordinator(settings, doors);
  }

  async facts(): Promise<ClusterFacts | null> {
    const found = await this.#read(CLUSTER_PATH);
    const decoded = found === null ? null : decodeCluster(found.data, found.version);
    return decoded?.ok === true ? decoded.value : null;
  }

  /** Of all partitions, in order. */
  async partitions(): Promise<readonly PartitionState[] | null> {
    const names = await this.#list(PARTITIONS_PATH);
    if (names === null) return null;
    const ids = names.map(partitionOfChild).filter((id) => id !== undefined);
    const states = await Promise.all(ids.sort((a, b) => a - b).map((id) => this.#partition(id)));
    return states.every((state) => state !== null) ? states : null;
  }

  /** Who reigns; null also where nobody does. */
  async controller(): Promise<NodeId | null> {
    const found = await this.#read(CONTROLLER_PATH);
    const decoded = found === null ? null : decodeController(found.data);
    return decoded?.ok === true ? decoded.value.nodeId : null;
  }

  /** Under which life and which addresses a node is registered. */
  async registration(id: number): Promise<NodeRegistration | null> {
    const node = asNodeId(id);
    const found = await this.#read(nodePath(node));
    const decoded = found === null ? null : decodeNode(node, found.data);
    return decoded?.ok === true ? decoded.value : null;
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = null;
  }

  async #partition(id: PartitionId): Promise<PartitionState | null> {
    const found = await this.#read(partitionPath(id));
    const decoded = found === null ? null : decodePartition(id, found.data, found.version);
    return decoded?.ok === true ? decoded.value : null;
  }

  async #read(path: string): Promise<ReadNode | null> {
    const outcome = await this.#opened().read(path);
    return outcome.ok ? outcome.value : null;
  }

  async #list(path: string): Promise<readonly string[] | null> {
    const outcome = await this.#opened().list(path);
    return outcome.ok ? outcome.value : null;
  }

  #opened(): CoordinatorSession {
    if (this.#session === null || this.#session.state === 'lost') this.#session = this.#coordinator.open();
    return this.#session;
  }
}
