import type { Random } from '../../env/random.ts';
import type {
  CoordinatorSession,
  MultiResult,
  Operation,
  Outcome,
  ReadNode,
  SessionState,
} from '../coordinator.ts';
import { absolutePath } from './chroot.ts';
import { decodeNodeContent, encodeOperations } from './node-codec.ts';
import { type Armed, type Observed, Observers } from './observers.ts';
import { pathsOf } from './refusals.ts';
import { type LinkDoors, SessionLink, type SessionSettings, sessionName } from './session-link.ts';
import type { NodeContent, NodeStat, SessionIdentity } from './zookeeper-client.ts';

export interface SessionDoors extends LinkDoors {
  readonly random: Random;
}

/** A watch on the children of a node that comes and goes is tried so often. */
const ARM_ATTEMPTS_MAX = 3;

/** The port's session over a ZooKeeper ensemble: requests and observers on one link. */
export class ZooKeeperSession implements CoordinatorSession {
  readonly #chroot: string;
  readonly #doors: SessionDoors;
  readonly #link: SessionLink;
  readonly #observers: Observers;
  readonly #listeners: ((state: SessionState) => void)[] = [];

  /** Connects when `ready` resolves. */
  constructor(settings: SessionSettings, doors: SessionDoors, ready: Promise<void>) {
    this.#chroot = settings.chroot;
    this.#doors = doors;
    this.#observers = new Observers(doors, (path, of, changed) => this.#arm(path, of, changed));
    this.#link = new SessionLink(settings, doors, {
      changed: (state) => this.#onChanged(state),
      disconnected: () => this.#observers.disconnected(),
    });
    void ready.then(() => this.#link.connect());
  }

  get state(): SessionState {
    return this.#link.state;
  }

  /** T: granted, or asked for as long as no server has granted one. Milliseconds. */
  get timeoutMs(): number {
    return this.#link.timeoutMs;
  }

  /** As ZooKeeper's own tools print it; empty: no server has granted one yet. */
  get sessionId(): string {
    return sessionName(this.#link.identity);
  }

  /** `HOST:PORT` that is connected, or tried. */
  get server(): string {
    return this.#link.server;
  }

  /** Set when it was given up without a server's word: it may live on until its timeout. */
  get abandoned(): SessionIdentity | null {
    return this.#link.abandoned;
  }

  onState(listener: (state: SessionState) => void): void {
    this.#listeners.push(listener);
  }

  async read(path: string): Promise<Outcome<ReadNode>> {
    const absolute = this.#absolute(path);
    const content = await this.#link.ask<NodeContent>(absolute, (client, reply) =>
      client.content(absolute, reply),
    );
    if (!content.ok) return content;
    return { ok: true, value: decodeNodeContent(content.value, this.#link.identity) };
  }

  async list(path: string): Promise<Outcome<readonly string[]>> {
    const names = await this.#children(this.#absolute(path), null);
    return names.ok ? { ok: true, value: [...names.value].sort() } : names;
  }

  async create(
    path: string,
    data: unknown,
    options: { readonly ephemeral: boolean },
  ): Promise<Outcome<number>> {
    return first(await this.multi([{ kind: 'create', path, data, ephemeral: options.ephemeral }]));
  }

  async set(path: string, data: unknown, version: number): Promise<Outcome<number>> {
    return first(await this.multi([{ kind: 'set', path, data, version }]));
  }

  async remove(path: string, version: number): Promise<Outcome<null>> {
    const outcome = await this.multi([{ kind: 'delete', path, version }]);
    return outcome.ok ? { ok: true, value: null } : outcome;
  }

  async multi(operations: readonly Operation[]): Promise<Outcome<MultiResult>> {
    const parts = encodeOperations(this.#chroot, operations);
    return this.#link.ask(pathsOf(parts), (client, reply) => client.commit(parts, reply));
  }

  /** A multi that only checks is proposed through the ensemble's leader (W7); the library has no sync. */
  async barrier(): Promise<Outcome<null>> {
    const outcome = await this.multi([{ kind: 'check', path: '/', version: -1 }]);
    return outcome.ok ? { ok: true, value: null } : outcome;
  }

  observe(path: string, of: Observed, listener: () => void): () => void {
    return this.#observers.observe(path, of, listener);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  #onChanged(state: SessionState): void {
    if (state === 'lost') this.#observers.stop();
    this.#doors.clock.atTurnEnd(() => {
      for (const listener of this.#listeners) listener(state);
      // What has come and gone within the turn is told, but nothing is asked.
      if (state === 'connected' && this.state === 'connected') this.#observers.connected();
    });
  }

  #absolute(path: string): string {
    return absolutePath(this.#chroot, path);
  }

  #children(absolute: string, changed: (() => void) | null): Promise<Outcome<readonly string[]>> {
    return this.#link.ask(absolute, (client, reply) => client.children(absolute, changed, reply));
  }

  async #arm(path: string, of: Observed, changed: () => void): Promise<Armed> {
    const absolute = this.#absolute(path);
    for (let attempt = 0; attempt < ARM_ATTEMPTS_MAX; attempt += 1) {
      if (of === 'children') {
        const names = await this.#children(absolute, changed);
        if (names.ok) return attempt === 0 ? 'armed' : 'armedLate';
        if (names.failure !== 'noNode') return 'failed';
      }
      const stat = await this.#link.ask<NodeStat | null>(absolute, (client, reply) =>
        client.stat(absolute, changed, reply),
      );
      if (!stat.ok) return 'failed';
      if (of === 'node') return 'armed';
      // A watch for the node to appear; if it has appeared meanwhile, its children are to be watched after all.
      if (stat.value === null) return 'armedLate';
    }
    return 'failed';
  }
}

function first(outcome: Outcome<MultiResult>): Outcome<number> {
  return outcome.ok ? { ok: true, value: outcome.value[0] ?? -1 } : outcome;
}
