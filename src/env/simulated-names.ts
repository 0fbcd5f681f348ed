import { applyTreeChange, FileTree, type TreeChange, TreeDirectory, type TreeNode } from './file-tree.ts';
import type { Random } from './random.ts';
import { type PowerCut, prefixLength, SimulatedFile } from './simulated-file.ts';

type Directory = TreeDirectory<SimulatedFile>;
type Change = TreeChange<SimulatedFile>;

interface PendingChange {
  readonly sequence: number;
  readonly change: Change;
  readonly directories: readonly Directory[];
}

/**
 * The names of a simulated disk. A change of names is durable when its directory was synced after it; of the others, a
 * crash leaves for each directory a prefix in the order they were made, as a journaling file system does. A move
 * between two directories survives in both or in neither. Syncing a file says nothing about its name.
 */
export class SimulatedNames {
  readonly tree: FileTree<SimulatedFile>;
  readonly #durable = new Map<Directory, Map<string, TreeNode<SimulatedFile>>>();
  #pending: PendingChange[] = [];
  #sequence = 0;

  constructor(root: Directory = new TreeDirectory()) {
    this.tree = new FileTree(root, (change) => this.#record(change));
    this.#adopt(root);
  }

  mark(): number {
    return this.#sequence;
  }

  /** A successful sync of `directory`, which started at `mark`. */
  commit(directory: Directory, mark: number): void {
    const last = this.#pending.findLast(
      (pending) => pending.sequence < mark && pending.directories.includes(directory),
    );
    if (last === undefined) return;
    const durable = this.#closure(directory, last.sequence);
    this.#pending = this.#pending.filter((pending) => {
      if (durable.has(pending)) this.#makeDurable(pending.change);
      return !durable.has(pending);
    });
  }

  /** Everything reached the platter by itself. */
  commitAll(): void {
    for (const pending of this.#pending) this.#makeDurable(pending.change);
    this.#pending = [];
  }

  /** Number of changes of names that a crash could still undo. */
  get unsyncedCount(): number {
    return this.#pending.length;
  }

  /** The tree found after a power cut, with files that hold what survived of their bytes. */
  survivors(policy: PowerCut, random: Random): Directory {
    for (const pending of this.#surviving(policy, random)) this.#makeDurable(pending.change);
    return this.#rebuild(this.tree.root, policy, random);
  }

  /** Follows moves: what a move drags into the journal's transaction includes the other directory's past. */
  #closure(directory: Directory, upTo: number): Set<PendingChange> {
    const limits = new Map<Directory, number>([[directory, upTo]]);
    const included = new Set<PendingChange>();
    for (const pending of this.#pending.toReversed()) {
      const limit = Math.max(...pending.directories.map((each) => limits.get(each) ?? -1));
      if (pending.sequence > limit) continue;
      included.add(pending);
      for (const each of pending.directories) {
        limits.set(each, Math.max(limits.get(each) ?? -1, pending.sequence));
      }
    }
    return included;
  }

  #surviving(policy: PowerCut, random: Random): PendingChange[] {
    if (policy === 'loseAll') return [];
    const left = new Map<Directory, number>();
    for (const directory of this.#durable.keys()) {
      const count = this.#pending.filter((pending) => pending.directories.includes(directory)).length;
      left.set(directory, prefixLength(count, random));
    }
    return this.#pending.filter((pending) => {
      const survives = pending.directories.every((each) => (left.get(each) ?? 0) > 0);
      // A change that is lost ends the prefix of each directory it touches.
      for (const each of pending.directories) left.set(each, survives ? (left.get(each) ?? 0) - 1 : 0);
      return survives;
    });
  }

  #rebuild(directory: Directory, policy: PowerCut, random: Random): Directory {
    const rebuilt: Directory = new TreeDirectory();
    for (const [name, node] of this.#durableEntries(directory)) {
      const survivor =
        node instanceof TreeDirectory
          ? this.#rebuild(node, policy, random)
          : new SimulatedFile(node.survivors(policy, random));
      rebuilt.entries.set(name, survivor);
    }
    return rebuilt;
  }

  #record(change: Change): void {
    const directories =
      change.kind === 'move' && change.target !== change.directory
        ? [change.directory, change.target]
        : [change.directory];
    for (const directory of directories) this.#durableEntries(directory);
    this.#pending.push({ sequence: this.#sequence++, change, directories });
  }

  #makeDurable(change: Change): void {
    applyTreeChange(change, (directory) => this.#durableEntries(directory));
  }

  #durableEntries(directory: Directory): Map<string, TreeNode<SimulatedFile>> {
    let entries = this.#durable.get(directory);
    if (entries === undefined) {
      entries = new Map();
      this.#durable.set(directory, entries);
    }
    return entries;
  }

  #adopt(directory: Directory): void {
    this.#durable.set(directory, new Map(directory.entries));
    for (const node of directory.entries.values()) if (node instanceof TreeDirectory) this.#adopt(node);
  }
}
