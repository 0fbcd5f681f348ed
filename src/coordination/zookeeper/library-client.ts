import * as zookeeper from 'node-zookeeper-client';
import type { Clock } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import type { Random } from '../../env/random.ts';
import type { MonotonicMillis } from '../../model/numbers.ts';
import { type ConnectionManager, LIBRARY_STATE, type LibraryServer, managerOf } from './library-internals.ts';
import { acceptUnknownCodes, fixVersion, forgetConnection, guardReplies } from './library-patches.ts';
import { ReconnectBreaker } from './reconnect-breaker.ts';
import { ServerRotation } from './server-rotation.ts';
import type {
  ClientEvents,
  ClientOptions,
  EncodedOperation,
  NodeContent,
  NodeStat,
  Reply,
  SessionIdentity,
  ZooKeeperClient,
} from './zookeeper-client.ts';

export interface ClientDoors {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The library wants one to parse; the servers are given to it as they are (IPv6 literals would not survive). */
const NO_SERVER = '127.0.0.1:1';
const PAUSE_MS_MAX = 1_000;

const ACLS = zookeeper.ACL as unknown as {
  readonly CREATOR_ALL_ACL: zookeeper.ACL[];
  readonly OPEN_ACL_UNSAFE: zookeeper.ACL[];
};

type LibraryError = Error | zookeeper.Exception | null;

/** The library behind the patches that make it safe to use (PROTOCOL 1.2). */
export class LibraryClient implements ZooKeeperClient {
  readonly #doors: ClientDoors;
  readonly #events: ClientEvents;
  readonly #client: zookeeper.Client;
  readonly #manager: ConnectionManager;
  readonly #rotation: ServerRotation;
  readonly #breaker = new ReconnectBreaker();
  readonly #ownAcl: zookeeper.ACL[];
  #attemptSinceMs: MonotonicMillis | null = null;
  #server = '';
  #isDiscarded = false;

