import { dirname } from 'node:path';
import type { FileSystem } from './file-system.ts';

/** Makes a directory and the parents it lacks, each durable: a directory's name is a write to its parent. */
export async function makeDirectoryDurably(fileSystem: FileSystem, path: string): Promise<void> {
  if (await fileSystem.exists(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeDirectoryDurably(fileSystem, parent);
  await fileSystem.makeDirectory(path);
  await fileSystem.syncDirectory(parent);
}
