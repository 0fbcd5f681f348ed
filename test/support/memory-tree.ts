import type { Failure, MultiResult, Operation, Outcome } from '../../src/coordination/coordinator.ts';

export interface TreeNode {
  /** JSON text, as it would lie there: nobody shares an object through the coordinator. */
  readonly text: string;
  readonly version: number;
  /** Session that owns an ephemeral node. */
  readonly owner: number | null;
}

/** What changed: the node itself, or the list of its children. */
export interface TreeChange {
  readonly path: string;
  readonly of: 'node' | 'children';
}

export const ok = <Value>(value: Value): Outcome<Value> => ({ ok: true, value });
export const failed = (failure: Failure): { readonly ok: false; readonly failure: Failure } => ({
  ok: false,
  failure,
});

const parentOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf('/'), 1));

/** The tree that all sessions share: versions, ephemeral nodes, multis that happen whole or not at all. */
export class MemoryTree {
  #nodes = new Map<string, TreeNode>([['/', { text: 'null', version: 0, owner: null }]]);

  get(path: string): TreeNode | undefined {
    return this.#nodes.get(path);
  }

  /** Names of the children, sorted. */
  children(path: string): string[] {
    const names = [...this.#nodes.keys()].filter((other) => other !== '/' && parentOf(other) === path);
    return names.map((name) => name.slice(name.lastIndexOf('/') + 1)).sort();
  }

  /** Paths of the ephemeral nodes of a session. */
  owned(session: number): string[] {
    return [...this.#nodes].filter(([, node]) => node.owner === session).map(([path]) => path);
  }

  /** A copy, to be brought back with `restore`: a coordinator that loses its last writes (R17). */
  snapshot(): ReadonlyMap<string, TreeNode> {
    return new Map(this.#nodes);
  }

  restore(snapshot: ReadonlyMap<string, TreeNode>): void {
    this.#nodes = new Map(snapshot);
  }

  apply(
    operations: readonly Operation[],
    session: number,
  ): { readonly outcome: Outcome<MultiResult>; readonly changes: readonly TreeChange[] } {
    const before = new Map(this.#nodes);
    const versions: number[] = [];
    const changes: TreeChange[] = [];
    for (const operation of operations) {
      const version = this.#applyOne(operation, session, changes);
      if (typeof version === 'string') {
        this.#nodes = before;
        return { outcome: failed(version), changes: [] };
      }
      versions.push(version);
    }
    return { outcome: ok(versions), changes };
  }

  #applyOne(operation: Operation, session: number, changes: TreeChange[]): number | Failure {
    const { path } = operation;
    const node = this.#nodes.get(path);
    if (operation.kind === 'create') {
      if (node !== undefined) return 'nodeExists';
      if (!this.#nodes.has(parentOf(path))) return 'noNode';
      const owner = operation.ephemeral ? session : null;
      this.#nodes.set(path, { text: JSON.stringify(operation.data), version: 0, owner });
      changes.push({ path, of: 'node' }, { path: parentOf(path), of: 'children' });
      return 0;
    }
    if (node === undefined) return 'noNode';
    if (operation.version !== -1 && operation.version !== node.version) return 'badVersion';
    if (operation.kind === 'check') return -1;
    if (operation.kind === 'set') {
      const version = node.version + 1;
      this.#nodes.set(path, { ...node, text: JSON.stringify(operation.data), version });
      changes.push({ path, of: 'node' });
      return version;
    }
    if (this.children(path).length > 0) return 'notEmpty';
    this.#nodes.delete(path);
    changes.push({ path, of: 'node' }, { path: parentOf(path), of: 'children' });
    return -1;
  }
}
