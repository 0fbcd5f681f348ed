import { freemem } from 'node:os';
import { invariant } from '../model/errors.ts';
import { diskError, PosixError } from './disk-errors.ts';
import type { FileHandle, FileSystem, OpenMode } from './file-system.ts';
import { FileTree, TreeDirectory } from './file-tree.ts';
import { PagedBytes } from './paged-bytes.ts';

const PAGE_BYTES = 64 * 1024;

export interface MemoryFileSystemOptions {
  /** All files together; a write beyond it fails with `diskFull`. Default: the memory of the machine is the limit. */
  readonly bytesMax?: number;
}

/** Bytes in use over all files, so that a write beyond the limit is refused like one on a full disk. */
class Space {
  readonly bytesMax: number;
  bytesUsed = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  grow(bytes: number): void {
    if (bytes > 0 && this.bytesUsed + bytes > this.bytesMax) throw new PosixError('ENOSPC');
    this.bytesUsed += bytes;
  }
}

interface MemoryFile {
  readonly bytes: PagedBytes;
  /** False once no name leads to it: its bytes no longer count, its open handles still work. */
  linked: boolean;
}

class MemoryFileHandle implements FileHandle {
  readonly path: string;
  readonly #file: MemoryFile;
  readonly #space: Space;
  readonly #writable: boolean;
  #closed = false;

  constructor(path: string, file: MemoryFile, space: Space, writable: boolean) {
    this.path = path;
    this.#file = file;
    this.#space = space;
    this.#writable = writable;
  }

  async size(): Promise<number> {
    this.#checkOpen();
    return this.#file.bytes.length;
  }

  async readAt(target: Uint8Array, position: number): Promise<number> {
    this.#checkOpen();
    return this.#file.bytes.read(target, position);
  }

  async writeAt(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.#checkWritable('write');
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (length === 0) return;
    this.#reserve('write', position + length);
    let at = position;
    for (const chunk of chunks) {
      this.#file.bytes.write(chunk, at);
      at += chunk.length;
    }
  }

  async sync(): Promise<void> {
    this.#checkOpen();
  }

  async truncate(length: number): Promise<void> {
    this.#checkWritable('truncate');
    if (length > this.#file.bytes.length) this.#reserve('truncate', length);
    else if (this.#file.linked) this.#space.grow(length - this.#file.bytes.length);
    this.#file.bytes.truncate(length);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #reserve(operation: string, end: number): void {
    if (!this.#file.linked) return;
    try {
      this.#space.grow(Math.max(0, end - this.#file.bytes.length));
    } catch (error) {
      throw diskError(operation, this.path, error);
    }
  }

  #checkOpen(): void {
    invariant(!this.#closed, `the handle of ${this.path} was used after its close`);
  }

  #checkWritable(operation: string): void {
    this.#checkOpen();
    if (!this.#writable) throw diskError(operation, this.path, new PosixError('EBADF'));
  }
}

/** A file system in memory: the ground of the `memory` engine. Nothing in it outlives the process. */
export class MemoryFileSystem implements FileSystem {
  readonly #space: Space;
  readonly #tree = new FileTree<MemoryFile>(new TreeDirectory(), () => {});

  constructor(options: MemoryFileSystemOptions = {}) {
    this.#space = new Space(options.bytesMax ?? Number.POSITIVE_INFINITY);
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    return this.#attempt('open', path, () => {
      const file = mode === 'create' ? this.#create(path) : this.#tree.file(path);
      return new MemoryFileHandle(path, file, this.#space, mode !== 'read');
    });
  }

  async exists(path: string): Promise<boolean> {
    return this.#attempt('look up', path, () => this.#tree.has(path));
  }

  async list(directory: string): Promise<string[]> {
    return this.#attempt('list', directory, () => this.#tree.list(directory));
  }

  async makeDirectory(path: string): Promise<void> {
    this.#attempt('make the directory', path, () => this.#tree.makeDirectory(path));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#attempt('rename', `${from} to ${to}`, () => this.#forget(this.#tree.rename(from, to)));
  }

  async unlink(path: string): Promise<void> {
    this.#attempt('remove', path, () => this.#forget(this.#tree.unlink(path)));
  }

  async removeDirectory(path: string): Promise<void> {
    this.#attempt('remove the directory', path, () => this.#tree.removeDirectory(path));
  }

  async syncDirectory(path: string): Promise<void> {
    this.#attempt('sync the directory', path, () => this.#tree.directory(path));
  }

  async freeBytes(path: string): Promise<number> {
    return this.#attempt('ask for the free space of', path, () => {
      this.#tree.directory(path);
      return Math.min(this.#space.bytesMax - this.#space.bytesUsed, freemem());
    });
  }

  #create(path: string): MemoryFile {
    const file: MemoryFile = { bytes: new PagedBytes(PAGE_BYTES), linked: true };
    this.#tree.create(path, file);
    return file;
  }

  #forget(file: MemoryFile | undefined): void {
    if (file === undefined) return;
    file.linked = false;
    this.#space.grow(-file.bytes.length);
  }

  #attempt<Result>(operation: string, path: string, action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      throw error instanceof PosixError ? diskError(operation, path, error) : error;
    }
  }
}
