/**
 * The door to the disk. Every method throws a `CaskadeError` whose code says what kind of fault it was
 * (diskFull, diskUnwritable, diskIo, syncFailed, notFound) and whose message names the path.
 *
 * Nothing is durable before `sync` (a file's bytes and length) or `syncDirectory` (its name) resolved.
 */
export interface FileHandle {
  readonly path: string;
  /** Length now, in bytes. */
  size(): Promise<number>;
  /** Reads into `target` from `position` on; returns the bytes read, fewer only at the end of the file. */
  readAt(target: Uint8Array, position: number): Promise<number>;
  /** Writes all of `chunks` one after the other from `position` on; a partial write is never a success. */
  writeAt(chunks: readonly Uint8Array[], position: number): Promise<void>;
  /** fdatasync. A failure is final for this handle: the kernel may have dropped the dirty pages. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** `read`: must exist. `write`: must exist, read and write. `create`: must not exist, read and write. */
export type OpenMode = 'read' | 'write' | 'create';

/** Who may read a file that is created: our group too, or its owner alone (a secret). */
export type FileAccess = 'group' | 'owner';

export interface FileSystem {
  /** `access` of a file that is created; default `group`. */
  open(path: string, mode: OpenMode, access?: FileAccess): Promise<FileHandle>;
  exists(path: string): Promise<boolean>;
  /** Names (not paths) in a directory, sorted. */
  list(directory: string): Promise<string[]>;
  /** Makes it and its missing parents; one that exists already is no error. */
  makeDirectory(path: string): Promise<void>;
  /** Atomic; replaces what stands under the new name, while handles keep the file they opened. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Of an empty directory. */
  removeDirectory(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Bytes free for us on the file system that holds `path`. */
  freeBytes(path: string): Promise<number>;
}
