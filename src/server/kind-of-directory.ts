import { join } from 'node:path';
import type { FileSystem } from '../env/file-system.ts';
import { CaskadeError } from '../model/errors.ts';
import { NODE_STATE_NAME } from '../replication/node/node-state.ts';

/** What the data directory of a node alone begins with; that of a member of a cluster has STATE. */
const LONE_NODE_NAME = 'NODE';

/** Throws `foreignDirectory` where a node alone has its data: a member of a cluster knows nothing of them. */
export async function refuseLoneData(fileSystem: FileSystem, directory: string): Promise<void> {
  if (!(await fileSystem.exists(join(directory, LONE_NODE_NAME)))) return;
  const text = `${directory} holds the data of a node alone (coordinator: local), but coordinator is zookeeper; choose another data.dir`;
  throw new CaskadeError('foreignDirectory', text);
}

/** Throws `foreignDirectory` where a member of a cluster has its data: alone it does not know what is committed. */
export async function refuseMemberData(fileSystem: FileSystem, directory: string): Promise<void> {
  if (!(await fileSystem.exists(join(directory, NODE_STATE_NAME)))) return;
  const text = `${directory} holds the data of a member of a cluster (coordinator: zookeeper), but coordinator is local; choose another data.dir`;
  throw new CaskadeError('foreignDirectory', text);
}
