import zookeeper, { type Client } from 'node-zookeeper-client';
import {
  decodeCluster,
  decodeController,
  decodePartition,
  idOfChild,
  partitionOfChild,
} from '../../../src/coordination/documents.ts';
import {
  CLUSTER_PATH,
  CONTROLLER_PATH,
  NODES_PATH,
  PARTITIONS_PATH,
  partitionPath,
} from '../../../src/coordination/paths.ts';
import type { NodeId, PartitionId } from '../../../src/model/numbers.ts';
import type { ClusterFacts, PartitionState } from '../../../src/model/partition-state.ts';

const READ_MS_MAX = 1_000;
const SESSION_MS = 4_000;

/**
 * What ZooKeeper says of the cluster, read by the library itself and by nothing of ours: nothing here depends on what is
 * under test. Each look answers within a second; null: ZooKeeper did not, or what was looked for is not there.
 */
export class ZooKeeperView {
  readonly #connect: string;
  #client: Client | null = null;

  constructor(servers: readonly string[], chroot: string) {
    this.#connect = `${servers.join(',')}${chroot}`;
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

  /** Who is registered. */
  async liveNodes(): Promise<readonly number[] | null> {
    const names = await this.#list(NODES_PATH);
    return names?.map(idOfChild).filter((id) => id !== undefined) ?? null;
  }

  close(): void {
    this.#client?.close();
    this.#client = null;
  }

  async #partition(id: PartitionId): Promise<PartitionState | null> {
    const found = await this.#read(partitionPath(id));
    const decoded = found === null ? null : decodePartition(id, found.data, found.version);
    return decoded?.ok === true ? decoded.value : null;
  }

  #read(path: string): Promise<{ readonly data: unknown; readonly version: number } | null> {
    return this.#within((client, done) => {
      client.getData(path, (error, data, stat) => {
        done(error || data === undefined ? null : { data: parsed(data), version: stat.version });
      });
    });
  }

  #list(path: string): Promise<readonly string[] | null> {
    return this.#within((client, done) => {
      client.getChildren(path, (error, names) => done(error ? null : names));
    });
  }

  /** A client that did not answer is left for a new one: its server may hang, or its session be over. */
  #within<Found>(ask: (client: Client, done: (found: Found | null) => void) => void): Promise<Found | null> {
    const client = this.#client ?? this.#open();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        if (this.#client === client) this.close();
        resolve(null);
      }, READ_MS_MAX);
      ask(client, (found) => {
        clearTimeout(timer);
        resolve(found);
      });
    });
  }

  #open(): Client {
    const client = zookeeper.createClient(this.#connect, { sessionTimeout: SESSION_MS, retries: 0 });
    this.#client = client;
    client.once('expired', () => {
      if (this.#client === client) this.#client = null;
    });
    client.connect();
    return client;
  }
}

function parsed(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString());
  } catch {
    return null;
  }
}
