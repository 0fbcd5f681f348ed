import type { Clock } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import { Seldom } from '../../env/seldom.ts';
import type { MonotonicMillis } from '../../model/numbers.ts';
import type { Outcome, SessionState } from '../coordinator.ts';
import { makeChroot } from './chroot.ts';
import type { LibraryServer } from './library-internals.ts';
import { isConnectionLoss, isExpiry, SESSION_MOVED } from './outcomes.ts';
import { pathsOf, refusalText } from './refusals.ts';
import { RequestQueue } from './request-queue.ts';
import { UnservedSpan } from './unserved-span.ts';
import { abandonMs, judge, type Vitals, Watchdog } from './watchdog.ts';
import type {
  ClientEvents,
  ClientFactory,
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

export interface LinkDoors {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly createClient: ClientFactory;
  /** Keeps the session's identity for the next start, before anything is built on it (W10). Never rejects. */
  readonly save: (identity: SessionIdentity) => Promise<void>;
}

export interface LinkHooks {
  /** The state is another one. Told from inside the client too: act later. */
  changed(state: SessionState): void;
  /** The connection is gone, and with it every watch. */
  disconnected(): void;
}

/** How long an end on purpose may take before the connection is cut (W5). */
const CLOSE_MS_MAX = 1_000;
/** Of one kind of error there is a line once in so long. */
const ERROR_INTERVAL_MS = 60_000;
/** Between two clients for one session, when the library has given up. */
const REPLACE_MS = 5_000;

/**
 * What holds one session alive: its client, its requests and its watchdog (W1-W5, W12, W14). `connected` while a server
 * confirms within a third of T, `suspended` from then on or without a connection, `lost` only when a server says so, or
 * when servers that are there have not served it for so long that none ever will. Nobody there: suspended, for ever.
 */
export class SessionLink {
  readonly #settings: SessionSettings;
  readonly #doors: LinkDoors;
  readonly #hooks: LinkHooks;
  readonly #logger: Logger;
  readonly #seldom: Seldom;
  readonly #queue: RequestQueue;
  readonly #watchdog: Watchdog;
  #client: ZooKeeperClient | null = null;
  #state: SessionState = 'connecting';
  /** A server has granted the session. */
  #hasSession = false;
  #isSaved = false;
  /** The chroot is there, and the identity was saved. */
  #isPrepared = false;
  #isPreparing = false;
  #lastReplyMs: MonotonicMillis;
  readonly #unserved = new UnservedSpan();
  #closing: Promise<void> | null = null;
  /** Somebody waits for the end of `#closing`. */
  #ended: () => void = () => {};
  #abandoned: SessionIdentity | null = null;

  constructor(settings: SessionSettings, doors: LinkDoors, hooks: LinkHooks) {
    this.#settings = settings;
    this.#doors = doors;
    this.#hooks = hooks;
    this.#logger = doors.logger.child({ component: 'zookeeper' });
    const { clock } = doors;
    this.#seldom = new Seldom(clock, ERROR_INTERVAL_MS);
    this.#lastReplyMs = clock.monotonicMs();
    this.#queue = new RequestQueue(clock, () => (this.timeoutMs * 2) / 3, {
      replied: () => this.#onReply(),
      unexpected: (code, path) => this.#onUnexpected(code, path),
    });
    this.#watchdog = new Watchdog(
      clock,
      () => this.timeoutMs,
      (isLate) => this.#onTick(isLate),
    );
  }

  get state(): SessionState {
    return this.#state;
  }

  /** T: granted, or asked for as long as no server has granted one. */
  get timeoutMs(): number {
    return this.#client?.timeoutMs ?? this.#settings.sessionTimeoutMs;
  }

  /** Null: no server has granted a session yet. */
  get identity(): SessionIdentity | null {
    return this.#hasSession ? (this.#client?.identity ?? null) : null;
  }

  /** `HOST:PORT` that is connected, or tried. */
  get server(): string {
    return this.#client?.server ?? '';
  }

  /** Set when the session was given up without a server's word: it may live on until its timeout. */
  get abandoned(): SessionIdentity | null {
    return this.#abandoned;
  }

  connect(): void {
    this.#connect(null);
  }

  /** The library is never called unless we are connected (W1). `path`: what it is about, for the log. */
  ask<Value>(
    path: string,
    send: (client: ZooKeeperClient, reply: Reply<Value>) => void,
  ): Promise<Outcome<Value>> {
    const client = this.#client;
    if (this.#state === 'lost' || this.#closing !== null)
      return Promise.resolve({ ok: false, failure: 'sessionLost' });
    if (this.#state !== 'connected' || client === null)
      return Promise.resolve({ ok: false, failure: 'unknown' });
    return this.#queue.ask(path, (reply) => send(client, reply));
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
      const isEnded = await new Promise<boolean>((resolve) => {
        const timer = clock.setTimer(CLOSE_MS_MAX, () => resolve(false));
        this.#ended = () => {
          timer.cancel();
          resolve(true);
        };
        // Without a connection: on the next one, if it comes in time.
        this.#client?.sendClose();
      });
      if (!isEnded) this.#abandoned = this.identity;
    }
    this.#lose();
  }

  #connect(identity: SessionIdentity | null): void {
    if (this.#state === 'lost') return;
    const { createClient } = this.#doors;
    this.#unserved.forget();
    const client: ZooKeeperClient = createClient(
      { ...this.#settings, identity },
      this.#eventsFor(() => client === this.#client && this.#state !== 'lost'),
    );
    this.#client = client;
    client.connect();
    this.#watchdog.stop();
    this.#watchdog.start();
  }

  /** An expiry is sticky (W5): nothing is heard of a client that was given up. */
  #eventsFor(isCurrent: () => boolean): ClientEvents {
    const whileCurrent = (act: () => void) => (): void => {
      if (isCurrent()) act();
    };
    return {
      accepted: whileCurrent(() => this.#unserved.accepted(this.#doors.clock.monotonicMs())),
      connected: whileCurrent(() => this.#onConnected()),
      disconnected: whileCurrent(() => this.#onDisconnected()),
      expired: whileCurrent(() => this.#onExpired()),
      closed: whileCurrent(() => this.#onClosed()),
    };
  }

  #onConnected(): void {
    const { clock } = this.#doors;
    if (!this.#hasSession) this.#warnOfTimeout();
    this.#hasSession = true;
    this.#lastReplyMs = clock.monotonicMs();
    this.#unserved.forget();
    this.#queue.open();
    clock.atTurnEnd(() => {
      if (this.#closing === null) this.#enter();
      else this.#client?.sendClose();
    });
  }

  #warnOfTimeout(): void {
    const [asked, granted] = [this.#settings.sessionTimeoutMs, this.timeoutMs];
    if (granted === asked) return;
    const text = `zookeeper.sessionTimeoutMs is ${asked}ms, and ZooKeeper grants ${granted}ms: it allows 2 to 20 of its ticks`;
    this.#logger.warn({ asked, granted }, text);
  }

  /** The first connection is announced when the chroot is there and the session was saved; tried again at each tick. */
  #enter(): void {
    this.#enterOnce().catch((error: unknown) => {
      const text = 'the session at ZooKeeper cannot be entered; it is tried again';
      if (this.#seldom.isDue('enter')) this.#logger.error({ err: error }, text);
    });
  }

  async #enterOnce(): Promise<void> {
    if (!this.#isPrepared) {
      if (this.#isPreparing) return;
      this.#isPreparing = true;
      try {
        this.#isPrepared = await this.#prepare();
      } finally {
        this.#isPreparing = false;
      }
    }
    if (!this.#isPrepared || !this.#queue.isOpen || this.#closing !== null) return;
    this.#become('connected');
  }

  async #prepare(): Promise<boolean> {
    const client = this.#client;
    if (client === null || !client.isConnected) return false;
    if (!this.#isSaved) await this.#doors.save(client.identity);
    this.#isSaved = true;
    return makeChroot(this.#settings.chroot, {
      stat: (path) => this.#queue.ask(path, (reply) => client.stat(path, null, reply)),
      commit: (parts) => this.#queue.ask(pathsOf(parts), (reply) => client.commit(parts, reply)),
    });
  }

  #onDisconnected(): void {
    this.#queue.shut();
    this.#hooks.disconnected();
    if (this.#state === 'connected') this.#become('suspended');
  }

  #onExpired(): void {
    this.#logger.warn({ session: this.#sessionName }, 'ZooKeeper says that the session has expired');
    this.#lose();
  }

  /** The library connects no more: on purpose, or because the server refuses who we say we are. */
  #onClosed(): void {
    if (this.#closing !== null) this.#ended();
    else this.#doors.clock.setTimer(REPLACE_MS, () => this.#replaceClient());
  }

  #replaceClient(): void {
    const { identity } = this;
    this.#client?.discard();
    this.#connect(identity);
  }

  // What is heard of the server, and what is not

  #onReply(): void {
    this.#lastReplyMs = this.#doors.clock.monotonicMs();
    if (this.#state === 'suspended' && this.#queue.isOpen && this.#isPrepared) this.#become('connected');
  }

  #onUnexpected(code: number, path: string): void {
    if (isConnectionLoss(code)) return;
    if (this.#seldom.isDue(`code ${code}`))
      this.#logger.error({ code, path, server: this.server }, refusalText(code, path));
    if (isExpiry(code)) this.#lose();
    if (code !== SESSION_MOVED) return;
    // This connection is not the session's any more: another server has it (H8).
    const client = this.#client;
    this.#doors.clock.atTurnEnd(() => client?.drop('the session has moved'));
  }

  #onTick(isLate: boolean): void {
    const client = this.#client;
    if (client === null || this.#closing !== null) return;
    const nowMs = this.#doors.clock.monotonicMs();
    if (isLate || client.isConnected) this.#unserved.forget();
    const actions = judge(this.#vitals(client, nowMs, isLate));
    if (actions.has('suspend') && this.#state === 'connected') this.#become('suspended');
    if (actions.has('dropSilent')) this.#drop(client, 'the ZooKeeper server does not answer');
    if (actions.has('dropWedged')) this.#drop(client, 'the ZooKeeper server does not answer our connect');
    if (actions.has('beat')) void this.#beat(client);
    if (actions.has('abandon') || client.isHopeless) this.#abandon();
    else if (client.isConnected && !this.#isPrepared) this.#enter();
  }

  #vitals(client: ZooKeeperClient, nowMs: MonotonicMillis, isOurStall: boolean): Vitals {
    return {
      nowMs,
      timeoutMs: client.timeoutMs,
      serverCount: this.#settings.servers.length,
      isConnected: client.isConnected,
      attemptSinceMs: client.attemptSinceMs,
      oldestSentMs: this.#queue.oldestSentMs,
      lastSentMs: this.#queue.lastSentMs,
      lastReplyMs: this.#lastReplyMs,
      // Half of it: longer than a round of attempts takes, though all but one of the servers be away.
      unservedMs: this.#unserved.lengthMs(nowMs, abandonMs(client.timeoutMs) / 2),
      isOurStall,
    };
  }

  #drop(client: ZooKeeperClient, reason: string): void {
    this.#logger.warn({ server: client.server }, `${reason}: the next one is tried`);
    client.drop(reason);
  }

  async #beat(client: ZooKeeperClient): Promise<void> {
    await this.#queue.ask('/', (reply) => client.stat('/', null, reply));
  }

  /** W14, H18: a server that lost data refuses a session that has seen more. What was never granted is begun anew. */
  #abandon(): void {
    if (!this.#hasSession) {
      this.#replaceClient();
      return;
    }
    this.#logger.error(
      { session: this.#sessionName },
      'ZooKeeper servers take the connection and do not serve this session: it is given up, and what is read from now on may be older than what was known',
    );
    this.#abandoned = this.identity;
    this.#lose();
  }

  // The states

  #lose(): void {
    if (this.#state === 'lost') return;
    this.#watchdog.stop();
    this.#queue.end();
    this.#become('lost');
    // Never from inside an event of the library (W5).
    this.#doors.clock.atTurnEnd(() => this.#client?.discard());
    this.#ended();
  }

  #become(state: SessionState): void {
    if (this.#state === state || this.#state === 'lost') return;
    const fields = { session: this.#sessionName, server: this.server };
    if (state === 'suspended' && this.#closing === null)
      this.#logger.warn(fields, 'ZooKeeper is out of reach');
    if (state === 'connected') this.#logger.info(fields, 'connected to ZooKeeper');
    this.#state = state;
    this.#hooks.changed(state);
  }

  get #sessionName(): string {
    return sessionName(this.identity);
  }
}

/** As ZooKeeper's own tools print it; empty: there is none. */
export function sessionName(identity: SessionIdentity | null): string {
  return identity === null ? '' : `0x${Buffer.from(identity.sessionId).toString('hex')}`;
}
