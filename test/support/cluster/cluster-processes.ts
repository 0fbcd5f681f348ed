import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterFacts, PartitionState } from '../../../src/model/partition-state.ts';
import { freePorts } from '../free-ports.ts';
import { ZooKeeperEnsemble } from '../zookeeper-ensemble.ts';
import { ZooKeeperServer } from '../zookeeper-server.ts';
import { NodeProcess } from './node-process.ts';
import { processOfPort } from './peer-processes.ts';
import { differences, replicaDigests } from './replica-digests.ts';
import { TcpProxy } from './tcp-proxy.ts';
import { ZooKeeperView } from './zookeeper-view.ts';

/** Shorter than in production, by configuration: a fault is over sooner. Session and lease keep their proportions. */
export const SHORT_TIMES = { sessionMs: 3_000, lagMs: 1_000, leaseMs: 600, pollMs: 100, writeMs: 3_000 };

export interface ClusterOptions {
  /** Default 3. */
  readonly nodes?: number;
  /** Default 6. */
  readonly partitions?: number;
  /** How many ZooKeeper servers: 1, the default, or an ensemble of 3. */
  readonly zooKeepers?: 1 | 3;
  /** Puts a proxy in front of each node's port for other nodes, and between each node and ZooKeeper (one server only). */
  readonly proxied?: boolean;
  readonly times?: Partial<typeof SHORT_TIMES>;
  /** Further flags of every node. */
  readonly flags?: readonly string[];
  /** What to run instead of `caskade server`. */
  readonly program?: readonly string[];
  /** Kept; default: one of its own, removed at the end. */
  readonly directory?: string;
}

const CHROOT = '/caskade-test';
const SETTLE_MS_MAX = 60_000;
const POLL_MS = 30;

/** The proxies of one node. */
interface NodeProxies {
  /** In front of its port for other nodes. */
  readonly rpc: TcpProxy;
  readonly zooKeeper: TcpProxy;
}

/** ZooKeeper and the nodes of a cluster, each in a process of its own on free ports of 127.0.0.1. */
export class ClusterProcesses {
  readonly directory: string;
  readonly zooKeepers: readonly ZooKeeperServer[];
  readonly nodes: readonly NodeProcess[];
  readonly view: ZooKeeperView;
  readonly #proxies: readonly NodeProxies[];
  readonly #ownsDirectory: boolean;
  readonly #twins: NodeProcess[] = [];

  private constructor(
    directory: string,
    ownsDirectory: boolean,
    zooKeepers: readonly ZooKeeperServer[],
    nodes: readonly NodeProcess[],
    proxies: readonly NodeProxies[],
  ) {
    this.directory = directory;
    this.#ownsDirectory = ownsDirectory;
    this.zooKeepers = zooKeepers;
    this.nodes = nodes;
    this.#proxies = proxies;
    this.view = new ZooKeeperView(
      zooKeepers.map(({ address }) => address),
      CHROOT,
    );
  }

