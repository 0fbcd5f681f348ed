import { type CaskadeError, invariant } from '../model/errors.ts';
import { diskError, PosixError, poisonedError, syncError } from './disk-errors.ts';
import type { FaultPlan, FaultyOperation } from './fault-plan.ts';
import type { FileHandle, FileSystem, OpenMode } from './file-system.ts';
import { TreeDirectory } from './file-tree.ts';
import type { OperationDetail, OperationTrace } from './operation-trace.ts';
import type { Random } from './random.ts';
import { SimulatedFile } from './simulated-file.ts';
import type { SimulatedNames } from './simulated-names.ts';

/** A write that was begun and not yet answered: after a crash it may be there or not. */
export interface WriteInFlight {
  readonly file: SimulatedFile;
  readonly chunks: readonly Uint8Array[];
  readonly position: number;
}

/** One life of a simulated machine, from a start to a crash. What was opened in one life is of no use in the next. */
export interface Life {
  readonly names: SimulatedNames;
  readonly plan: FaultPlan;
  readonly trace: OperationTrace;
  readonly random: Random;
  readonly writesInFlight: Set<WriteInFlight>;
  /** Throws `SimulatedCrash` when this life is over. */
  checkAlive(): void;
  /** Counts an operation that changes the disk. At a crash point it does what is asked of it there, and throws. */
  enter(action: { readonly whole: () => void; readonly partly: () => void }): void;
}

export function writeChunks(file: SimulatedFile, chunks: readonly Uint8Array[], position: number): void {
  let at = position;
  for (const chunk of chunks) {
    file.write(chunk, at);
    at += chunk.length;
  }
}

/** Of all files below a directory. */
export function bytesUsed(directory: TreeDirectory<SimulatedFile>): number {
  let bytes = 0;
  for (const node of directory.entries.values()) {
    bytes += node instanceof TreeDirectory ? bytesUsed(node) : node.cached.length;
  }
  return bytes;
}

/** What a disk without a limit says is free: more than any test writes. */
const FREE_BYTES_WITHOUT_LIMIT = 2 ** 40;

const bytesFree = (life: Life): number =>
  Math.max(0, Math.min(life.plan.bytesMax - bytesUsed(life.names.tree.root), FREE_BYTES_WITHOUT_LIMIT));

class FaultyHandle implements FileHandle {
  readonly path: string;
  readonly #life: Life;
  readonly #file: SimulatedFile;
  readonly #writable: boolean;
  readonly #failedSyncsBefore: number;
  #closed = false;
  #poison: CaskadeError | undefined;

  constructor(life: Life, path: string, file: SimulatedFile, writable: boolean) {
    this.#life = life;
    this.path = path;
    this.#file = file;
    this.#writable = writable;
    this.#failedSyncsBefore = file.failedSyncs;
  }

  async size(): Promise<number> {
    this.#checkOpen();
    return this.#file.cached.length;
  }

  async readAt(target: Uint8Array, position: number): Promise<number> {
    this.#checkOpen();
    const fault = this.#life.plan.strike('read', this.path);
    await this.#life.plan.delay('readMs');
    this.#life.checkAlive();
    if (fault !== undefined) throw diskError('read', this.path, fault);
    return this.#file.cached.read(target, position);
  }

  async writeAt(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.#checkUsable('write');
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#life.enter({
      whole: () => writeChunks(this.#file, chunks, position),
      partly: () => this.#file.tear(Buffer.concat(chunks), position, this.#life.random),
    });
    const fault = this.#life.plan.strike('write', this.path);
    const end = this.#life.trace.begin({ kind: 'write', path: this.path, position, length });
    await this.#inFlight({ file: this.#file, chunks, position });
    if (fault !== undefined) this.#failWrite(chunks, position, this.#life.random.below(length + 1), fault);
    const growth = Math.max(0, position + length - this.#file.cached.length);
    const overflow = growth === 0 ? 0 : growth - bytesFree(this.#life);
    if (overflow > 0) {
      this.#failWrite(chunks, position, Math.max(0, length - overflow), new PosixError('ENOSPC'));
    }
    writeChunks(this.#file, chunks, position);
    end();
  }

  async sync(): Promise<void> {
    this.#checkUsable('sync');
    const mark = this.#file.mark();
    this.#life.enter({
      whole: () => this.#file.commit(mark),
      partly: () => this.#file.commit(mark - this.#life.random.below(this.#file.unsyncedCount + 1)),
    });
    const fault = this.#life.plan.strike('sync', this.path);
    const end = this.#life.trace.begin({ kind: 'sync', path: this.path });
    await this.#life.plan.delay('syncMs');
    this.#life.checkAlive();
    if (fault === undefined) this.#file.commit(mark);
    else this.#file.drop(mark);
    if (this.#file.failedSyncs > this.#failedSyncsBefore) {
      this.#poison = syncError(this.path, fault ?? new PosixError('EIO'));
      throw this.#poison;
    }
    end();
  }

