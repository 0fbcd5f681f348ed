import { PosixError } from './disk-errors.ts';

export class TreeDirectory<File> {
  readonly entries = new Map<string, TreeNode<File>>();
}

export type TreeNode<File> = File | TreeDirectory<File>;

/** One change of names. A move has both halves, and replaces what stood under the new name. */
export type TreeChange<File> =
  | { kind: 'link'; directory: TreeDirectory<File>; name: string; node: TreeNode<File> }
  | { kind: 'unlink'; directory: TreeDirectory<File>; name: string }
  | {
      kind: 'move';
      directory: TreeDirectory<File>;
      name: string;
      target: TreeDirectory<File>;
      targetName: string;
      node: TreeNode<File>;
    };

/** Applies a change to entry maps; which maps (the live ones, the durable ones) is the caller's choice. */
export function applyTreeChange<File>(
  change: TreeChange<File>,
  entriesOf: (directory: TreeDirectory<File>) => Map<string, TreeNode<File>>,
): void {
  const entries = entriesOf(change.directory);
  if (change.kind === 'link') {
    entries.set(change.name, change.node);
    return;
  }
  entries.delete(change.name);
  if (change.kind === 'move') entriesOf(change.target).set(change.targetName, change.node);
}

function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

/**
 * Directories and names of an in-memory file system; what a file is, is the user's business. Throws `PosixError`
 * where a kernel would. A path counts from one root, with or without a leading slash.
 */
export class FileTree<File extends object> {
  readonly root: TreeDirectory<File>;
  readonly #onChange: (change: TreeChange<File>) => void;

  constructor(root: TreeDirectory<File>, onChange: (change: TreeChange<File>) => void) {
    this.root = root;
    this.#onChange = onChange;
  }

  /** False also where a part of the path is a file: nothing can stand below it. */
  has(path: string): boolean {
    try {
      return this.#find(partsOf(path)) !== undefined;
    } catch (error) {
      if (error instanceof PosixError && error.code === 'ENOTDIR') return false;
      throw error;
    }
  }

  file(path: string): File {
    const node = this.#mustFind(path);
    if (node instanceof TreeDirectory) throw new PosixError('EISDIR');
    return node;
  }

  directory(path: string): TreeDirectory<File> {
    const node = this.#mustFind(path);
    if (!(node instanceof TreeDirectory)) throw new PosixError('ENOTDIR');
    return node;
  }

  list(path: string): string[] {
    return [...this.directory(path).entries.keys()].sort();
  }

  create(path: string, file: File): void {
    const { directory, name } = this.#parent(path);
    if (directory.entries.has(name)) throw new PosixError('EEXIST');
    this.#apply({ kind: 'link', directory, name, node: file });
  }

  /** Makes the directory and its missing parents; one that exists already is no error. */
  makeDirectory(path: string): void {
    let directory = this.root;
    for (const name of partsOf(path)) {
      const next = directory.entries.get(name) ?? this.#linkDirectory(directory, name);
      if (!(next instanceof TreeDirectory)) throw new PosixError('ENOTDIR');
      directory = next;
    }
  }

  /** Returns the file that stood under the new name. */
  rename(from: string, to: string): File | undefined {
    const source = this.#parent(from);
    const node = source.directory.entries.get(source.name);
    if (node === undefined) throw new PosixError('ENOENT');
    const target = this.#parent(to);
    const replaced = target.directory.entries.get(target.name);
    if (replaced === node) return undefined;
    this.#checkReplaceable(node, replaced, to);
    this.#apply({
      kind: 'move',
      directory: source.directory,
      name: source.name,
      target: target.directory,
      targetName: target.name,
      node,
    });
    return replaced instanceof TreeDirectory ? undefined : replaced;
  }

  unlink(path: string): File {
    const file = this.file(path);
    const { directory, name } = this.#parent(path);
    this.#apply({ kind: 'unlink', directory, name });
    return file;
  }

  removeDirectory(path: string): void {
    if (this.directory(path).entries.size > 0) throw new PosixError('ENOTEMPTY');
    const { directory, name } = this.#parent(path);
    this.#apply({ kind: 'unlink', directory, name });
  }

  #checkReplaceable(node: TreeNode<File>, replaced: TreeNode<File> | undefined, to: string): void {
    if (node instanceof TreeDirectory) {
      if (this.#passesThrough(node, partsOf(to))) throw new PosixError('EINVAL');
      if (replaced !== undefined && !(replaced instanceof TreeDirectory)) throw new PosixError('ENOTDIR');
      if (replaced !== undefined && replaced.entries.size > 0) throw new PosixError('ENOTEMPTY');
    } else if (replaced instanceof TreeDirectory) throw new PosixError('EISDIR');
  }

  #passesThrough(directory: TreeDirectory<File>, parts: readonly string[]): boolean {
    return parts.some((_, index) => this.#find(parts.slice(0, index)) === directory);
  }

  #linkDirectory(directory: TreeDirectory<File>, name: string): TreeDirectory<File> {
    const node = new TreeDirectory<File>();
    this.#apply({ kind: 'link', directory, name, node });
    return node;
  }

  #apply(change: TreeChange<File>): void {
    applyTreeChange(change, (directory) => directory.entries);
    this.#onChange(change);
  }

  #parent(path: string): { directory: TreeDirectory<File>; name: string } {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw new PosixError('EPERM');
    const directory = this.#find(parts);
    if (directory === undefined) throw new PosixError('ENOENT');
    if (!(directory instanceof TreeDirectory)) throw new PosixError('ENOTDIR');
    return { directory, name };
  }

  #mustFind(path: string): TreeNode<File> {
    const node = this.#find(partsOf(path));
    if (node === undefined) throw new PosixError('ENOENT');
    return node;
  }

  #find(parts: readonly string[]): TreeNode<File> | undefined {
    let node: TreeNode<File> | undefined = this.root;
    for (const part of parts) {
      if (node === undefined) return undefined;
      if (!(node instanceof TreeDirectory)) throw new PosixError('ENOTDIR');
      node = node.entries.get(part);
    }
    return node;
  }
}
