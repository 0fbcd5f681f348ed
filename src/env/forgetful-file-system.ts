import { normalize } from 'node:path';
import { invariant } from '../model/errors.ts';
import { diskError, PosixError } from './disk-errors.ts';
import type { FileHandle, FileSystem, OpenMode } from './file-system.ts';
import { PagedBytes } from './paged-bytes.ts';

/**
 * A file system for tests of the real process: over a real disk it keeps what is written in memory and hands it on at
 * `sync`. So `kill -9` loses what was not synced, as a power cut does, where the page cache would have kept it. Names
 * are changed at once (`FaultyFileSystem` is the one that forgets names too).
 */
export class ForgetfulFileSystem implements FileSystem {
  readonly #base: FileSystem;
  readonly #files = new Map<string, Promise<ForgetfulFile>>();

  constructor(base: FileSystem) {
    this.#base = base;
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    const key = normalize(path);
    if (mode === 'create') await (await this.#base.open(path, 'create')).close();
    let opening = this.#files.get(key);
    if (opening === undefined) {
      opening = this.#base.open(path, 'write').then((handle) => ForgetfulFile.load(handle));
      this.#files.set(key, opening);
    }
    try {
      return new ForgetfulHandle(path, await opening, mode !== 'read');
    } catch (error) {
      this.#files.delete(key);
      throw error;
    }
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

  async rename(from: string, to: string): Promise<void> {
    await this.#base.rename(from, to);
    const [source, target] = [normalize(from), normalize(to)];
    if (source === target) return;
    this.#files.delete(target);
    for (const [key, file] of [...this.#files]) {
      if (key !== source && !key.startsWith(`${source}/`)) continue;
      this.#files.delete(key);
      this.#files.set(target + key.slice(source.length), file);
    }
  }

  async unlink(path: string): Promise<void> {
    await this.#base.unlink(path);
    this.#files.delete(normalize(path));
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

const PAGE_BYTES = 64 * 1024;

type HeldBack = { readonly position: number; readonly bytes: Uint8Array } | { readonly lengthAfter: number };

/** One file: what readers see, and what the disk does not know yet. */
class ForgetfulFile {
  readonly cached = new PagedBytes(PAGE_BYTES);
  readonly #disk: FileHandle;
  #heldBack: HeldBack[] = [];
  #syncing: Promise<void> = Promise.resolve();

  private constructor(disk: FileHandle) {
    this.#disk = disk;
  }

  static async load(disk: FileHandle): Promise<ForgetfulFile> {
    const file = new ForgetfulFile(disk);
    const bytes = new Uint8Array(await disk.size());
    await disk.readAt(bytes, 0);
    file.cached.write(bytes, 0);
    return file;
  }

  write(bytes: Uint8Array, position: number): void {
    this.cached.write(bytes, position);
    this.#heldBack.push({ position, bytes: new Uint8Array(bytes) });
  }

  truncate(length: number): void {
    this.cached.truncate(length);
    this.#heldBack.push({ lengthAfter: length });
  }

  /** One at a time: a sync that finds nothing held back may still have to wait for the one before it. */
  sync(): Promise<void> {
    const sync = this.#syncing.then(() => this.#handOn());
    this.#syncing = sync.catch(() => {});
    return sync;
  }

  async #handOn(): Promise<void> {
    const heldBack = this.#heldBack;
    this.#heldBack = [];
    for (const change of heldBack) {
      if ('bytes' in change) await this.#disk.writeAt([change.bytes], change.position);
      else await this.#disk.truncate(change.lengthAfter);
    }
    await this.#disk.sync();
  }
}

class ForgetfulHandle implements FileHandle {
  readonly path: string;
  readonly #file: ForgetfulFile;
  readonly #writable: boolean;
  #closed = false;

  constructor(path: string, file: ForgetfulFile, writable: boolean) {
    this.path = path;
    this.#file = file;
    this.#writable = writable;
  }

  async size(): Promise<number> {
    this.#checkOpen();
    return this.#file.cached.length;
  }

  async readAt(target: Uint8Array, position: number): Promise<number> {
    this.#checkOpen();
    return this.#file.cached.read(target, position);
  }

  async writeAt(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.#checkWritable('write');
    this.#file.write(Buffer.concat(chunks), position);
  }

  async sync(): Promise<void> {
    this.#checkOpen();
    await this.#file.sync();
  }

  async truncate(length: number): Promise<void> {
    this.#checkWritable('truncate');
    this.#file.truncate(length);
  }

  /** The file below stays open: what was not synced is still to be read, and to be synced through another handle. */
  async close(): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    invariant(!this.#closed, `the handle of ${this.path} was used after its close`);
  }

  #checkWritable(operation: string): void {
    this.#checkOpen();
    if (!this.#writable) throw diskError(operation, this.path, new PosixError('EBADF'));
  }
}