  /** Resolves when every partition is led and every node is in every ISR. */
  static async start(options: ClusterOptions = {}): Promise<ClusterProcesses> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'caskade-cluster-'));
    const zooKeepers =
      options.zooKeepers === 3 ? (await ZooKeeperEnsemble.start()).servers : [await ZooKeeperServer.start()];
    const cluster = await ClusterProcesses.#around(zooKeepers, directory, options);
    try {
      await cluster.startNodes();
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
    return cluster;
  }

  static async #around(
    zooKeepers: readonly ZooKeeperServer[],
    directory: string,
    options: ClusterOptions,
  ): Promise<ClusterProcesses> {
    const { nodes: count = 3, proxied = false } = options;
    const ports = await freePorts(count * 3);
    const nodes: NodeProcess[] = [];
    const peerOf = (port: number): string | null => {
      const running = nodes.filter(({ isRunning }) => isRunning);
      const processId = processOfPort(
        port,
        running.map(({ pid }) => pid),
      );
      return running.find(({ pid }) => pid === processId)?.id.toString() ?? null;
    };
    const proxies: NodeProxies[] = [];
    for (let index = 0; index < count; index += 1) {
      const [plainPort = 0, clusterPort = 0, rpcPort = 0] = ports.slice(index * 3, index * 3 + 3);
      const id = index + 1;
      let servers = zooKeepers.map(({ address }) => address);
      const flags = [...commonFlags(options)];
      if (proxied) {
        const [rpcProxyPort = 0, zooKeeperProxyPort = 0] = await freePorts(2);
        const rpc = await TcpProxy.start(rpcPort, rpcProxyPort, peerOf);
        const zooKeeper = await TcpProxy.start(zooKeepers[0]!.clientPort, zooKeeperProxyPort);
        proxies.push({ rpc, zooKeeper });
        flags.push(`--rpc.advertised=${rpc.address}`);
        servers = [zooKeeper.address];
      }
      flags.push(`--zookeeper.servers=${servers.join(',')}`, ...(options.flags ?? []));
      const { program } = options;
      nodes.push(
        new NodeProcess({
          id,
          plainPort,
          clusterPort,
          rpcPort,
          directory: join(directory, `node${id}`),
          flags,
          ...(program !== undefined && { program }),
        }),
      );
    }
    return new ClusterProcesses(directory, options.directory === undefined, zooKeepers, nodes, proxies);
  }

  /** Starts every node that does not run; resolves when the cluster is whole. */
  async startNodes(): Promise<void> {
    const stopped = this.nodes.filter(({ isRunning }) => !isRunning);
    for (const node of stopped) node.spawn();
    await Promise.all(stopped.map((node) => node.ready()));
    await this.whole();
  }

  /** Controlled shutdowns of all that run, at once. */
  async stopNodes(): Promise<void> {
    await Promise.all(this.nodes.filter(({ isRunning }) => isRunning).map((node) => node.stop()));
  }

  /** kill -9 of all nodes at once. */
  async killNodes(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  /** What is not the same on the disks of all nodes, which are stopped. */
  async differences(): Promise<readonly string[]> {
    const digests = await Promise.all(
      this.nodes.map(({ dataDirectory, id }) => replicaDigests(dataDirectory, id)),
    );
    return differences(digests.flat(), this.nodes.length);
  }

  node(id: number): NodeProcess {
    const node = this.nodes.find((each) => each.id === id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** Between the node and the others: all of them, or the one that is named; both ways. */
  cutBetween(id: number, other: number): void {
    this.#proxiesOf(id).rpc.silence(String(other));
    this.#proxiesOf(other).rpc.silence(String(id));
  }

  /** What the node sends to the other is lost; what it receives from it is not. */
  cutOneWay(from: number, to: number): void {
    this.#proxiesOf(to).rpc.silence(String(from), ['forth']);
    this.#proxiesOf(from).rpc.silence(String(to), ['back']);
  }

  cutFromZooKeeper(id: number): void {
    this.#proxiesOf(id).zooKeeper.silence();
  }

  /** All that was cut is whole again. */
  async healNetwork(): Promise<void> {
    for (const { rpc, zooKeeper } of this.#proxies) {
      await rpc.open();
      await zooKeeper.open();
    }
  }

  // What ZooKeeper says

  async facts(): Promise<ClusterFacts> {
    return await this.#eventually('what the cluster is made of', () => this.view.facts());
  }

  async states(): Promise<readonly PartitionState[]> {
    return await this.#eventually('the states of the partitions', () => this.view.partitions());
  }

  /** Who leads the partition now. */
  async leaderOf(partition: number): Promise<NodeProcess> {
    const id = await this.#eventually(`a leader of partition ${partition}`, async () => {
      const states = await this.view.partitions();
      return states?.[partition]?.leader ?? null;
    });
    return this.node(id);
  }

  /** Who leads most partitions. */
  async busiestLeader(): Promise<NodeProcess> {
    const states = await this.states();
    const led = (id: number): number => states.filter(({ leader }) => leader === id).length;
    return this.nodes.toSorted((left, right) => led(right.id) - led(left.id))[0]!;
  }

  async controller(): Promise<NodeProcess> {
    return this.node(await this.#eventually('a controller', () => this.view.controller()));
  }

  /** Resolves when every partition has a leader that runs and all its replicas in its ISR. */
  async whole(): Promise<void> {
    await this.#eventually('every partition led and in sync', async () => {
      const states = await this.view.partitions();
      if (states === null || states.length === 0 || (await this.view.controller()) === null) return null;
      const isWhole = states.every(
        ({ leader, isr, replicas }) => leader !== null && isr.length === replicas.length,
      );
      return isWhole ? states : null;
    });
  }

  /** Resolves when every partition has a leader that is none of these. */
  async ledByOthersThan(ids: readonly number[]): Promise<void> {
    await this.#eventually(`every partition led by another than ${ids.join(', ')}`, async () => {
      const states = await this.view.partitions();
      if (states === null) return null;
      return states.every(({ leader }) => leader !== null && !ids.includes(leader)) ? states : null;
    });
  }

  /** Another process with the id of this node, on a disk and at addresses of its own: started, not waited for. */
  async twinOf(node: NodeProcess): Promise<NodeProcess> {
    const [plainPort = 0, clusterPort = 0, rpcPort = 0] = await freePorts(3);
    const directory = join(this.directory, `twin${node.id}`);
    const twin = new NodeProcess({ ...node.options, directory, plainPort, clusterPort, rpcPort });
    this.#twins.push(twin);
    twin.spawn();
    return twin;
  }

  /** Kills all that still runs and removes the directory, if it was made here. */
  async destroy(): Promise<void> {
    await this.view.close();
    await Promise.all([...this.nodes, ...this.#twins].map((node) => node.kill()));
    for (const { rpc, zooKeeper } of this.#proxies) {
      await rpc.close();
      await zooKeeper.close();
    }
    await Promise.all(this.zooKeepers.map((server) => server.destroy()));
    if (this.#ownsDirectory) rmSync(this.directory, { recursive: true, force: true });
  }

  #proxiesOf(id: number): NodeProxies {
    const proxies = this.#proxies[id - 1];
    if (proxies === undefined) throw new Error(`node ${id} has no proxies: start the cluster with them`);
    return proxies;
  }

  async #eventually<Found>(what: string, look: () => Promise<Found | null>): Promise<Found> {
    const deadline = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      const found = await look();
      if (found !== null) return found;
      if (performance.now() > deadline) throw new Error(`not within ${SETTLE_MS_MAX} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function commonFlags({ partitions = 6, times = {} }: ClusterOptions): readonly string[] {
  const { sessionMs, lagMs, leaseMs, pollMs, writeMs } = { ...SHORT_TIMES, ...times };
  return [
    '--coordinator=zookeeper',
    `--zookeeper.chroot=${CHROOT}`,
    `--zookeeper.sessionTimeoutMs=${sessionMs}`,
    `--cluster.partitions=${partitions}`,
    '--cluster.replicationFactor=3',
    '--cluster.minInsync=2',
    `--replication.lagMsMax=${lagMs}`,
    `--replication.leaseMs=${leaseMs}`,
    `--replication.pollMsMax=${pollMs}`,
    `--replication.writeTimeoutMs=${writeMs}`,
  ];
}
