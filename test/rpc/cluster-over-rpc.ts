import { CONTROLLER_RULES } from '../../src/controller/rules/rules.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts';
import { SystemRandom } from '../../src/env/random.ts';
import type { CaskadeError } from '../../src/model/errors.ts';
import { asDatabaseId, asNodeId, NO_EXPIRY, type NodeId, type PartitionId } from '../../src/model/numbers.ts';
import { KeyView, type LeaderPartition } from '../../src/replication/leader-partition.ts';
import { RULES } from '../../src/replication/rules/rules.ts';
import type { NodeIdentity } from '../../src/rpc/hello.ts';
import { PeerNetwork } from '../../src/rpc/peer-network.ts';
import { PeerService } from '../../src/rpc/peer-service.ts';
import { RpcServer } from '../../src/rpc/rpc-server.ts';
import { ClusterNode } from '../../src/server/cluster-node.ts';
import { nodeSettings, WORLD_OPTIONS } from '../simulation/world/world-settings.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import type { MemoryCoordinator } from '../support/memory-coordinator.ts';

const DATABASE = asDatabaseId(0);

export interface ClusterShape {
  readonly nodeCount: number;
  readonly partitionCount: number;
}

/** A whole node on a disk in memory, whose messages travel over real sockets. */
export class NodeOverRpc {
  readonly clock = new SystemClock();
  readonly logger = new CollectingLogger();
  readonly fatal: CaskadeError[] = [];
  readonly refused: NodeId[] = [];
  readonly network: PeerNetwork;
  readonly server: RpcServer;
  node: ClusterNode | null = null;

  constructor(nodeId: NodeId) {
    const self: NodeIdentity = {
      nodeId,
      clusterId: () => this.open.replicas.metadata.facts?.clusterId ?? null,
      incarnation: () => this.open.replicas.incarnation,
    };
    const { clock, logger } = this;
    this.network = new PeerNetwork(
      self,
      { clock, logger },
      {
        refused: (other) => {
          this.refused.push(other);
          this.open.peerRefused(other);
        },
      },
    );
    const service = new PeerService(
      self,
      { clock, logger },
      {
        receivePeer: (message) => this.open.receivePeer(message),
        receiveControl: (message) => this.open.receiveControl(message),
      },
    );
    this.server = new RpcServer({ host: '127.0.0.1', port: 0 }, [service], clock);
  }

  static async start(id: number, coordinator: MemoryCoordinator, shape: ClusterShape): Promise<NodeOverRpc> {
    const nodeId = asNodeId(id);
    const over = new NodeOverRpc(nodeId);
    const { clock, logger, network: transport } = over;
    const node = await ClusterNode.open(
      nodeSettings(nodeId, { ...WORLD_OPTIONS, ...shape }),
      { replication: RULES, controller: CONTROLLER_RULES },
      {
        fileSystem: new MemoryFileSystem(),
        clock,
        random: new SystemRandom(),
        logger,
        coordinator,
        transport,
        fatal: (error) => over.fatal.push(error),
      },
    );
    over.node = node;
    const { metadata } = node.replicas;
    metadata.onChange(() =>
      transport.setPeers(metadata.nodes.map((other) => ({ ...other, address: other.addresses.rpc ?? '' }))),
    );
    node.start({ rpc: `127.0.0.1:${await over.server.listen()}` });
    return over;
  }

  get open(): ClusterNode {
    if (this.node === null) throw new Error('the node is not open yet');
    return this.node;
  }

  leading(partition: PartitionId): LeaderPartition | null {
    return this.open.replicas.leading(partition);
  }

  /** Resolves to whether it was committed. Null: refused. */
  async put(partition: PartitionId, name: string, value: Uint8Array): Promise<boolean | null> {
    const leading = this.leading(partition);
    if (leading === null || leading.writeRefusal() !== null) return null;
    const key = new KeyView();
    key.bytes = Buffer.from(name);
    key.end = key.bytes.length;
    key.hash = leading.hash(key.bytes, 0, key.end);
    const offset = leading.put(DATABASE, key, value, 0, value.length, NO_EXPIRY);
    await leading.whenResolved(offset);
    return leading.highWatermark > offset;
  }

  async stop(): Promise<void> {
    await this.open.stop();
    await this.network.stop(200);
    await this.server.stop(200);
  }
}
