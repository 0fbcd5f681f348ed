import * as fs from 'node:fs';
import { dirname } from 'node:path';
import { type CaskadeError, invariant } from '../model/errors.ts';
import { diskError, errnoName, PosixError, poisonedError, syncError } from './disk-errors.ts';
import type { FileAccess, FileHandle, FileSystem, OpenMode } from './file-system.ts';

/**
 * Writes up to this many bytes are done at once on this thread: a copy of 4 KiB into the page cache takes about 5 us,
 * a trip through the thread pool and back over 20, and the sync that follows is then the only trip. Larger writes go
 * through the pool, so that they do not hold up the event loop.
 */
const SYNCHRONOUS_WRITE_BYTES_MAX = 64 * 1024;
/** The kernel takes at most this many chunks in one call (IOV_MAX). */
const CHUNKS_PER_CALL_MAX = 1024;
/** A regular file is never busy for long; past this many refusals in a row the disk is at fault. */
const BUSY_RETRIES_MAX = 100;

const FILE_PERMISSIONS: Readonly<Record<FileAccess, number>> = { group: 0o640, owner: 0o600 };
const DIRECTORY_PERMISSIONS = 0o750;

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
};

type Settle<Value> = (error: NodeJS.ErrnoException | null, value: Value) => void;

/** Runs one `node:fs` callback function; its failure becomes the `CaskadeError` of `operation` on `path`. */
function call<Value>(
  operation: string,
  path: string,
  start: (settle: Settle<Value>) => void,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error !== null) reject(diskError(operation, path, error));
      else resolve(value);
    });
  });
}

function callVoid(
  operation: string,
  path: string,
  start: (settle: (error: NodeJS.ErrnoException | null) => void) => void,
): Promise<void> {
  return call<void>(operation, path, (settle) => start((error) => settle(error, undefined)));
}

const isBusy = (error: unknown): boolean => {
  const errno = errnoName(error);
  return errno === 'EINTR' || errno === 'EAGAIN';
};

/** The chunks that remain after the first `written` bytes of `chunks`, at most as many as one call takes. */
function remaining(chunks: readonly Uint8Array[], written: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = written;
  for (const chunk of chunks) {
    if (skip >= chunk.length) {
      skip -= chunk.length;
      continue;
    }
    rest.push(skip === 0 ? chunk : chunk.subarray(skip));
    skip = 0;
    if (rest.length === CHUNKS_PER_CALL_MAX) break;
  }
  return rest;
}

class NodeFileHandle implements FileHandle {
  readonly path: string;
  readonly #descriptor: number;
  #closed = false;
  #poison: CaskadeError | undefined;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  async size(): Promise<number> {
    this.#checkOpen();
    const stats = await call<fs.Stats>('ask for the size of', this.path, (settle) =>
      fs.fstat(this.#descriptor, settle),
    );
    return stats.size;
  }

  async readAt(target: Uint8Array, position: number): Promise<number> {
    this.#checkOpen();
    let done = 0;
    let refusals = 0;
    while (done < target.length) {
      const count = await this.#readOnce(target, done, position + done);
      if (count === 0) break;
      if (count < 0) refusals = this.#countRefusal('read', refusals);
      else {
        done += count;
        refusals = 0;
      }
    }
    return done;
  }

  async writeAt(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.#checkUsable('write');
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    let done = 0;
    let refusals = 0;
    while (done < length) {
      const count =
        length <= SYNCHRONOUS_WRITE_BYTES_MAX
          ? this.#writeNow(remaining(chunks, done), position + done)
          : await this.#writeInPool(remaining(chunks, done), position + done);
      if (count <= 0) refusals = this.#countRefusal('write', refusals);
      else {
        done += count;
        refusals = 0;
      }
    }
  }

  async sync(): Promise<void> {
    this.#checkUsable('sync');
    await new Promise<void>((resolve, reject) => {
      fs.fdatasync(this.#descriptor, (error) => {
        if (error === null) resolve();
        else reject(this.#poisonWith(error));
      });
    });
  }

