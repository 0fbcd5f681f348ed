import { AddressName, hostPort } from '../cluster/index.ts';
import type { Config } from '../config/table.ts';
import { CONTROLLER_RULES } from '../controller/rules/rules.ts';
import type { DirectoryLock } from '../env/directory-lock.ts';
import { CaskadeError } from '../model/errors.ts';
import { ExitCode } from '../model/exit-codes.ts';
import { formatAddress } from '../model/host-port.ts';
import type { Incarnation } from '../model/numbers.ts';
import type { ClusterFacts } from '../model/partition-state.ts';
import { VERSION } from '../model/version.ts';
import type { MetricsServer } from '../network/metrics-server.ts';
import { RULES } from '../replication/rules/rules.ts';
import { ClusterNode, type ClusterRules } from './cluster-node.ts';
import { clusterNodeSettings } from './cluster-settings.ts';
import { CommandSide } from './command-side.ts';
import { coordinatorOf } from './coordinator-of.ts';
import { refuseLoneData } from './kind-of-directory.ts';
import { PeerSide } from './peer-side.ts';
import {
  dataPlace,
  lockData,
  newServerParts,
  type RunningServer,
  type ServerDoors,
  type ServerNotes,
  type ServerParts,
  serveMetrics,
} from './server-parts.ts';

/** A member of a cluster. It accepts clients at once, and serves them when it has joined. */
export interface ClusterServer extends RunningServer {
  /** Resolves when this node stands in the coordinator and is sure of its cluster; then `readyLine` may be printed. */
  readonly joined: Promise<void>;
  readonly hasJoined: boolean;
  /** Rejects when the node cannot go on; never resolves. */
  readonly failed: Promise<never>;
  readonly node: ClusterNode;
}

/** The rules of production; a test may break one. */
export const CLUSTER_RULES: ClusterRules = { replication: RULES, controller: CONTROLLER_RULES };

/**
 * Locks the directory, recovers, listens, and then joins the cluster: in this order, so that a second starter disturbs
 * nothing, and so that nobody is told of an address where nobody answers.
 */
export async function startClusterServer(
  config: Config,
  notes: ServerNotes,
  doors: ServerDoors,
  shutdown: () => void,
  rules: ClusterRules = CLUSTER_RULES,
): Promise<ClusterServer> {
  const lock = await lockData(config);
  const server = new Member(config, doors, lock);
  try {
    await refuseLoneData(doors.fileSystem, config.data.dir);
    await server.open(notes, shutdown, rules);
    return server;
  } catch (error) {
    await server.abandon();
    throw error;
  }
}

/** What is open, once all of it is. */
interface OpenParts {
  readonly node: ClusterNode;
  readonly commands: CommandSide;
  readonly parts: ServerParts;
  readonly metrics: MetricsServer | null;
}

class Member implements ClusterServer {
  port = 0;
  readyLine = '';
  hasJoined = false;
  readonly joined: Promise<void>;
  readonly failed: Promise<never>;
  readonly #config: Config;
  readonly #doors: ServerDoors;
  readonly #lock: DirectoryLock | null;
  readonly #peers: PeerSide;
  #open: OpenParts | null = null;
  #tellJoined: () => void = () => {};
  #fail: (error: CaskadeError) => void = () => {};
  #hasFailed = false;
  /** The life that stands in the coordinator. */
  #incarnation: Incarnation | null = null;
  #stopped: Promise<number> | null = null;

  constructor(config: Config, doors: ServerDoors, lock: DirectoryLock | null) {
    this.#config = config;
    this.#doors = doors;
    this.#lock = lock;
    this.#peers = new PeerSide(config, doors);
    this.joined = new Promise((resolve) => {
      this.#tellJoined = resolve;
    });
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // Whoever waits for it hears of it; nobody has to.
    this.failed.catch(() => {});
  }

