import type { FileHandle, FileSystem } from '../../src/env/file-system.ts';

/** A disk door whose file syncs do nothing and say that all is well: what a test of durability must catch. */
export function droppingSyncs(fileSystem: FileSystem): FileSystem {
  return withHandles(fileSystem, (handle) => ({
    ...forwarding(handle),
    path: handle.path,
    sync: async () => {},
  }));
}

/** A disk door that says that a sync is done as soon as it has begun. */
export function answeringEarly(fileSystem: FileSystem): FileSystem {
  return withHandles(fileSystem, (handle) => ({
    ...forwarding(handle),
    path: handle.path,
    sync: async () => {
      handle.sync().catch(() => {});
    },
  }));
}

/** Directory syncs do nothing: names are never made durable. */
export function droppingDirectorySyncs(fileSystem: FileSystem): FileSystem {
  return { ...withHandles(fileSystem, (handle) => handle), syncDirectory: async () => {} };
}

export function withHandles(fileSystem: FileSystem, change: (handle: FileHandle) => FileHandle): FileSystem {
  return {
    open: async (path, mode) => change(await fileSystem.open(path, mode)),
    exists: (path) => fileSystem.exists(path),
    list: (directory) => fileSystem.list(directory),
    makeDirectory: (path) => fileSystem.makeDirectory(path),
    rename: (from, to) => fileSystem.rename(from, to),
    unlink: (path) => fileSystem.unlink(path),
    removeDirectory: (path) => fileSystem.removeDirectory(path),
    syncDirectory: (path) => fileSystem.syncDirectory(path),
    freeBytes: (path) => fileSystem.freeBytes(path),
  };
}

export function forwarding(handle: FileHandle): Omit<FileHandle, 'path'> {
  return {
    size: () => handle.size(),
    readAt: (target, position) => handle.readAt(target, position),
    writeAt: (chunks, position) => handle.writeAt(chunks, position),
    sync: () => handle.sync(),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
}
