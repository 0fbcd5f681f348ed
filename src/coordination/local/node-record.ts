import { join } from 'node:path';
import { readDocument, writeDocument } from '../../env/checked-document.ts';
import type { FileSystem } from '../../env/file-system.ts';
import { CaskadeError } from '../../model/errors.ts';

/** First slot, last slot, partition id. */
export type SlotRange = readonly [first: number, last: number, partition: number];

/** What was decided when the store was created (R2): afterwards only compared. */
export interface ClusterFacts {
  readonly partitions: number;
  readonly slots: readonly SlotRange[];
  readonly replicationFactor: number;
  readonly minInsync: number;
  readonly flush: 'always' | 'interval' | 'os';
}

export interface PartitionRecord {
  /** 32 hexadecimal digits. */
  readonly uuid: string;
  readonly leaderEpoch: number;
}

/** NODE: who this node is (docs/FORMATS.md section 7). */
export interface NodeRecord {
  readonly format: number;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly incarnation: number;
  readonly engine: string;
  readonly partitions: Readonly<Record<string, PartitionRecord>>;
  readonly cluster: ClusterFacts;
  /** True once every partition was opened: from then on a missing partition directory is a loss, not a first start. */
  readonly inUse: boolean;
}

export const NODE_FORMAT = 1;
const NAME = 'NODE';

export async function readNodeRecord(fileSystem: FileSystem, directory: string): Promise<NodeRecord | null> {
  const document = await readDocument(fileSystem, join(directory, NAME), NODE_FORMAT);
  if (document !== null) return document as unknown as NodeRecord;
  if (await fileSystem.exists(join(directory, 'partitions'))) {
    throw new CaskadeError(
      'corruptMetadata',
      `${join(directory, NAME)} is missing, but ${join(directory, 'partitions')} is there; restore ${NAME} from a backup, or empty the directory`,
    );
  }
  return null;
}

export async function writeNodeRecord(
  fileSystem: FileSystem,
  directory: string,
  record: NodeRecord,
): Promise<void> {
  await writeDocument(fileSystem, join(directory, NAME), { ...record });
}
