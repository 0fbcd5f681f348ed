import type { Config } from '../config/table.ts';
import { CaskadeError } from '../model/errors.ts';
import type { Incarnation } from '../model/numbers.ts';
import type { ClusterMetadata } from '../replication/node/cluster-metadata.ts';
import type { ClusterNode, NodeTransport } from './cluster-node.ts';
import type { ServerDoors } from './server-parts.ts';

export class PeerSide implements NodeTransport {
  constructor(_config: Config, _doors: ServerDoors) {}

  sendPeer(): void {}

  sendControl(): void {}

  listen(): Promise<string> {
    return Promise.reject(new CaskadeError('configurationInvalid', 'not available yet'));
  }

  attach(_node: ClusterNode, _metadata: ClusterMetadata): void {}

  joined(_clusterId: string, _incarnation: Incarnation): void {}

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
