import type { FileHandle, FileSystem, OpenMode } from '../../src/env/file-system.ts';

/** A file system whose `sync` lies from a moment on: it says done and does nothing. What a store without fsync would be. */
export class SyncLessFileSystem implements FileSystem {
  readonly #base: FileSystem;
  #isLying = false;

  constructor(base: FileSystem) {
    this.#base = base;
  }

  lieFromNowOn(): void {
    this.#isLying = true;
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    const handle = await this.#base.open(path, mode);
    return {
      path: handle.path,
      size: () => handle.size(),
      readAt: (target, position) => handle.readAt(target, position),
      writeAt: (chunks, position) => handle.writeAt(chunks, position),
      sync: () => (this.#isLying ? Promise.resolve() : handle.sync()),
      truncate: (length) => handle.truncate(length),
      close: () => handle.close(),
    };
  }

  exists(path: string): Promise<boolean> {
    return this.#base.exists(path);
  }

  list(directory: string): Promise<string[]> {
    return this.#base.list(directory);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#base.makeDirectory(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#base.rename(from, to);
  }

  unlink(path: string): Promise<void> {
    return this.#base.unlink(path);
  }

  removeDirectory(path: string): Promise<void> {
    return this.#base.removeDirectory(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.#base.syncDirectory(path);
  }

  freeBytes(path: string): Promise<number> {
    return this.#base.freeBytes(path);
  }
}
