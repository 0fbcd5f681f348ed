import type { Config } from '../config/table.ts';
import { ZooKeeperCoordinator } from '../coordination/zookeeper/zookeeper-coordinator.ts';
import type { ServerDoors } from './server-parts.ts';

/** The coordinator of a member of a cluster, as it is configured. Its session is kept in the data directory (W10). */
export function coordinatorOf({ data, zookeeper }: Config, doors: ServerDoors): ZooKeeperCoordinator {
  const { servers, chroot, sessionTimeoutMs, auth } = zookeeper;
  const settings = { servers, chroot, sessionTimeoutMs, auth, dataDirectory: data.dir };
  return new ZooKeeperCoordinator(settings, doors);
}
