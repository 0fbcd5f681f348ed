import type {
  Failure,
  MultiResult,
  Operation,
  Outcome,
  ReadNode,
} from '../../../src/coordination/coordinator.ts';
import type { Scheduler } from './scheduler.ts';

/** Never changed in place. */
export interface TreeNode {
  /** JSON. */
  readonly text: string;
  readonly version: number;
  /** Session; 0: not ephemeral. */
  readonly owner: number;
}

type Tree = ReadonlyMap<string, TreeNode>;

/** The tree as one transaction left it. */
interface Snapshot {
  readonly atMs: number;
  readonly tree: Tree;
}

export interface ServerSession {
  readonly id: number;
  lastHeardMs: number;
  isExpired: boolean;
  /** It has seen a transaction that was lost since: no server serves it any more (PROTOCOL H18). */
  isRefused: boolean;
  /** Number of the newest transaction it has seen: it reads nothing older. */
  seen: number;
  /** Its server lags this far behind. */
  staleMs: number;
  readonly changed: (paths: ReadonlySet<string>) => void;
}

/** Snapshots kept for servers that lag. */
const HISTORY_MAX = 400;

const failed = (failure: Failure): { readonly ok: false; readonly failure: Failure } => ({
  ok: false,
  failure,
});
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

/**
 * The ensemble: one tree, a history of transactions, sessions that end when nobody hears of them. It may lag for one
 * session, be away, and lose its last writes (PROTOCOL R17).
 */
export class CoordinatorServer {
  readonly #scheduler: Scheduler;
  readonly #sessionMs: number;
  readonly #sessions = new Map<number, ServerSession>();
  /** The last element is what holds; `#first` is the number of the first. */
  #lossCount = 0;
  #history: Snapshot[];
  #first = 0;
  #sessionCount = 0;
  #isDown = false;
  /** Told of every transaction. */
  onCommit: (paths: ReadonlySet<string>) => void = () => undefined;

  constructor(scheduler: Scheduler, sessionMs: number) {
    this.#scheduler = scheduler;
    this.#sessionMs = sessionMs;
    const root: TreeNode = { text: 'null', version: 0, owner: 0 };
    this.#history = [{ atMs: 0, tree: new Map([['/', root]]) }];
  }

