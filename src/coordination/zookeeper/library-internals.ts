import type { Client, Transaction } from 'node-zookeeper-client';

/**
 * What we touch of the insides of node-zookeeper-client 1.1.3 (PROTOCOL 1.2: without that its hazards cannot be
 * closed). The version is pinned by package-lock.json; test/coordination/zookeeper holds each of these facts.
 */
export interface LibrarySocket {
  readonly destroyed: boolean;
  destroy(error?: Error): void;
  once(event: 'connect', listener: () => void): unknown;
}

export interface LibraryServer {
  readonly host: string;
  readonly port: number;
}

export interface LibraryPacket {
  readonly callback: (error: Error) => void;
}

/** States of the library's connection manager. */
export const LIBRARY_STATE = {
  disconnected: 0,
  connecting: 1,
  connected: 2,
  closing: -1,
  closed: -2,
  expired: -3,
  authenticationFailed: -4,
} as const;

export interface ConnectionManager {
  state: number;
  servers: readonly LibraryServer[];
  readonly socket?: LibrarySocket;
  /** Bytes of a reply that is not whole yet. */
  pendingBuffer: Buffer | null;
  /** Requests that were not handed to the socket yet. */
  readonly packetQueue: { queue: LibraryPacket[] };
  readonly watcherManager: { dataWatchers: object; childWatchers: object; existenceWatchers: object };
  updateTimeout(sessionTimeoutMs: number): void;
  findNextServer(found: (server: LibraryServer) => void): void;
  onSocketData: (this: ConnectionManager, chunk: Buffer) => void;
  on(event: 'state', listener: (state: number) => void): void;
  removeAllListeners(event: 'state'): void;
}

export const managerOf = (client: Client): ConnectionManager =>
  (client as unknown as { readonly connectionManager: ConnectionManager }).connectionManager;

/** The parts of a transaction that was not committed yet. */
export const partsOf = (transaction: Transaction): { version?: number }[] =>
  (transaction as unknown as { readonly ops: { version?: number }[] }).ops;