  async truncate(length: number): Promise<void> {
    this.#checkUsable('truncate');
    const cut = (): void => this.#file.truncate(length);
    this.#life.enter({
      whole: cut,
      partly: () => {
        cut();
        if (this.#life.random.below(2) === 0) this.#file.commit(this.#file.mark());
      },
    });
    const fault = this.#life.plan.strike('truncate', this.path);
    if (fault !== undefined) throw diskError('truncate', this.path, fault);
    if (length - this.#file.cached.length > bytesFree(this.#life)) {
      throw diskError('truncate', this.path, new PosixError('ENOSPC'));
    }
    const end = this.#life.trace.begin({ kind: 'truncate', path: this.path, position: length });
    cut();
    end();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** The bytes reach the file only when the call is over: whoever syncs before that has synced nothing of them. */
  async #inFlight(write: WriteInFlight): Promise<void> {
    this.#life.writesInFlight.add(write);
    await this.#life.plan.delay('writeMs');
    this.#life.checkAlive();
    this.#life.writesInFlight.delete(write);
  }

  /** A failed write has written a part. */
  #failWrite(
    chunks: readonly Uint8Array[],
    position: number,
    bytesWritten: number,
    cause: PosixError,
  ): never {
    this.#file.write(Buffer.concat(chunks).subarray(0, bytesWritten), position);
    throw diskError('write', this.path, cause);
  }

  #checkOpen(): void {
    this.#life.checkAlive();
    invariant(!this.#closed, `the handle of ${this.path} was used after its close`);
  }

  #checkUsable(operation: string): void {
    this.#checkOpen();
    if (this.#poison !== undefined) throw poisonedError(operation, this.path, this.#poison);
    if (!this.#writable && operation !== 'sync')
      throw diskError(operation, this.path, new PosixError('EBADF'));
  }
}

/** The file system as the programs of one life see it. */
export class FaultyView implements FileSystem {
  readonly #life: Life;

  constructor(life: Life) {
    this.#life = life;
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    const { tree } = this.#life.names;
    if (mode === 'create') {
      const file = new SimulatedFile();
      this.#changeNames('create', { kind: 'create', path }, () => tree.create(path, file));
      return new FaultyHandle(this.#life, path, file, true);
    }
    const file = this.#look('open', path, () => {
      const fault = this.#life.plan.strike('open', path);
      if (fault !== undefined) throw fault;
      return tree.file(path);
    });
    return new FaultyHandle(this.#life, path, file, mode === 'write');
  }

  async exists(path: string): Promise<boolean> {
    return this.#look('look up', path, () => this.#life.names.tree.has(path));
  }

  async list(directory: string): Promise<string[]> {
    return this.#look('list', directory, () => this.#life.names.tree.list(directory));
  }

  async makeDirectory(path: string): Promise<void> {
    const make = (): void => this.#life.names.tree.makeDirectory(path);
    this.#changeNames('makeDirectory', { kind: 'makeDirectory', path }, make);
  }

  async rename(from: string, to: string): Promise<void> {
    const rename = (): void => void this.#life.names.tree.rename(from, to);
    this.#changeNames('rename', { kind: 'rename', path: from, target: to }, rename);
  }

  async unlink(path: string): Promise<void> {
    const unlink = (): void => void this.#life.names.tree.unlink(path);
    this.#changeNames('unlink', { kind: 'unlink', path }, unlink);
  }

  async removeDirectory(path: string): Promise<void> {
    const remove = (): void => this.#life.names.tree.removeDirectory(path);
    this.#changeNames('removeDirectory', { kind: 'removeDirectory', path }, remove);
  }

  async syncDirectory(path: string): Promise<void> {
    const { names, plan, random } = this.#life;
    const directory = this.#look('sync the directory', path, () => names.tree.directory(path));
    const mark = names.mark();
    this.#life.enter({
      whole: () => names.commit(directory, mark),
      partly: () => names.commit(directory, mark - random.below(names.unsyncedCount + 1)),
    });
    const fault = plan.strike('syncDirectory', path);
    const end = this.#life.trace.begin({ kind: 'syncDirectory', path });
    await plan.delay('syncMs');
    this.#life.checkAlive();
    if (fault !== undefined) throw syncError(path, fault);
    names.commit(directory, mark);
    end();
  }

  async freeBytes(path: string): Promise<number> {
    return this.#look('ask for the free space of', path, () => {
      this.#life.names.tree.directory(path);
      return bytesFree(this.#life);
    });
  }

  #changeNames(operation: FaultyOperation, detail: OperationDetail, change: () => void): void {
    this.#life.checkAlive();
    const { names, random } = this.#life;
    const shown = detail.target === undefined ? detail.path : `${detail.path} to ${detail.target}`;
    this.#look(operation, shown, () => {
      this.#life.enter({
        whole: change,
        partly: () => {
          change();
          if (random.below(2) === 0) names.commitAll();
        },
      });
      const fault = this.#life.plan.strike(operation, shown);
      if (fault !== undefined) throw fault;
      const end = this.#life.trace.begin(detail);
      change();
      end();
    });
  }

  #look<Result>(operation: string, path: string, action: () => Result): Result {
    this.#life.checkAlive();
    try {
      return action();
    } catch (error) {
      throw error instanceof PosixError ? diskError(operation, path, error) : error;
    }
  }
}
