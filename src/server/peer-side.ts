import { AddressName } from '../cluster/index.ts';
import type { ClusterLink } from '../commands/ports.ts';
import type { Config } from '../config/table.ts';
import type { ControlMessage } from '../model/control-messages.ts';
import { formatAddress } from '../model/host-port.ts';
import { asIncarnation, asNodeId, type NodeId } from '../model/numbers.ts';
import type { NodeRegistration } from '../model/partition-state.ts';
import type { PeerMessage } from '../replication/messages.ts';
import type { NodeIdentity } from '../rpc/hello.ts';
import type { PeerAddress } from '../rpc/peer-link.ts';
import { PeerNetwork } from '../rpc/peer-network.ts';
import { PeerService } from '../rpc/peer-service.ts';
import { RpcServer, type RpcService } from '../rpc/rpc-server.ts';
import type { ClusterNode, NodeTransport } from './cluster-node.ts';
import type { ServerDoors } from './server-parts.ts';

/** Streams and calls have so long to come to their end. */
const STOP_MS_MAX = 1_000;

/** What follows who is alive, beside replication. */
export interface PeerFollower {
  setPeers(peers: readonly PeerAddress[]): void;
  identityChanged(): void;
  stop(withinMs: number): Promise<void>;
}

/**
 * This node among the others: knows where they are, carries what nodes say to each other, and listens for them. The
 * node itself is attached when it is open; what comes before that is dropped, as it would be on the way.
 */
export class PeerSide implements NodeTransport {
  readonly identity: NodeIdentity;
  readonly #config: Config;
  readonly #doors: ServerDoors;
  readonly #network: PeerNetwork;
  readonly #followers: PeerFollower[];
  readonly #service: PeerService;
  #server: RpcServer | null = null;
  #node: ClusterNode | null = null;
  #nodes: readonly NodeRegistration[] = [];
  #isIntroduced = false;

  constructor(config: Config, doors: ServerDoors) {
    this.#config = config;
    this.#doors = doors;
    this.identity = {
      nodeId: asNodeId(config.node.id),
      clusterId: () => this.#node?.clusterId ?? null,
      incarnation: () => this.#node?.replicas.incarnation ?? asIncarnation(0),
    };
    this.#network = new PeerNetwork(this.identity, doors, {
      refused: (node) => this.#node?.peerRefused(node),
    });
    this.#followers = [this.#network];
    this.#service = new PeerService(this.identity, doors, {
      receivePeer: (message) => this.#node?.receivePeer(message),
      receiveControl: (message) => this.#node?.receiveControl(message),
    });
  }

  /** Over what this node and others speak, for CLUSTER LINKS. */
  links(): readonly ClusterLink[] {
    const to = this.#network.links.map(
      ({ node, openedAtMs: createdAtMs, queuedBytes: unsentBytes }): ClusterLink => ({
        node,
        direction: 'to',
        createdAtMs,
        unsentBytes,
      }),
    );
    const from = [...this.#service.openedAtMs].map(
      ([node, createdAtMs]): ClusterLink => ({ node, direction: 'from', createdAtMs, unsentBytes: 0 }),
    );
    return [...to, ...from];
  }

  sendPeer(to: NodeId, message: PeerMessage): void {
    this.#network.sendPeer(to, message);
  }

  sendControl(to: NodeId, message: ControlMessage): void {
    this.#network.sendControl(to, message);
  }

  /** What follows who is alive, beside replication. */
  attach(node: ClusterNode, ...followers: readonly PeerFollower[]): void {
    this.#node = node;
    this.#followers.push(...followers);
    const { metadata } = node.replicas;
    metadata.onChange(() => {
      if (metadata.nodes === this.#nodes) return;
      this.#nodes = metadata.nodes;
      this.#meetPeers();
    });
  }

  /** Listens for other nodes, and for whoever speaks `services`. Resolves with the address that others are to be told. */
  async listen(services: readonly RpcService[]): Promise<string> {
    const { host, port, advertised } = this.#config.rpc;
    this.#server = new RpcServer({ host, port }, [this.#service, ...services], this.#doors.clock);
    const bound = await this.#server.listen();
    return advertised === '' ? formatAddress({ host, port: bound }) : advertised;
  }

  /** A life of the node has begun: it stands in the coordinator. */
  joined(): void {
    this.#isIntroduced = true;
    for (const follower of this.#followers) follower.identityChanged();
    this.#meetPeers();
    this.#server?.setServing(true);
  }

  /** That life is over. Nothing is sent under the next one before it has joined: another process may live it (W9). */
  left(): void {
    this.#isIntroduced = false;
    this.#meetPeers();
    this.#server?.setServing(false);
  }

  #meetPeers(): void {
    const peers = this.#isIntroduced ? peersOf(this.#nodes) : [];
    for (const follower of this.#followers) follower.setPeers(peers);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#followers.map((follower) => follower.stop(STOP_MS_MAX)));
    await this.#server?.stop(STOP_MS_MAX);
  }
}

function peersOf(nodes: readonly NodeRegistration[]): PeerAddress[] {
  return nodes.map(({ nodeId, incarnation, addresses }) => ({
    nodeId,
    incarnation,
    address: addresses[AddressName.rpc] ?? '',
  }));
}
