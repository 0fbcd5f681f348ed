import { dirname, join } from 'node:path';
import type { FileSystem } from './file-system.ts';

/** Removes a directory that holds only files, and these, durably. */
export async function removeDirectoryOfFiles(fileSystem: FileSystem, directory: string): Promise<void> {
  for (const name of await fileSystem.list(directory)) await fileSystem.unlink(join(directory, name));
  await fileSystem.removeDirectory(directory);
  await fileSystem.syncDirectory(dirname(directory));
}
