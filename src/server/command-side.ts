import { Forwarder } from '../cluster/forward/forwarder.ts';
import type { ForwardLinkEvents } from '../cluster/forward/ports.ts';
import { ClusterRouter } from '../cluster/index.ts';
import { ClusterPlacement } from '../commands/cluster-placement.ts';
import { Executor } from '../commands/executor.ts';
import { ForwardInbox } from '../commands/forwarded/forward-inbox.ts';
import { ForwardPlacement } from '../commands/forwarding/forward-placement.ts';
import type { Placement } from '../commands/placement.ts';
import type { ClusterPort, ListenerKind, ServerPorts, ServerStats } from '../commands/ports.ts';
import type { Config } from '../config/table.ts';
import type { PartitionId } from '../model/numbers.ts';
import { RespServer } from '../network/resp-server.ts';
import { ForwardLinks } from '../rpc/forward-links.ts';
import { ForwardStreams } from '../rpc/forward-streams.ts';
import type { NodeIdentity } from '../rpc/hello.ts';
import { keyValueService } from '../rpc/kv-service.ts';
import type { RpcService } from '../rpc/rpc-server.ts';
import type { ClusterNode } from './cluster-node.ts';
import type { PeerFollower } from './peer-side.ts';
import { type OwnStats, type ServerDoors, type ServerParts, STOP_MS_MAX } from './server-parts.ts';

export interface CommandSideParts {
  readonly config: Config;
  readonly doors: ServerDoors;
  readonly node: ClusterNode;
  readonly identity: NodeIdentity;
  /** Over what nodes speak to each other. */
  readonly links: ClusterPort['links'];
  readonly parts: ServerParts;
}

/**
 * What clients of a member of a cluster speak to: the listener that forwards, the one that redirects (R23), and the
 * typed service; and what runs commands that other nodes forward.
 */
export class CommandSide {
  readonly router: ClusterRouter;
  /** To be offered to other nodes and to clients over gRPC. */
  readonly services: readonly RpcService[];
  readonly links: PeerFollower;
  readonly #parts: CommandSideParts;
  readonly #plain: RespServer;
  /** Null: it is off. */
  readonly #cluster: RespServer | null;
  readonly #forwarder: Forwarder;
  /** INFO names the port of the listener that it is asked on. */
  readonly #plainStats: OwnStats;
  readonly #clusterStats: OwnStats;

  constructor(options: CommandSideParts) {
    this.#parts = options;
    const { config, doors, node, identity, parts } = options;
    const { clock, logger } = doors;
    const { replicas } = node;
    const router = new ClusterRouter({
      self: node.nodeId,
      metadata: replicas.metadata,
      leading: (partition) => replicas.leading(partition),
    });
    this.router = router;
    this.#plainStats = { ...parts.stats };
    this.#clusterStats = { ...parts.stats, port: config.resp.clusterPort };
    const plainPorts = this.#ports('plain', this.#plainStats);
    const inbox = new ForwardInbox({ router, ports: plainPorts, clock, logger });
    const events = new LinkEvents();
    const links = new ForwardLinks(identity, doors, events);
    const incarnation = () => replicas.incarnation;
    const self = node.nodeId;
    this.#forwarder = new Forwarder({ self, map: router, link: links, service: inbox, clock, incarnation });
    events.to = this.#forwarder;
    this.links = links;
    const { writeTimeoutMs, lagMsMax } = config.replication;
    const forwarding = new ForwardPlacement({
      router,
      forwarder: this.#forwarder,
      patienceMs: writeTimeoutMs,
    });
    this.#plain = this.#listener(config.resp.port, plainPorts, forwarding);
    const readStale = (partition: PartitionId) => replicas.readStale(partition, lagMsMax);
    const { clusterPort } = config.resp;
    const redirecting = new ClusterPlacement({ router, readStale });
    this.#cluster =
      clusterPort === 0
        ? null
        : this.#listener(clusterPort, this.#ports('cluster', this.#clusterStats), redirecting);
    const { valueBytesMax } = parts.ports;
    this.services = [
      new ForwardStreams(identity, doors, inbox),
      keyValueService({ router, map: router, clock, logger, valueBytesMax, writeTimeoutMs }),
    ];
  }

  /** Opens the listeners; resolves with their ports. */
  async listen(): Promise<{ readonly plain: number; readonly cluster: number | undefined }> {
    const plain = await this.#plain.listen();
    this.#plainStats.port = plain;
    const cluster = await this.#cluster?.listen();
    if (cluster !== undefined) this.#clusterStats.port = cluster;
    return { plain, cluster };
  }

  /** Clients get their last answers; resolves to how many were cut off before. */
  async stop(): Promise<number> {
    const reports = await Promise.all([this.#plain.stop(STOP_MS_MAX), this.#cluster?.stop(STOP_MS_MAX)]);
    this.#forwarder.stop();
    return reports.reduce((sum, report) => sum + (report?.cutCount ?? 0), 0);
  }

  /** After everything else: nothing is led here any more. */
  close(): void {
    this.router.stop();
  }

  #listener(port: number, ports: ServerPorts, placement: Placement): RespServer {
    const { config, doors, parts } = this.#parts;
    const { host, idleTimeoutMs } = config.resp;
    const { table, counters, registry } = parts;
    const { clock, logger } = doors;
    const executor = new Executor(table, counters, placement);
    const { router } = this;
    return new RespServer(
      { host, port, idleTimeoutMs },
      { executor, ports, router, registry, clock, logger },
    );
  }

  #ports(listener: ListenerKind, stats: ServerStats): ServerPorts {
    const { config, node, parts } = this.#parts;
    const cluster: ClusterPort = {
      listener,
      source: this.router,
      announcesReplicas: config.resp.announceReplicas,
      writeTimeoutMs: config.replication.writeTimeoutMs,
      replica: (partition) => node.replicas.replica(partition)?.reader.ends ?? null,
      links: () => this.#parts.links(),
    };
    return { ...parts.ports, stats, cluster };
  }
}

/** The links are made before the forwarder that listens to them. */
class LinkEvents implements ForwardLinkEvents {
  to: ForwardLinkEvents | null = null;

  opened(...[node]: Parameters<ForwardLinkEvents['opened']>): void {
    this.to?.opened(node);
  }

  broken(...[node]: Parameters<ForwardLinkEvents['broken']>): void {
    this.to?.broken(node);
  }

  replied(...[from, reply]: Parameters<ForwardLinkEvents['replied']>): void {
    this.to?.replied(from, reply);
  }
}
