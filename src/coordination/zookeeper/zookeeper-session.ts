import type { Clock } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import type { Random } from '../../env/random.ts';
import type { MonotonicMillis } from '../../model/numbers.ts';
import type {
  CoordinatorSession,
  MultiResult,
  Operation,
  Outcome,
  ReadNode,
  SessionState,
} from '../coordinator.ts';
import { absolutePath, makeChroot } from './chroot.ts';
import type { LibraryServer } from './library-internals.ts';
import { decodeNodeContent, encodeOperations } from './node-codec.ts';
import { type Armed, type Observed, Observers } from './observers.ts';
import { isConnectionLoss, isExpiry, SESSION_MOVED } from './outcomes.ts';
import { RequestQueue } from './request-queue.ts';
import { judge, Watchdog } from './watchdog.ts';
import type {
  ClientEvents,
  ClientFactory,
  NodeContent,
  NodeStat,
  Reply,
  SessionIdentity,
  ZooKeeperClient,
} from './zookeeper-client.ts';

export interface SessionSettings {
  readonly servers: readonly LibraryServer[];
  /** Empty, or a path without a slash at its end. */
  readonly chroot: string;
  readonly sessionTimeoutMs: number;
  /** `USER:PASSWORD`, or nothing. */
  readonly auth: string;
}

export interface SessionDoors {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly createClient: ClientFactory;
  /** Keeps the session's identity for the next start, before anything is built on it (W10). Never rejects. */
  readonly save: (identity: SessionIdentity) => Promise<void>;
}

/** How long an end on purpose may take before the connection is cut (W5). */
const CLOSE_MS_MAX = 1_000;
/** Between two clients for one session, when the library has given up. */
const REPLACE_MS = 5_000;
/** A watch on the children of a node that comes and goes is tried so often. */
const ARM_ATTEMPTS_MAX = 3;

/**
 * A session by node-zookeeper-client (W1-W14). `connected` while a server confirms within a third of T, `suspended` from
 * then on or without a connection, `lost` only when a server says so, or when none could be reached for so long that
 * nothing of it can be left (W14).
 */
export class ZooKeeperSession implements CoordinatorSession {
  readonly #settings: SessionSettings;
  readonly #doors: SessionDoors;
  readonly #logger: Logger;
  readonly #queue: RequestQueue;
  readonly #observers: Observers;
  readonly #watchdog: Watchdog;
  readonly #listeners: ((state: SessionState) => void)[] = [];
  #client: ZooKeeperClient | null = null;
  #state: SessionState = 'connecting';
  /** A server has granted it. */
  #hasSession = false;
  /** The chroot is there, and the identity was saved. */
  #isPrepared = false;
  #isPreparing = false;
  #lastReplyMs: MonotonicMillis;
  #unreachedSinceMs: MonotonicMillis;
  #closing: Promise<void> | null = null;
  #ended: () => void = () => {};
  #abandoned: SessionIdentity | null = null;

