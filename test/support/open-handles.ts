import type { FileHandle, FileSystem } from '../../src/env/file-system.ts';

/** The handles that are opened through `fileSystem` from now on and not closed yet. */
export function openHandles(fileSystem: FileSystem): ReadonlySet<FileHandle> {
  const handles = new Set<FileHandle>();
  const open = fileSystem.open.bind(fileSystem);
  fileSystem.open = async (path, mode) => {
    const handle = await open(path, mode);
    handles.add(handle);
    const close = handle.close.bind(handle);
    handle.close = () => {
      handles.delete(handle);
      return close();
    };
    return handle;
  };
  return handles;
}
