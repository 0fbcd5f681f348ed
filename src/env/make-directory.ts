import { dirname } from 'node:path';
import { CaskadeError } from '../model/errors.ts';
import { errnoName } from './disk-errors.ts';
import type { FileSystem } from './file-system.ts';

/**
 * Makes a directory and the parents it lacks, each durable: a directory's name is a write to its parent. Also one that
 * is there already: a process may have died between making it and making it durable, and the next power cut would take
 * it with all that was written there since.
 */
export async function makeDirectoryDurably(fileSystem: FileSystem, path: string): Promise<void> {
  const parent = dirname(path);
  if (await fileSystem.exists(path)) {
    await syncOthersDirectory(fileSystem, parent);
    return;
  }
  if (parent !== path) await makeDirectoryDurably(fileSystem, parent);
  await fileSystem.makeDirectory(path);
  await fileSystem.syncDirectory(parent);
}

const FOREIGN: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL', 'ENOTSUP']);

/** One that this process may not read, or that cannot be synced where it lies, was not written by an earlier life of it. */
async function syncOthersDirectory(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.syncDirectory(path);
  } catch (error) {
    const errno = error instanceof CaskadeError ? errnoName(error.cause) : undefined;
    if (!FOREIGN.has(errno)) throw error;
  }
}