  get sessionMs(): number {
    return this.#sessionMs;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  set isDown(down: boolean) {
    this.#isDown = down;
    // A new leader of the ensemble begins all sessions' clocks anew.
    if (!down) for (const session of this.#sessions.values()) session.lastHeardMs = this.#scheduler.nowMs;
  }

  open(changed: ServerSession['changed']): ServerSession {
    this.#sessionCount += 1;
    const session: ServerSession = {
      id: this.#sessionCount,
      lastHeardMs: this.#scheduler.nowMs,
      isExpired: false,
      isRefused: false,
      seen: 0,
      staleMs: 0,
      changed,
    };
    this.#sessions.set(session.id, session);
    this.#watch(session);
    return session;
  }

  /** Its ephemeral nodes go, at once. */
  expire(session: ServerSession): void {
    if (session.isExpired) return;
    session.isExpired = true;
    this.#sessions.delete(session.id);
    this.#removeOwned(session.id);
  }

  #removeOwned(id: number): void {
    const tree = new Map(this.#tree);
    const gone = [...tree].filter(([, node]) => node.owner === id).map(([path]) => path);
    for (const path of gone) tree.delete(path);
    if (gone.length > 0) this.#commit(tree, gone);
  }

  /**
   * For the world's own eyes: what holds now, or held before the last so many writes. The same object as long as it has
   * not changed.
   */
  nodeAt(path: string, writesAgo = 0): TreeNode | null {
    const snapshot = this.#history[Math.max(0, this.#history.length - 1 - writesAgo)];
    return snapshot?.tree.get(path) ?? null;
  }

  /** Paths below a node. */
  childrenOf(path: string): readonly string[] {
    return [...this.#tree.keys()].filter((child) => child !== '/' && parentOf(child) === path);
  }

  peek(path: string): unknown {
    const node = this.#tree.get(path);
    return node === undefined ? null : (JSON.parse(node.text) as unknown);
  }

  read(session: ServerSession, path: string): Outcome<ReadNode> {
    const node = this.#view(session).get(path);
    if (node === undefined) return failed('noNode');
    const data = JSON.parse(node.text) as unknown;
    return { ok: true, value: { data, version: node.version, isMine: node.owner === session.id } };
  }

  list(session: ServerSession, path: string): Outcome<readonly string[]> {
    const tree = this.#view(session);
    if (!tree.has(path)) return failed('noNode');
    const names = [...tree.keys()].filter((child) => child !== '/' && parentOf(child) === path);
    return { ok: true, value: names.map((child) => child.slice(child.lastIndexOf('/') + 1)).sort() };
  }

  multi(session: ServerSession | null, operations: readonly Operation[]): Outcome<MultiResult> {
    const tree = new Map(this.#tree);
    const versions: number[] = [];
    for (const operation of operations) {
      const done = apply(tree, operation, session?.id ?? 0);
      if (typeof done === 'string') return failed(done);
      versions.push(done);
    }
    const changed = operations.filter(({ kind }) => kind !== 'check').map(({ path }) => path);
    if (changed.length > 0) this.#commit(tree, changed);
    if (session !== null) session.seen = this.#last;
    return { ok: true, value: versions };
  }

  barrier(session: ServerSession): void {
    session.seen = this.#last;
  }

  /** How often the last writes were lost. */
  get lossCount(): number {
    return this.#lossCount;
  }

  /** The last `count` transactions never were. Who has seen one of them is not served any more. */
  loseWrites(count: number): number {
    const lost = Math.min(count, this.#history.length - 1);
    this.#history.length -= lost;
    this.#lossCount += 1;
    for (const session of this.#sessions.values()) {
      if (session.seen > this.#last) session.isRefused = true;
    }
    this.#expireOrphans();
    return lost;
  }

  /** What a session that is over owned may be back: so is the session, and nobody is heard of it. */
  #expireOrphans(): void {
    const owners = new Set([...this.#tree.values()].map(({ owner }) => owner));
    for (const id of owners)
      if (id !== 0 && !this.#sessions.has(id))
        this.#scheduler.after(this.#sessionMs, null, () => this.#bury(id));
  }

  #bury(id: number): void {
    if (this.#isDown) this.#scheduler.after(this.#sessionMs / 4, null, () => this.#bury(id));
    else this.#removeOwned(id);
  }

  get #last(): number {
    return this.#first + this.#history.length - 1;
  }

  get #tree(): Tree {
    const last = this.#history.at(-1);
    if (last === undefined) throw new Error('no history');
    return last.tree;
  }

  #view(session: ServerSession): Tree {
    let at = this.#history.length - 1;
    const youngestMs = this.#scheduler.nowMs - session.staleMs;
    while (at > 0 && this.#first + at > session.seen && (this.#history[at]?.atMs ?? 0) > youngestMs) at -= 1;
    session.seen = Math.max(session.seen, this.#first + at);
    return this.#history[at]?.tree ?? this.#tree;
  }

  #commit(tree: Tree, paths: readonly string[]): void {
    this.#history.push({ atMs: this.#scheduler.nowMs, tree });
    if (this.#history.length > HISTORY_MAX) {
      this.#history.shift();
      this.#first += 1;
    }
    const touched = new Set(paths);
    this.onCommit(touched);
    for (const session of this.#sessions.values()) {
      this.#scheduler.after(session.staleMs, null, () => session.changed(touched));
    }
  }

  /** The expiry clock of one session. */
  #watch(session: ServerSession): void {
    const dueMs = session.lastHeardMs + this.#sessionMs;
    this.#scheduler.at(Math.max(dueMs, this.#scheduler.nowMs + 1), null, () => {
      if (session.isExpired) return;
      const isLate = this.#scheduler.nowMs >= session.lastHeardMs + this.#sessionMs;
      if (isLate && !this.#isDown) this.expire(session);
      else if (!isLate) this.#watch(session);
      else this.#scheduler.after(this.#sessionMs / 4, null, () => this.#watch(session));
    });
  }
}

/** Changes `tree`; the new version of the node (-1 where none was written), or why not. */
function apply(tree: Map<string, TreeNode>, operation: Operation, owner: number): number | Failure {
  const { path } = operation;
  const node = tree.get(path);
  if (operation.kind === 'create') {
    if (node !== undefined) return 'nodeExists';
    if (!tree.has(parentOf(path))) return 'noNode';
    tree.set(path, {
      text: JSON.stringify(operation.data),
      version: 0,
      owner: operation.ephemeral ? owner : 0,
    });
    return 0;
  }
  if (node === undefined) return 'noNode';
  if (operation.version !== -1 && operation.version !== node.version) return 'badVersion';
  if (operation.kind === 'check') return -1;
  if (operation.kind === 'set') {
    tree.set(path, { ...node, text: JSON.stringify(operation.data), version: node.version + 1 });
    return node.version + 1;
  }
  if ([...tree.keys()].some((child) => child !== path && parentOf(child) === path)) return 'notEmpty';
  tree.delete(path);
  return -1;
}
