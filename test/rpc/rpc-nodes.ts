import { SystemClock } from '../../src/env/clock.ts';
import type { ControlMessage } from '../../src/model/control-messages.ts';
import { asIncarnation, asNodeId, type NodeId } from '../../src/model/numbers.ts';
import type { PeerMessage } from '../../src/replication/messages.ts';
import { ChannelClass } from '../../src/rpc/generated/caskade/v1/common.ts';
import type { NodeIdentity } from '../../src/rpc/hello.ts';
import type { ServerCall } from '../../src/rpc/incoming-stream.ts';
import { PEER_CODEC } from '../../src/rpc/methods.ts';
import type { PeerAddress } from '../../src/rpc/peer-link.ts';
import { PeerNetwork } from '../../src/rpc/peer-network.ts';
import { PeerService } from '../../src/rpc/peer-service.ts';
import { RpcServer, type RpcService } from '../../src/rpc/rpc-server.ts';
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
  /** But for those with a Hello. */
  framesReceived = 0;
  clusterId: string | null;
  incarnation = asIncarnation(1);
  port = 0;
  #bulkCall: ServerCall | null = null;
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
    this.server = new RpcServer(
      { host: '127.0.0.1', port: options.port ?? 0 },
      [this.#watched(this.service)],
      clock,
    );
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

  /** Reads no large replies any more, as one whose disk is slow would if it waited. */
  pauseBulk(): void {
    this.#bulkCall?.pause();
  }

  resumeBulk(): void {
    this.#bulkCall?.resume();
  }

  /** The service as it is, with a look at the frames that come. */
  #watched(service: PeerService): RpcService {
    const send = (call: ServerCall): void => {
      call.once('data', (bytes: Buffer) => {
        const { hello } = PEER_CODEC.decode(bytes);
        if (hello?.channelClass === ChannelClass.CHANNEL_CLASS_BULK) this.#bulkCall = call;
        call.on('data', () => {
          this.framesReceived += 1;
        });
      });
      service.implementation.send(call);
    };
    const { name, definition } = service;
    return { name, definition, implementation: { send }, endStreams: () => service.endStreams() };
  }

  #changed(): void {
    const waiting = this.#watch;
    this.#watch = [];
    for (const resolve of waiting) resolve();
  }
}
