import { SystemClock } from '../../src/env/clock.ts';
import type { ControlMessage } from '../../src/model/control-messages.ts';
import { asIncarnation, asNodeId, type NodeId } from '../../src/model/numbers.ts';
import type { PeerMessage } from '../../src/replication/messages.ts';
import type { NodeIdentity } from '../../src/rpc/hello.ts';
import type { PeerAddress } from '../../src/rpc/peer-link.ts';
import { PeerNetwork } from '../../src/rpc/peer-network.ts';
import { PeerService } from '../../src/rpc/peer-service.ts';
import { RpcServer } from '../../src/rpc/rpc-server.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';

export const CLUSTER = 'c'.repeat(32);

export interface RpcNodeOptions {
  readonly clusterId?: string | null;
  readonly port?: number;
}

/** One end of the traffic between nodes, over real sockets: listens, sends, and keeps what came. */
export class RpcNode {
  readonly nodeId: NodeId;
  readonly clock = new SystemClock();
  readonly logger = new CollectingLogger();
  readonly network: PeerNetwork;
  readonly service: PeerService;
  readonly server: RpcServer;
  readonly received: (PeerMessage | ControlMessage)[] = [];
  readonly refused: NodeId[] = [];
  clusterId: string | null;
  incarnation = asIncarnation(1);
  port = 0;
  /** Called after each message and each refusal. */
  #watch: (() => void)[] = [];

  constructor(id: number, options: RpcNodeOptions = {}) {
    this.nodeId = asNodeId(id);
    this.clusterId = options.clusterId === undefined ? CLUSTER : options.clusterId;
    const self: NodeIdentity = {
      nodeId: this.nodeId,
      clusterId: () => this.clusterId,
      incarnation: () => this.incarnation,
    };
    const { clock, logger } = this;
    const take = (message: PeerMessage | ControlMessage): void => {
      this.received.push(message);
      this.#changed();
    };
    this.service = new PeerService(self, { clock, logger }, { receivePeer: take, receiveControl: take });
    this.server = new RpcServer({ host: '127.0.0.1', port: options.port ?? 0 }, [this.service], clock);
    this.network = new PeerNetwork(
      self,
      { clock, logger },
      {
        refused: (node) => {
          this.refused.push(node);
          this.#changed();
        },
      },
    );
  }

  static async start(id: number, options: RpcNodeOptions = {}): Promise<RpcNode> {
    const node = new RpcNode(id, options);
    node.port = await node.server.listen();
    return node;
  }

  get address(): PeerAddress {
    return { nodeId: this.nodeId, incarnation: this.incarnation, address: `127.0.0.1:${this.port}` };
  }

  /** Resolves when it holds; looked at whenever something came, and every few milliseconds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await Promise.race([this.clock.sleep(5), new Promise<void>((resolve) => this.#watch.push(resolve))]);
    }
  }

  connectedTo(other: RpcNode): Promise<void> {
    return this.until(() => this.network.isConnected(other.nodeId));
  }

  async stop(): Promise<void> {
    await this.network.stop(500);
    await this.server.stop(500);
  }

  #changed(): void {
    const waiting = this.#watch;
    this.#watch = [];
    for (const resolve of waiting) resolve();
  }
}
