import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CONNECT_MS_MAX, readZooKeeper } from '../../src/cli/zookeeper-finder.ts';
import { CLUSTER_PATH } from '../../src/coordination/paths.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { NODE_STATE_NAME } from '../../src/replication/node/node-state.ts';
import type { NodePlan } from './node-plan.ts';

/**
 * A cluster is known in ZooKeeper, and the directories of all these nodes are new: its data lies somewhere else. The nodes
 * would join it, as one does that was given a new disk, and nobody would be left who has the data. Where a node has data,
 * it finds out by itself whether that is of this cluster. Throws CaskadeError `foreignDirectory`.
 */
export async function refuseOtherData(plans: readonly NodePlan[]): Promise<void> {
  const [first] = plans;
  if (first === undefined || plans.some(({ config }) => existsSync(join(config.data.dir, NODE_STATE_NAME))))
    return;
  const { servers, chroot } = first.config.zookeeper;
  const cluster = await readZooKeeper(first.config.zookeeper, CONNECT_MS_MAX, (reader) =>
    reader.read(CLUSTER_PATH),
  );
  if (!cluster.ok) return;
  const directories = plans.map(({ config }) => config.data.dir).join(', ');
  throw new CaskadeError(
    'foreignDirectory',
    `ZooKeeper at ${servers.join(',')}${chroot} belongs to a cluster whose data is not in ${directories}: say where it is (--data), or begin another one (make cluster CHROOT=/other)`,
  );
}
