import { dirname } from 'node:path';
import { CaskadeError } from '../model/errors.ts';
import type { FileAccess, FileSystem } from './file-system.ts';

/** What a crash may leave beside the file; the next replacement removes it, readers ignore it. */
export const TEMPORARY_SUFFIX = '.tmp';

/**
 * Replaces a small file durably: when this resolves, `path` holds `bytes` whatever happens to the machine; until
 * then a crash leaves the old file or the new one, whole. The order is the point: bytes synced before the rename (or
 * the new name could show an empty file), the directory synced after it (or the old file could come back). `renaming`:
 * from here on nobody knows which of the two is there; what fails before leaves the old file.
 */
export async function replaceFile(
  fileSystem: FileSystem,
  path: string,
  bytes: Uint8Array,
  renaming: () => void = () => undefined,
  access: FileAccess = 'group',
): Promise<void> {
  const temporaryPath = path + TEMPORARY_SUFFIX;
  if (await fileSystem.exists(temporaryPath)) await fileSystem.unlink(temporaryPath);
  const handle = await fileSystem.open(temporaryPath, 'create', access);
  try {
    await handle.writeAt([bytes], 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
  renaming();
  await fileSystem.rename(temporaryPath, path);
  await fileSystem.syncDirectory(dirname(path));
}

/** Reads a small file whole. `corruptMetadata` when it is larger than `bytesMax`, `notFound` when it is not there. */
export async function readWholeFile(
  fileSystem: FileSystem,
  path: string,
  bytesMax: number,
): Promise<Uint8Array> {
  const handle = await fileSystem.open(path, 'read');
  try {
    const size = await handle.size();
    if (size > bytesMax) {
      throw new CaskadeError(
        'corruptMetadata',
        `${path} has ${size} bytes, at most ${bytesMax} are allowed: it is damaged or not ours; restore it`,
      );
    }
    const bytes = new Uint8Array(size);
    const count = await handle.readAt(bytes, 0);
    return count === size ? bytes : bytes.subarray(0, count);
  } finally {
    await handle.close();
  }
}

/** Removes a file that may be gone already. */
export async function removeIfThere(fileSystem: FileSystem, path: string): Promise<void> {
  if (await fileSystem.exists(path)) await fileSystem.unlink(path);
}
