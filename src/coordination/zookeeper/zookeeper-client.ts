import type { MonotonicMillis } from '../../model/numbers.ts';
import type { LibraryServer } from './library-internals.ts';

/** A session as a server knows it: who has both may take it over, and end it. */
export interface SessionIdentity {
  /** 8 bytes. */
  readonly sessionId: Uint8Array;
  /** 16 bytes. */
  readonly password: Uint8Array;
}

/** ZooKeeper's code of a failure (KeeperException.Code), also one that the library does not know. */
export type Answer<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly code: number };

export type Reply<Value> = (answer: Answer<Value>) => void;

export interface NodeStat {
  readonly version: number;
  /** 8 bytes; all zero: not ephemeral. */
  readonly ephemeralOwner: Uint8Array;
}

export interface NodeContent {
  readonly bytes: Uint8Array;
  readonly stat: NodeStat;
}

/** One part of a multi, its path absolute, its data encoded. `isOurs`: nobody else may touch it, if we authenticate. */
export type EncodedOperation =
  | { readonly kind: 'check' | 'delete'; readonly path: string; readonly version: number }
  | { readonly kind: 'set'; readonly path: string; readonly bytes: Buffer; readonly version: number }
  | {
      readonly kind: 'create';
      readonly path: string;
      readonly bytes: Buffer;
      readonly ephemeral: boolean;
      readonly isOurs: boolean;
    };

export interface ClientOptions {
  readonly servers: readonly LibraryServer[];
  readonly sessionTimeoutMs: number;
  /** `USER:PASSWORD` of the digest scheme, or nothing. */
  readonly auth: string;
  /** A session to take over; null: a fresh one. */
  readonly identity: SessionIdentity | null;
}

/** Told from inside the client: whoever hears it notes it, and acts later (W5). */
export interface ClientEvents {
  /** A server has taken the connection; whether it gives us the session is not known yet (W14). */
  accepted(): void;
  connected(): void;
  /** The connection is gone; the client looks for the next server by itself. */
  disconnected(): void;
  /** The server says that the session has expired. Nothing follows but `closed`. */
  expired(): void;
  /** The client has ended and connects no more. */
  closed(): void;
}

/**
 * One session's client (W1): what stands between the session and the library, so that a test can take its place. Every
 * request must be made while `isConnected`, and is answered once, unless the server hangs.
 */
export interface ZooKeeperClient {
  readonly isConnected: boolean;
  /** Since when the attempt under way lasts; null: none is. */
  readonly attemptSinceMs: MonotonicMillis | null;
  /** T: what the server granted, before that what we ask for. */
  readonly timeoutMs: number;
  readonly identity: SessionIdentity;
  /** `HOST:PORT` that is connected, or tried. */
  readonly server: string;
  /** It connects and is dropped again and again: no use going on with this session (W3). */
  readonly isHopeless: boolean;
  connect(): void;
  /** Null: no such node; `watcher`, if any, then waits for it to appear. */
  stat(path: string, watcher: (() => void) | null, reply: Reply<NodeStat | null>): void;
  content(path: string, reply: Reply<NodeContent>): void;
  children(path: string, watcher: (() => void) | null, reply: Reply<readonly string[]>): void;
  /** All or nothing; the version of the node each part wrote, or -1. */
  commit(parts: readonly EncodedOperation[], reply: Reply<readonly number[]>): void;
  /** Gives this connection up: the next server is tried. */
  drop(reason: string): void;
  /** Asks the server to end the session, if connected. */
  sendClose(): void;
  /** No connection, no event and no timer from here on, whatever state it was in (H9). */
  discard(): void;
}

export type ClientFactory = (options: ClientOptions, events: ClientEvents) => ZooKeeperClient;