  /** Connects when `ready` resolves. */
  constructor(settings: SessionSettings, doors: SessionDoors, ready: Promise<void>) {
    this.#settings = settings;
    this.#doors = doors;
    this.#logger = doors.logger.child({ component: 'zookeeper' });
    const { clock } = doors;
    this.#lastReplyMs = clock.monotonicMs();
    this.#unreachedSinceMs = this.#lastReplyMs;
    this.#queue = new RequestQueue(clock, () => (this.timeoutMs * 2) / 3, {
      replied: () => this.#onReply(),
      unexpected: (code) => this.#onUnexpected(code),
    });
    this.#observers = new Observers(doors, (path, of, changed) => this.#arm(path, of, changed));
    this.#watchdog = new Watchdog(
      clock,
      () => this.timeoutMs,
      (isLate) => this.#onTick(isLate),
    );
    void ready.then(() => this.#connect(null));
  }

  get state(): SessionState {
    return this.#state;
  }

  /** T: granted, or asked for as long as no server has granted one. */
  get timeoutMs(): number {
    return this.#client?.timeoutMs ?? this.#settings.sessionTimeoutMs;
  }

  /** As ZooKeeper's own tools print it; empty: no server has granted one yet. */
  get sessionId(): string {
    const identity = this.#hasSession ? this.#client?.identity : undefined;
    return identity === undefined ? '' : `0x${Buffer.from(identity.sessionId).toString('hex')}`;
  }

  /** `HOST:PORT` that is connected, or tried. */
  get server(): string {
    return this.#client?.server ?? '';
  }

  /** Set when it was given up without a server's word: it may live on until its timeout. */
  get abandoned(): SessionIdentity | null {
    return this.#abandoned;
  }

  onState(listener: (state: SessionState) => void): void {
    this.#listeners.push(listener);
  }

  async read(path: string): Promise<Outcome<ReadNode>> {
    const absolute = this.#absolute(path);
    const content = await this.#ask<NodeContent>((client, reply) => client.content(absolute, reply));
    if (!content.ok) return content;
    const sessionId = this.#client?.identity.sessionId ?? new Uint8Array(0);
    return { ok: true, value: decodeNodeContent(content.value, sessionId) };
  }

  async list(path: string): Promise<Outcome<readonly string[]>> {
    const absolute = this.#absolute(path);
    const names = await this.#ask<readonly string[]>((client, reply) =>
      client.children(absolute, null, reply),
    );
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
    const parts = encodeOperations(this.#settings.chroot, operations);
    return this.#ask((client, reply) => client.commit(parts, reply));
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
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { clock } = this.#doors;
    // Never from inside an event of the library (W5, H9).
    await clock.yieldTurn();
    if (this.#state !== 'lost' && this.#hasSession) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(CLOSE_MS_MAX, () => {
          this.#abandoned = this.#client?.identity ?? null;
          resolve();
        });
        this.#ended = () => {
          timer.cancel();
          resolve();
        };
        this.#client?.sendClose();
      });
    }
    this.#lose();
  }

  // The connection

  #connect(identity: SessionIdentity | null): void {
    if (this.#state === 'lost') return;
    const { createClient, clock } = this.#doors;
    this.#unreachedSinceMs = clock.monotonicMs();
    const client: ZooKeeperClient = createClient(
      { ...this.#settings, identity },
      this.#eventsFor(() => client === this.#client && this.#state !== 'lost'),
    );
    this.#client = client;
    client.connect();
    this.#watchdog.stop();
    this.#watchdog.start();
  }

  /** An expiry is sticky (W5): of a client that was given up nothing is heard. */
  #eventsFor(isCurrent: () => boolean): ClientEvents {
    const whileCurrent = (act: () => void) => (): void => {
      if (isCurrent()) act();
    };
    return {
      connected: whileCurrent(() => this.#onConnected()),
      disconnected: whileCurrent(() => this.#onDisconnected()),
      expired: whileCurrent(() => {
        this.#logger.warn({ session: this.sessionId }, 'ZooKeeper says that the session has expired');
        this.#lose();
      }),
      closed: whileCurrent(() => this.#onClosed()),
    };
  }

  #onConnected(): void {
    const { clock } = this.#doors;
    this.#hasSession = true;
    this.#lastReplyMs = clock.monotonicMs();
    this.#queue.open();
    clock.atTurnEnd(() => {
      if (this.#closing === null) void this.#enter();
      else this.#client?.sendClose();
    });
  }

  /** The first connection is announced when the chroot is there and the session was saved. */
  async #enter(): Promise<void> {
    if (!this.#isPrepared) {
      if (this.#isPreparing) return;
      this.#isPreparing = true;
      this.#isPrepared = await this.#prepare();
      this.#isPreparing = false;
    }
    if (!this.#isPrepared || !this.#queue.isOpen || this.#closing !== null) return;
    this.#logger.info(
      { session: this.sessionId, server: this.server, timeoutMs: this.timeoutMs },
      'connected to ZooKeeper',
    );
    this.#become('connected');
  }

  async #prepare(): Promise<boolean> {
    const client = this.#client;
    if (client === null || !client.isConnected) return false;
    await this.#doors.save(client.identity);
    return makeChroot(this.#settings.chroot, {
      stat: (path) => this.#queue.ask((reply) => client.stat(path, null, reply)),
      commit: (parts) => this.#queue.ask((reply) => client.commit(parts, reply)),
    });
  }

  #onDisconnected(): void {
    this.#unreachedSinceMs = this.#doors.clock.monotonicMs();
    this.#queue.shut();
    this.#observers.disconnected();
    if (this.#state === 'connected') this.#become('suspended');
  }

  /** The library connects no more: on purpose, or because the server refuses who we say we are. */
  #onClosed(): void {
    if (this.#closing !== null) {
      this.#ended();
      return;
    }
    const identity = this.#hasSession ? (this.#client?.identity ?? null) : null;
    this.#doors.clock.setTimer(REPLACE_MS, () => this.#replaceClient(identity));
  }

  #replaceClient(identity: SessionIdentity | null): void {
    this.#client?.discard();
    this.#connect(identity);
  }

  #onReply(): void {
    this.#lastReplyMs = this.#doors.clock.monotonicMs();
    if (this.#state === 'suspended' && this.#queue.isOpen && this.#isPrepared) this.#become('connected');
  }

  #onUnexpected(code: number): void {
    if (isConnectionLoss(code)) return;
    this.#logger.error({ code, server: this.server }, 'ZooKeeper refuses a request');
    if (isExpiry(code)) this.#lose();
    // This connection is not the session's any more: another server has it (H8).
    if (code === SESSION_MOVED) this.#dropLater('the session has moved');
  }

  #dropLater(reason: string): void {
    const client = this.#client;
    this.#doors.clock.atTurnEnd(() => client?.drop(reason));
  }

  #onTick(isLate: boolean): void {
    const client = this.#client;
    if (client === null || this.#closing !== null) return;
    const nowMs = this.#doors.clock.monotonicMs();
    if (isLate) this.#unreachedSinceMs = nowMs;
    const { isConnected, attemptSinceMs, timeoutMs } = client;
    const actions = judge({
      nowMs,
      timeoutMs,
      serverCount: this.#settings.servers.length,
      isConnected,
      attemptSinceMs,
      oldestSentMs: this.#queue.oldestSentMs,
      lastSentMs: this.#queue.lastSentMs,
      lastReplyMs: this.#lastReplyMs,
      unreachedSinceMs: this.#unreachedSinceMs,
      isOurStall: isLate,
    });
    if (actions.has('suspend') && this.#state === 'connected') this.#become('suspended');
    if (actions.has('dropSilent')) this.#drop(client, 'the ZooKeeper server does not answer');
    if (actions.has('dropWedged')) this.#drop(client, 'the ZooKeeper server does not answer our connect');
    if (actions.has('beat')) void this.#beat(client);
    if (actions.has('abandon') || client.isHopeless) this.#abandon(client);
    else if (isConnected && !this.#isPrepared) void this.#enter();
  }

  #drop(client: ZooKeeperClient, reason: string): void {
    this.#logger.warn({ server: client.server }, `${reason}: the next one is tried`);
    client.drop(reason);
  }

  async #beat(client: ZooKeeperClient): Promise<void> {
    await this.#queue.ask((reply) => client.stat('/', null, reply));
  }

  /** W14, H18: a server that lost data refuses a session that has seen more. What was never granted is only begun anew. */
  #abandon(client: ZooKeeperClient): void {
    if (!this.#hasSession) {
      this.#replaceClient(null);
      return;
    }
    this.#logger.error(
      { session: this.sessionId },
      'no ZooKeeper server has served this session for too long: it is given up, and what is read from now on may be older than what was known',
    );
    this.#abandoned = client.identity;
    this.#lose();
  }

  // The states

  #lose(): void {
    if (this.#state === 'lost') return;
    this.#watchdog.stop();
    this.#queue.end();
    this.#observers.stop();
    this.#become('lost');
    // Never from inside an event of the library (W5).
    this.#doors.clock.atTurnEnd(() => this.#client?.discard());
    this.#ended();
  }

  #become(state: SessionState): void {
    if (this.#state === state || this.#state === 'lost') return;
    if (state === 'suspended') this.#logger.warn({ server: this.server }, 'ZooKeeper is out of reach');
    this.#state = state;
    this.#doors.clock.atTurnEnd(() => {
      for (const listener of this.#listeners) listener(state);
      if (state === 'connected' && this.#queue.isOpen) this.#observers.connected();
    });
  }

  // Requests

  #absolute(path: string): string {
    return absolutePath(this.#settings.chroot, path);
  }

  #ask<Value>(send: (client: ZooKeeperClient, reply: Reply<Value>) => void): Promise<Outcome<Value>> {
    const client = this.#client;
    if (this.#state === 'lost' || this.#closing !== null)
      return Promise.resolve({ ok: false, failure: 'sessionLost' });
    if (this.#state !== 'connected' || client === null)
      return Promise.resolve({ ok: false, failure: 'unknown' });
    return this.#queue.ask((reply) => send(client, reply));
  }

  async #arm(path: string, of: Observed, changed: () => void): Promise<Armed> {
    const absolute = this.#absolute(path);
    for (let attempt = 0; attempt < ARM_ATTEMPTS_MAX; attempt += 1) {
      if (of === 'children') {
        const names = await this.#ask<readonly string[]>((client, reply) =>
          client.children(absolute, changed, reply),
        );
        if (names.ok) return attempt === 0 ? 'armed' : 'armedLate';
        if (names.failure !== 'noNode') return 'failed';
      }
      const stat = await this.#ask<NodeStat | null>((client, reply) => client.stat(absolute, changed, reply));
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