  get node(): ClusterNode {
    if (this.#open === null) throw new CaskadeError('shuttingDown', 'the node is not open');
    return this.#open.node;
  }

  async open(notes: ServerNotes, shutdown: () => void, rules: ClusterRules): Promise<void> {
    const config = this.#config;
    const { clock } = this.#doors;
    const startedAtMs = clock.monotonicMs();
    const node = await ClusterNode.open(clusterNodeSettings(config), rules, {
      ...this.#doors,
      coordinator: coordinatorOf(config, this.#doors),
      transport: this.#peers,
      joined: (facts, incarnation) => this.#onJoined(facts, incarnation),
      left: () => this.#peers.left(),
      fatal: (error) => this.#onFatal(error),
    });
    const doors = this.#doors;
    const parts = newServerParts({ config, notes, doors, startedAtMs, shutdown });
    const { identity } = this.#peers;
    const links = () => this.#peers.links();
    const commands = new CommandSide({ config, doors, node, identity, links, parts });
    this.#open = { node, commands, parts, metrics: null };
    this.#peers.attach(node, commands.links);
    const rpc = await this.#peers.listen(commands.services);
    const ports = await commands.listen();
    this.port = ports.plain;
    parts.stats.port = ports.plain;
    const metrics = await serveMetrics(config, { router: commands.router, store: node.replicas, ...parts });
    this.#open = { node, commands, parts, metrics };
    parts.loopLag.start();
    node.start(this.#addresses(rpc, ports.plain, ports.cluster));
  }

  stop(): Promise<number> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Undoes what `open` had done when it failed. */
  async abandon(): Promise<void> {
    await this.stop();
  }

  // The end

  /**
   * Others take over first, while clients are still served; then these get their last answers, then the replicas are
   * closed, and at last the node leaves the cluster.
   */
  async #stop(): Promise<number> {
    const { logger } = this.#doors;
    const open = this.#open;
    logger.info(
      { component: 'server' },
      'stopping: others take over what is led here, accepted commands are answered',
    );
    if (open !== null) await this.#close(open);
    await this.#peers.stop();
    await this.#lock?.release();
    logger.info({ component: 'server' }, 'stopped');
    return ExitCode.ok;
  }

  async #close({ node, commands, parts, metrics }: OpenParts): Promise<void> {
    await metrics?.stop();
    if (this.hasJoined && !this.#hasFailed) await node.relieve();
    const cutCount = await commands.stop();
    if (cutCount > 0)
      this.#doors.logger.warn({ component: 'server', cutCount }, 'clients were cut off before their answer');
    await node.stop();
    commands.close();
    parts.loopLag.stop();
  }

  #addresses(rpc: string, port: number, clusterPort: number | undefined): Readonly<Record<string, string>> {
    const { host, advertised } = this.#config.resp;
    const told = advertised === '' ? host : advertised;
    return {
      [AddressName.rpc]: rpc,
      [AddressName.plain]: addressText(told, port),
      ...(clusterPort === undefined ? {} : { [AddressName.cluster]: addressText(told, clusterPort) }),
    };
  }

  /** Told again and again; another life is news. */
  #onJoined({ clusterId }: ClusterFacts, incarnation: Incarnation): void {
    if (this.#incarnation === incarnation) return;
    this.#incarnation = incarnation;
    this.#peers.joined();
    const fields = { component: 'server', clusterId, incarnation, version: VERSION };
    this.#doors.logger.info(fields, `node ${this.#config.node.id} is a member of the cluster`);
    if (this.hasJoined) return;
    this.hasJoined = true;
    const { node, resp } = this.#config;
    this.readyLine = `ready: caskade ${VERSION} node ${node.id} answers on ${addressText(resp.host, this.port)} (${dataPlace(this.#config)}, cluster ${clusterId})`;
    this.#tellJoined();
  }

  #onFatal(error: CaskadeError): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#doors.logger.error({ component: 'server', err: error }, 'this node cannot go on');
    this.#fail(error);
  }
}

/** Throws `usage` for one that cannot be read again. */
function addressText(host: string, port: number): string {
  const text = formatAddress({ host, port });
  if (hostPort(text) === null)
    throw new CaskadeError('usage', `${text} is no address that others could be told`);
  return text;
}
