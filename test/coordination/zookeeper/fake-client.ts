import type {
  ClientEvents,
  ClientFactory,
  ClientOptions,
  EncodedOperation,
  NodeContent,
  NodeStat,
  Reply,
  SessionIdentity,
  ZooKeeperClient,
} from '../../../src/coordination/zookeeper/zookeeper-client.ts';
import type { MonotonicMillis } from '../../../src/model/numbers.ts';

interface FakeRequest {
  readonly kind: 'stat' | 'content' | 'children' | 'commit';
  readonly path: string;
  readonly watcher: (() => void) | null;
  readonly reply: Reply<never>;
}

/** A client whose server is the test: nothing is answered before the test says so. */
export class FakeClient implements ZooKeeperClient {
  readonly options: ClientOptions;
  readonly #events: ClientEvents;
  readonly requests: FakeRequest[] = [];
  readonly drops: string[] = [];
  isConnected = false;
  attemptSinceMs: MonotonicMillis | null = null;
  timeoutMs: number;
  isHopeless = false;
  server = 'fake:1';
  connects = 0;
  closesSent = 0;
  isDiscarded = false;

  constructor(options: ClientOptions, events: ClientEvents) {
    this.options = options;
    this.#events = events;
    this.timeoutMs = options.sessionTimeoutMs;
  }

  get identity(): SessionIdentity {
    return this.options.identity ?? { sessionId: new Uint8Array(8).fill(7), password: new Uint8Array(16) };
  }

  connect(): void {
    this.connects += 1;
  }

  stat(path: string, watcher: (() => void) | null, reply: Reply<NodeStat | null>): void {
    this.#push({ kind: 'stat', path, watcher, reply });
  }

  content(path: string, reply: Reply<NodeContent>): void {
    this.#push({ kind: 'content', path, watcher: null, reply });
  }

  children(path: string, watcher: (() => void) | null, reply: Reply<readonly string[]>): void {
    this.#push({ kind: 'children', path, watcher, reply });
  }

  commit(parts: readonly EncodedOperation[], reply: Reply<readonly number[]>): void {
    this.#push({ kind: 'commit', path: parts[0]?.path ?? '', watcher: null, reply });
  }

  drop(reason: string): void {
    this.drops.push(reason);
  }

  sendClose(): void {
    if (this.isConnected) this.closesSent += 1;
  }

  discard(): void {
    this.isDiscarded = true;
    this.isConnected = false;
  }

  // What the server and the network do

  accept(): void {
    this.#events.accepted();
  }

  grant(): void {
    this.isConnected = true;
    this.#events.connected();
  }

  lose(): void {
    this.isConnected = false;
    this.#events.disconnected();
  }

  expire(): void {
    this.isConnected = false;
    this.#events.expired();
    this.#events.disconnected();
    this.#events.closed();
  }

  end(): void {
    this.isConnected = false;
    this.#events.disconnected();
    this.#events.closed();
  }

  /** Answers the oldest request well, or with a code. */
  answer(value: unknown, code = 0): void {
    const request = this.requests.shift();
    if (request === undefined) throw new Error('nothing was asked');
    request.reply(code === 0 ? { ok: true, value: value as never } : { ok: false, code });
  }

  #push(request: Omit<FakeRequest, 'reply'> & { readonly reply: unknown }): void {
    if (!this.isConnected) throw new Error(`asked for ${request.path} without a connection`);
    this.requests.push(request as FakeRequest);
  }
}

/** Keeps every client that is made. */
export class FakeClients {
  readonly all: FakeClient[] = [];
  readonly create: ClientFactory = (options, events) => {
    const client = new FakeClient(options, events);
    this.all.push(client);
    return client;
  };

  get last(): FakeClient {
    const client = this.all.at(-1);
    if (client === undefined) throw new Error('no client was made');
    return client;
  }
}