  constructor(options: ClientOptions, doors: ClientDoors, events: ClientEvents) {
    acceptUnknownCodes();
    const { servers, sessionTimeoutMs, auth, identity } = options;
    this.#doors = doors;
    this.#events = events;
    const pauseMsMax = Math.min(PAUSE_MS_MAX, Math.ceil(sessionTimeoutMs / 4));
    this.#rotation = new ServerRotation(servers, doors.random, pauseMsMax);
    this.#ownAcl = auth === '' ? ACLS.OPEN_ACL_UNSAFE : ACLS.CREATOR_ALL_ACL;
    this.#client = createLibraryClient(sessionTimeoutMs, identity);
    this.#manager = managerOf(this.#client);
    this.#manager.servers = servers;
    // Its connect timeout depends on the number of servers.
    this.#manager.updateTimeout(sessionTimeoutMs);
    this.#manager.findNextServer = (found) => this.#chooseServer(found);
    guardReplies(this.#manager, (error) => {
      doors.logger.error({ err: error, server: this.#server }, 'a reply of ZooKeeper cannot be read');
      this.drop('a reply cannot be read');
    });
    this.#manager.on('state', (state) => this.#onState(state));
    if (auth !== '') this.#client.addAuthInfo('digest', Buffer.from(auth));
  }

  get isConnected(): boolean {
    return !this.#isDiscarded && this.#manager.state === LIBRARY_STATE.connected;
  }

  get attemptSinceMs(): MonotonicMillis | null {
    return this.#attemptSinceMs;
  }

  get timeoutMs(): number {
    return this.#client.getSessionTimeout();
  }

  get identity(): SessionIdentity {
    return { sessionId: this.#client.getSessionId(), password: this.#client.getSessionPassword() };
  }

  get server(): string {
    return this.#server;
  }

  get isHopeless(): boolean {
    return this.#breaker.isHopeless;
  }

  connect(): void {
    if (!this.#isDiscarded) this.#client.connect();
  }

  stat(path: string, watcher: (() => void) | null, reply: Reply<NodeStat | null>): void {
    const done = (error: LibraryError, stat: zookeeper.Stat | null): void => answer(reply, error, stat);
    if (watcher === null) this.#client.exists(path, done);
    else this.#client.exists(path, watcher, done);
  }

  content(path: string, reply: Reply<NodeContent>): void {
    this.#client.getData(path, (error: LibraryError, data: Buffer | undefined, stat: zookeeper.Stat) =>
      answer(reply, error, { bytes: data ?? new Uint8Array(0), stat }),
    );
  }

  children(path: string, watcher: (() => void) | null, reply: Reply<readonly string[]>): void {
    const done = (error: LibraryError, names: string[]): void => answer(reply, error, names);
    if (watcher === null) this.#client.getChildren(path, done);
    else this.#client.getChildren(path, watcher, done);
  }

  commit(parts: readonly EncodedOperation[], reply: Reply<readonly number[]>): void {
    const transaction = this.#client.transaction();
    for (const part of parts) this.#add(transaction, part);
    transaction.commit((error, results: readonly LibraryResult[] | undefined) => {
      const versions = parts.map((part, index) => versionOf(part, results?.[index]));
      answer(reply, error, versions);
    });
  }

  drop(reason: string): void {
    const { socket } = this.#manager;
    // With an error: only then does the library clear the timer of its attempt, which would hit the next socket.
    if (socket !== undefined && !socket.destroyed) socket.destroy(new Error(reason));
  }

  sendClose(): void {
    if (this.isConnected) this.#client.close();
  }

  discard(): void {
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    this.#attemptSinceMs = null;
    this.#manager.removeAllListeners('state');
    // The one state in which a closed socket does not make the library connect again.
    this.#manager.state = LIBRARY_STATE.closing;
    forgetConnection(this.#manager);
    this.drop('the client is discarded');
  }

  #add(transaction: zookeeper.Transaction, part: EncodedOperation): void {
    switch (part.kind) {
      case 'create': {
        const { EPHEMERAL, PERSISTENT } = zookeeper.CreateMode;
        const acl = part.isOurs ? this.#ownAcl : ACLS.OPEN_ACL_UNSAFE;
        transaction.create(part.path, part.bytes, acl, part.ephemeral ? EPHEMERAL : PERSISTENT);
        return;
      }
      case 'set':
        transaction.setData(part.path, part.bytes, part.version);
        break;
      case 'delete':
        transaction.remove(part.path, part.version);
        break;
      case 'check':
        transaction.check(part.path, part.version);
        break;
    }
    fixVersion(transaction, part.version);
  }

  /** Takes the place of the library's own choice, whose timer nobody could stop. */
  #chooseServer(found: (server: LibraryServer) => void): void {
    const { server, delayMs } = this.#rotation.next();
    const attempt = (): void => {
      if (this.#isDiscarded || this.#manager.state !== LIBRARY_STATE.connecting) return;
      this.#attemptSinceMs = this.#doors.clock.monotonicMs();
      this.#server = `${server.host}:${server.port}`;
      found(server);
      this.#manager.socket?.once('connect', () => {
        if (!this.#isDiscarded) this.#events.accepted();
      });
    };
    const pauseMs = Math.max(delayMs, this.#breaker.backoffMs);
    if (pauseMs === 0) this.#doors.clock.atTurnEnd(attempt);
    else this.#doors.clock.setTimer(pauseMs, attempt);
  }

  #onState(state: number): void {
    if (state !== LIBRARY_STATE.connecting) this.#attemptSinceMs = null;
    switch (state) {
      case LIBRARY_STATE.connected:
        this.#rotation.succeeded();
        this.#breaker.connected(this.#doors.clock.monotonicMs());
        this.#events.connected();
        return;
      case LIBRARY_STATE.disconnected:
        forgetConnection(this.#manager);
        this.#events.disconnected();
        return;
      case LIBRARY_STATE.expired:
        this.#events.expired();
        return;
      case LIBRARY_STATE.authenticationFailed:
        this.#doors.logger.error(
          { server: this.#server },
          'ZooKeeper refuses the credentials of zookeeper.auth',
        );
        return;
      case LIBRARY_STATE.closed:
        this.#events.closed();
        return;
      default:
    }
  }
}

interface LibraryResult {
  readonly stat?: zookeeper.Stat;
}

function versionOf(part: EncodedOperation, result: LibraryResult | undefined): number {
  if (part.kind === 'create') return 0;
  return part.kind === 'set' ? (result?.stat?.version ?? -1) : -1;
}

function createLibraryClient(sessionTimeout: number, identity: SessionIdentity | null): zookeeper.Client {
  const fresh = { sessionTimeout, spinDelay: PAUSE_MS_MAX, retries: 0 };
  if (identity === null) return zookeeper.createClient(NO_SERVER, fresh);
  const { sessionId, password } = identity;
  const taken = { sessionId: Buffer.from(sessionId), sessionPassword: Buffer.from(password) };
  return zookeeper.createClient(NO_SERVER, { ...fresh, ...taken });
}

function answer<Value>(reply: Reply<Value>, error: LibraryError, value: Value): void {
  if (error === null || error === undefined) reply({ ok: true, value });
  else reply({ ok: false, code: codeOf(error) });
}

function codeOf(error: Error | zookeeper.Exception): number {
  return 'code' in error && typeof error.code === 'number' ? error.code : zookeeper.Exception.SYSTEM_ERROR;
}
