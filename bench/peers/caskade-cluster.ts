import { join } from 'node:path';
import { CASKADE, SOURCE_ROOT } from '../../scripts/processes/caskade-program.ts';
import { ZooKeeperProcess } from '../../scripts/zookeeper/zookeeper-process.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import { ZooKeeperView } from '../../test/support/cluster/zookeeper-view.ts';
import { freePorts } from '../../test/support/free-ports.ts';
import type { Routes } from '../cluster/load/load-client.ts';
import { clusterSlots, keyInRange, routesBySlot, SLOT_COUNT, type SlotRange } from './cluster-slots.ts';
import { cpuSecondsOfAll, endAll, eventually, newPeerDirectory } from './peer.ts';
import { PeerProcess } from './peer-process.ts';
import type { ClusterMember, Shard, ShardCluster, Victim } from './shard-cluster.ts';

const NODES = 3;
const PORTS_PER_NODE = 4;
const CHROOT = '/caskade-bench';
const WHOLE_MS_MAX = 60_000;
/** Debian's default, and that of `make cluster`. */
const ZOOKEEPER_TICK_MS = 2_000;

export interface CaskadeClusterOptions {
  /** Default: that of conf/cluster3. */
  readonly partitions?: number;
  /** Default: warnings. */
  readonly logLevel?: 'info' | 'warn';
  /** Further flags of every node. */
  readonly flags?: readonly string[];
  /** Of Node, for the first node only: `--cpu-prof`. */
  readonly nodeFlagsOfFirst?: readonly string[];
}

/** Three nodes as conf/cluster3 has them, and a ZooKeeper that syncs what it is told, all on free ports. */
export class CaskadeCluster implements ShardCluster {
  readonly name = 'Caskade x 3';
  readonly settings: string;
  readonly members: readonly ClusterMember[];
  readonly shards: readonly Shard[];
  readonly #zooKeeper: ZooKeeperProcess;
  readonly #view: ZooKeeperView;
  readonly #directory: string;

  private constructor(
    members: readonly ClusterMember[],
    shards: readonly Shard[],
    zooKeeper: ZooKeeperProcess,
    view: ZooKeeperView,
    directory: string,
  ) {
    this.settings = `three nodes, ${shards.length} partitions, RF 3, min.insync 2, flush always, cluster listeners`;
    this.members = members;
    this.shards = shards;
    this.#zooKeeper = zooKeeper;
    this.#view = view;
    this.#directory = directory;
  }

  /** Resolves when every partition is led and in sync. */
  static async start(options: CaskadeClusterOptions = {}): Promise<CaskadeCluster> {
    const directory = newPeerDirectory();
    const [clientPort = 0, ...ports] = await freePorts(1 + NODES * PORTS_PER_NODE);
    const zooKeeper = new ZooKeeperProcess({
      directory: join(directory, 'zookeeper'),
      clientPort,
      tickMs: ZOOKEEPER_TICK_MS,
      forceSync: true,
      ensemble: null,
    });
    await zooKeeper.restart();
    const starting = Array.from({ length: NODES }, (_, index) =>
      startNode(
        index,
        ports.slice(index * PORTS_PER_NODE, (index + 1) * PORTS_PER_NODE),
        zooKeeper,
        directory,
        options,
      ),
    );
    const members = await Promise.all(starting);
    const view = new ZooKeeperView([zooKeeper.address], CHROOT);
    const whole = async (): Promise<boolean> => isWhole(await view.partitions());
    await eventually('every partition is led and in sync', whole, WHOLE_MS_MAX).catch((error: unknown) => {
      const said = members.map(({ process }) => `${process.name}: ${process.output}`);
      throw new Error(`the cluster did not start:\n${said.join('\n')}`, { cause: error });
    });
    const slots = (await view.facts())?.slots ?? [];
    const shards = slots.map(([first, last, id]) => ({ name: `${id}`, key: keyInRange(first, last) }));
    return new CaskadeCluster(members, shards, zooKeeper, view, directory);
  }

  /**
   * Each key to the cluster listener of its partition's leader, as CLUSTER SLOTS says; a node may have heard of a leader
   * a moment later than ZooKeeper.
   */
  async routes(keys: number): Promise<Routes> {
    let ranges: readonly SlotRange[] = [];
    const isComplete = async (): Promise<boolean> => {
      ranges = await clusterSlots(this.members[0]!.port);
      return ranges.reduce((sum, { first, last }) => sum + last + 1 - first, 0) === SLOT_COUNT;
    };
    await eventually('CLUSTER SLOTS names a leader of every slot', isComplete, WHOLE_MS_MAX);
    return routesBySlot(ranges, keys);
  }

  async whole(): Promise<void> {
    const whole = async (): Promise<boolean> =>
      isWhole(await this.#view.partitions()) && (await this.#view.controller()) !== null;
    await eventually('every partition is led and in sync', whole, WHOLE_MS_MAX);
  }

  /** In even rounds the controller; in odd ones whoever of the others leads most. */
  async victim(round: number): Promise<Victim> {
    const controller = await this.#view.controller();
    const states = (await this.#view.partitions()) ?? [];
    const candidates = this.members.map((member, index) => ({
      member,
      isController: index + 1 === controller,
      led: states.filter(({ leader }) => leader === index + 1).length,
    }));
    const wanted = candidates
      .filter(({ isController }) => isController === (round % 2 === 0))
      .toSorted((left, right) => right.led - left.led)[0];
    if (wanted === undefined) throw new Error('there is no controller');
    const role = `${wanted.isController ? 'controller, ' : ''}leads ${wanted.led} of ${states.length}`;
    return { member: wanted.member, role };
  }

  cpuSeconds(): number {
    return cpuSecondsOfAll(this.members.map(({ process }) => process));
  }

  async stop(): Promise<void> {
    await this.#view.close();
    await Promise.all(this.members.map(({ process }) => process.end()));
    await this.#zooKeeper.stop();
    await endAll([], this.#directory);
  }
}

function isWhole(states: readonly PartitionState[] | null): boolean {
  if (states === null || states.length === 0) return false;
  return states.every(({ leader, isr, replicas }) => leader !== null && isr.length === replicas.length);
}

async function startNode(
  index: number,
  ports: readonly number[],
  zooKeeper: ZooKeeperProcess,
  directory: string,
  options: CaskadeClusterOptions,
): Promise<ClusterMember> {
  const [plainPort = 0, clusterPort = 0, rpcPort = 0, metricsPort = 0] = ports;
  const [node = '', ...program] = CASKADE;
  const { partitions, flags = [], nodeFlagsOfFirst = [], logLevel = 'warn' } = options;
  const words = [
    ...[node, ...(index === 0 ? nodeFlagsOfFirst : []), ...program, 'server'],
    ...['--config', join(SOURCE_ROOT, `conf/cluster3/server-node0${index + 1}.yaml`)],
    ...[`--data.dir=${join(directory, `node${index + 1}`)}`, `--resp.port=${plainPort}`],
    ...[`--resp.clusterPort=${clusterPort}`, `--rpc.port=${rpcPort}`, `--metrics.port=${metricsPort}`],
    ...[
      `--zookeeper.servers=${zooKeeper.address}`,
      `--zookeeper.chroot=${CHROOT}`,
      `--log.level=${logLevel}`,
    ],
    ...(partitions === undefined ? [] : [`--cluster.partitions=${partitions}`]),
    ...flags,
  ];
  const process = await PeerProcess.start({
    name: `node ${index + 1}`,
    words,
    ready: /^ready/m,
    environment: { UV_THREADPOOL_SIZE: '16' },
  });
  return { process, port: clusterPort };
}
