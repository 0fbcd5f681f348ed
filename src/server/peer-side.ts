import { AddressName } from '../cluster/index.ts';
import { formatAddress } from '../config/address.ts';
import type { Config } from '../config/table.ts';
import type { ControlMessage } from '../model/control-messages.ts';
import { asIncarnation, asNodeId, type Incarnation, type NodeId } from '../model/numbers.ts';
import type { NodeRegistration } from '../model/partition-state.ts';
import type { PeerMessage } from '../replication/messages.ts';
import type { ClusterMetadata } from '../replication/node/cluster-metadata.ts';
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
 * This node among the others: listens for them, knows where they are, and carries what nodes say to each other. The
 * node itself is attached when it is open; what comes before that is dropped, as it would be on the way.
 */
export class PeerSide implements NodeTransport {
  readonly identity: NodeIdentity;
  readonly #config: Config;
  readonly #network: PeerNetwork;
  readonly #peerService: PeerService;
  readonly #server: RpcServer;
  readonly #followers: PeerFollower[];
  #node: ClusterNode | null = null;
  #nodes: readonly NodeRegistration[] = [];
  #incarnation: Incarnation | null = null;

  /** `services` and `followers` beside replication's. */
  constructor(
    config: Config,
    doors: ServerDoors,
    newParts: (identity: NodeIdentity) => {
      readonly services: readonly RpcService[];
      readonly followers: readonly PeerFollower[];
    },
  ) {
    this.#config = config;
    const nodeId = asNodeId(config.node.id);
    this.identity = {
      nodeId,
      clusterId: () => this.#node?.clusterId ?? null,
      incarnation: () => this.#node?.replicas.incarnation ?? asIncarnation(0),
    };
    this.#network = new PeerNetwork(this.identity, doors, {
      refused: (node) => this.#node?.peerRefused(node),
    });
    this.#peerService = new PeerService(this.identity, doors, {
      receivePeer: (message) => this.#node?.receivePeer(message),
      receiveControl: (message) => this.#node?.receiveControl(message),
    });
    const { services, followers } = newParts(this.identity);
    this.#followers = [this.#network, ...followers];
    const { host, port } = config.rpc;
    this.#server = new RpcServer({ host, port }, [this.#peerService, ...services], doors.clock);
  }

  sendPeer(to: NodeId, message: PeerMessage): void {
    this.#network.sendPeer(to, message);
  }

  sendControl(to: NodeId, message: ControlMessage): void {
    this.#network.sendControl(to, message);
  }

  /** Resolves with the address that others are to be told. */
  async listen(): Promise<string> {
    const port = await this.#server.listen();
    const { host, advertised } = this.#config.rpc;
    return advertised === '' ? formatAddress({ host, port }) : advertised;
  }

  attach(node: ClusterNode, metadata: ClusterMetadata): void {
    this.#node = node;
    metadata.onChange(() => {
      if (metadata.nodes === this.#nodes) return;
      this.#nodes = metadata.nodes;
      const peers = peersOf(this.#nodes);
      for (const follower of this.#followers) follower.setPeers(peers);
    });
  }

  /** A life of the node has begun: it stands in the coordinator. */
  joined(incarnation: Incarnation): void {
    if (this.#incarnation !== null) for (const follower of this.#followers) follower.identityChanged();
    this.#incarnation = incarnation;
    this.#server.setServing(true);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#followers.map((follower) => follower.stop(STOP_MS_MAX)));
    await this.#server.stop(STOP_MS_MAX);
  }
}

function peersOf(nodes: readonly NodeRegistration[]): PeerAddress[] {
  return nodes.map(({ nodeId, incarnation, addresses }) => ({
    nodeId,
    incarnation,
    address: addresses[AddressName.rpc] ?? '',
  }));
}
