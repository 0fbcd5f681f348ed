import type {
  CoordinatorFactory,
  CoordinatorSession,
  MultiResult,
  Operation,
  Outcome,
  ReadNode,
  SessionState,
} from '../../src/coordination/coordinator.ts';
import { failed, MemoryTree, ok, type TreeChange } from './memory-tree.ts';
import { SessionByMulti } from './session-by-multi.ts';

/** What a test does to one request: let it through, lose its reply (a write has happened), or lose the request. */
export type Fate = 'pass' | 'loseReply' | 'loseRequest';

interface Observer {
  readonly path: string;
  readonly of: 'node' | 'children';
  readonly listener: () => void;
}

/** A coordinator in memory, shared by all sessions that `open` made. Everything happens in a later microtask. */
export class MemoryCoordinator implements CoordinatorFactory {
  readonly tree = new MemoryTree();
  readonly sessions: MemorySession[] = [];

  open(): MemorySession {
    const session = new MemorySession(this, this.sessions.length + 1);
    this.sessions.push(session);
    return session;
  }

  /** Ends a session as the server does after a silence: its ephemeral nodes go, it learns of it at once. */
  expire(session: MemorySession): void {
    this.forget(session.id);
    session.become('lost');
  }

  /** Removes what belongs to a session. */
  forget(sessionId: number): void {
    for (const path of this.tree.owned(sessionId)) {
      this.notify(this.tree.apply([{ kind: 'delete', path, version: -1 }], sessionId).changes);
    }
  }

  notify(changes: readonly TreeChange[]): void {
    for (const session of this.sessions) session.hear(changes);
  }

  /** The JSON at a path, or undefined. */
  json(path: string): unknown {
    const node = this.tree.get(path);
    return node === undefined ? undefined : JSON.parse(node.text);
  }
}

export class MemorySession extends SessionByMulti implements CoordinatorSession {
  readonly id: number;
  readonly #coordinator: MemoryCoordinator;
  readonly #listeners: ((state: SessionState) => void)[] = [];
  #observers: Observer[] = [];
  #state: SessionState = 'connecting';
  /** Decides the fate of each write; a test replaces it. */
  fate: (operations: readonly Operation[]) => Fate = () => 'pass';
  /** Told of each request: what it is and which paths it names. */
  onCall: (call: string) => void = () => {};

  constructor(coordinator: MemoryCoordinator, id: number) {
    super();
    this.#coordinator = coordinator;
    this.id = id;
    queueMicrotask(() => {
      if (this.#state === 'connecting') this.become('connected');
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  onState(listener: (state: SessionState) => void): void {
    this.#listeners.push(listener);
  }

  /** No request comes through until `reconnect`; the session itself lives on. */
  disconnect(): void {
    this.become('suspended');
  }

  reconnect(): void {
    this.become('connected');
  }

  become(state: SessionState): void {
    if (this.#state === state || this.#state === 'lost') return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
    if (state !== 'connected') return;
    for (const observer of this.#observers) this.#call(observer);
  }

  hear(changes: readonly TreeChange[]): void {
    if (this.#state !== 'connected') return;
    for (const observer of this.#observers) {
      if (changes.some(({ path, of }) => path === observer.path && of === observer.of)) this.#call(observer);
    }
  }

  read(path: string): Promise<Outcome<ReadNode>> {
    this.onCall(`read ${path}`);
    return this.#ask(() => {
      const node = this.#coordinator.tree.get(path);
      if (node === undefined) return failed('noNode');
      return ok({ data: JSON.parse(node.text), version: node.version, isMine: node.owner === this.id });
    });
  }

  list(path: string): Promise<Outcome<readonly string[]>> {
    return this.#ask(() => {
      const { tree } = this.#coordinator;
      return tree.get(path) === undefined ? failed('noNode') : ok(tree.children(path));
    });
  }

  multi(operations: readonly Operation[]): Promise<Outcome<MultiResult>> {
    this.onCall(`multi ${operations.map(({ path }) => path).join(' ')}`);
    return this.#ask(() => {
      const fate = this.fate(operations);
      if (fate === 'loseRequest') return failed('unknown');
      const { outcome, changes } = this.#coordinator.tree.apply(operations, this.id);
      this.#coordinator.notify(changes);
      return fate === 'loseReply' ? failed('unknown') : outcome;
    });
  }

  barrier(): Promise<Outcome<null>> {
    this.onCall('barrier');
    return this.#ask(() => ok(null));
  }

  observe(path: string, of: 'node' | 'children', listener: () => void): () => void {
    const observer: Observer = { path, of, listener };
    this.#observers.push(observer);
    this.#call(observer);
    return () => {
      this.#observers = this.#observers.filter((other) => other !== observer);
    };
  }

  async close(): Promise<void> {
    await Promise.resolve();
    if (this.#state === 'lost') return;
    if (this.#state === 'connected') this.#coordinator.forget(this.id);
    this.become('lost');
  }

  async #ask<Value>(answer: () => Outcome<Value>): Promise<Outcome<Value>> {
    await Promise.resolve();
    if (this.#state === 'lost') return failed('sessionLost');
    if (this.#state !== 'connected') return failed('unknown');
    return answer();
  }

  #call(observer: Observer): void {
    queueMicrotask(() => {
      if (this.#state === 'connected' && this.#observers.includes(observer)) observer.listener();
    });
  }
}
