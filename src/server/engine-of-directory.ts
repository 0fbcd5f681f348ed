import { readNodeRecord } from '../coordination/local/node-record.ts';
import type { FileSystem } from '../env/file-system.ts';
import { CaskadeError } from '../model/errors.ts';

/**
 * The memory engine never looks into the data directory. Whoever names one that holds data means that data, and must not be
 * answered by an empty store. Throws CaskadeError `wrongEngine`.
 */
export async function refuseStoredData(disk: FileSystem, directory: string): Promise<void> {
  if (!(await disk.exists(directory))) return;
  const stored = await readNodeRecord(disk, directory);
  if (stored === null) return;
  throw new CaskadeError(
    'wrongEngine',
    `${directory} holds data of storage.engine=${stored.engine}, but memory is configured, which would not show them; set storage.engine to ${stored.engine} or choose another data.dir`,
  );
}