  async truncate(length: number): Promise<void> {
    this.#checkUsable('truncate');
    await callVoid('truncate', this.path, (settle) => fs.ftruncate(this.#descriptor, length, settle));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await callVoid('close', this.path, (settle) => fs.close(this.#descriptor, settle));
  }

  /** Bytes read, 0 at the end of the file, -1 when the call is to be made again. */
  #readOnce(target: Uint8Array, done: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#descriptor, target, done, target.length - done, position, (error, count) => {
        if (error === null) resolve(count);
        else if (isBusy(error)) resolve(-1);
        else reject(diskError('read', this.path, error));
      });
    });
  }

  /** Bytes written, -1 when the call is to be made again. */
  #writeNow(chunks: Uint8Array[], position: number): number {
    const only = chunks.length === 1 ? chunks[0] : undefined;
    try {
      return only === undefined
        ? fs.writevSync(this.#descriptor, chunks, position)
        : fs.writeSync(this.#descriptor, only, 0, only.length, position);
    } catch (error) {
      if (isBusy(error)) return -1;
      throw diskError('write', this.path, error);
    }
  }

  #writeInPool(chunks: Uint8Array[], position: number): Promise<number> {
    const only = chunks.length === 1 ? chunks[0] : undefined;
    return new Promise((resolve, reject) => {
      const settle = (error: NodeJS.ErrnoException | null, count: number): void => {
        if (error === null) resolve(count);
        else if (isBusy(error)) resolve(-1);
        else reject(diskError('write', this.path, error));
      };
      if (only === undefined) fs.writev(this.#descriptor, chunks, position, settle);
      else fs.write(this.#descriptor, only, 0, only.length, position, settle);
    });
  }

  #countRefusal(operation: string, refusals: number): number {
    if (refusals < BUSY_RETRIES_MAX) return refusals + 1;
    throw diskError(operation, this.path, new PosixError('EIO'));
  }

  #poisonWith(cause: unknown): CaskadeError {
    this.#poison = syncError(this.path, cause);
    return this.#poison;
  }

  #checkOpen(): void {
    invariant(!this.#closed, `the handle of ${this.path} was used after its close`);
  }

  #checkUsable(operation: string): void {
    this.#checkOpen();
    if (this.#poison !== undefined) throw poisonedError(operation, this.path, this.#poison);
  }
}

/** The disk of the machine, through plain descriptors and callbacks: a FileHandle of `node:fs` costs more per call. */
export class NodeFileSystem implements FileSystem {
  async open(path: string, mode: OpenMode, access: FileAccess = 'group'): Promise<FileHandle> {
    const operation = mode === 'create' ? 'create' : 'open';
    const descriptor = await call<number>(operation, path, (settle) =>
      fs.open(path, OPEN_FLAGS[mode], FILE_PERMISSIONS[access], settle),
    );
    return new NodeFileHandle(path, descriptor);
  }

  async exists(path: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      fs.stat(path, (error) => {
        const errno = errnoName(error);
        if (error === null) resolve(true);
        else if (errno === 'ENOENT' || errno === 'ENOTDIR') resolve(false);
        else reject(diskError('look up', path, error));
      });
    });
  }

  async list(directory: string): Promise<string[]> {
    const names = await call<string[]>('list', directory, (settle) => fs.readdir(directory, settle));
    return names.sort();
  }

  async makeDirectory(path: string): Promise<void> {
    // Not `recursive`: Node goes round for ever where a file system answers ENOENT to mkdir, as /proc does.
    const parent = dirname(path);
    if (parent !== path && !(await this.exists(parent))) await this.makeDirectory(parent);
    await callVoid('make the directory', path, (settle) =>
      fs.mkdir(path, { mode: DIRECTORY_PERMISSIONS }, (error) => {
        if (error?.code !== 'EEXIST') settle(error);
        else fs.stat(path, (_failure, stats) => settle(stats?.isDirectory() ? null : error));
      }),
    );
  }

  async rename(from: string, to: string): Promise<void> {
    await callVoid('rename', `${from} to ${to}`, (settle) => fs.rename(from, to, settle));
  }

  async unlink(path: string): Promise<void> {
    await callVoid('remove', path, (settle) => fs.unlink(path, settle));
  }

  async removeDirectory(path: string): Promise<void> {
    await callVoid('remove the directory', path, (settle) => fs.rmdir(path, settle));
  }

  async syncDirectory(path: string): Promise<void> {
    const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY;
    const descriptor = await call<number>('open the directory', path, (settle) =>
      fs.open(path, flags, settle),
    );
    try {
      await syncDescriptor(descriptor, path);
    } finally {
      await callVoid('close', path, (settle) => fs.close(descriptor, settle));
    }
  }

  async freeBytes(path: string): Promise<number> {
    const stats = await call<fs.StatsFs>('ask for the free space of', path, (settle) =>
      fs.statfs(path, settle),
    );
    return stats.bavail * stats.bsize;
  }
}

function syncDescriptor(descriptor: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fsync(descriptor, (error) => {
      if (error === null) resolve();
      else reject(syncError(path, error));
    });
  });
}
