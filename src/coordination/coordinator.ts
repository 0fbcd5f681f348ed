/**
 * The door to ZooKeeper (PROTOCOL 1.3). Every operation resolves to a typed outcome, never rejects for what the outside
 * did, and has a deadline. `unknown`: a write may or may not have happened; read again and compare (W4). `sessionLost`:
 * this session is over for good (W5).
 */
export type Failure =
  | 'badVersion'
  | 'noNode'
  | 'nodeExists'
  | 'notEmpty'
  | 'sessionLost'
  /** Not connected, or timed out; a write may have happened. */
  | 'unknown';

export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly failure: Failure };

export interface ReadNode {
  readonly data: unknown;
  readonly version: number;
  /** True if it belongs to this session and goes with it. */
  readonly isMine: boolean;
}

/** One part of a multi. All happen or none does. `data` is JSON. */
export type Operation =
  | { readonly kind: 'check'; readonly path: string; readonly version: number }
  | { readonly kind: 'create'; readonly path: string; readonly data: unknown; readonly ephemeral: boolean }
  | { readonly kind: 'set'; readonly path: string; readonly data: unknown; readonly version: number }
  | { readonly kind: 'delete'; readonly path: string; readonly version: number };

/** What a multi's part left behind: the version of the node it wrote; -1 where it wrote none. */
export type MultiResult = readonly number[];

export type SessionState = 'connecting' | 'connected' | 'suspended' | 'lost';

/**
 * One session (W1). When it is lost it stays lost: whoever owns it opens a new one through the `CoordinatorFactory`, under a new
 * incarnation of the node.
 */
export interface CoordinatorSession {
  readonly state: SessionState;
  /** Told of every change of `state`; never from inside a call of ours. */
  onState(listener: (state: SessionState) => void): void;
  read(path: string): Promise<Outcome<ReadNode>>;
  /** Names of the children, sorted. */
  list(path: string): Promise<Outcome<readonly string[]>>;
  create(path: string, data: unknown, options: { readonly ephemeral: boolean }): Promise<Outcome<number>>;
  /** Version -1: whatever it is now. Resolves to the new version. */
  set(path: string, data: unknown, version: number): Promise<Outcome<number>>;
  remove(path: string, version: number): Promise<Outcome<null>>;
  /** On failure `failure` is that of the first part that failed. */
  multi(operations: readonly Operation[]): Promise<Outcome<MultiResult>>;
  /** A read that comes after it on this session is at least as fresh as the moment it was asked (W7). */
  barrier(): Promise<Outcome<null>>;
  /**
   * Level-triggered (W11): calls back soon after the node, or the list of its children, may have changed, on every
   * reconnect, and every now and then. The listener reads for itself. Returns how to stop.
   */
  observe(path: string, of: 'node' | 'children', listener: () => void): () => void;
  /** Ends the session on purpose: its ephemeral nodes go. */
  close(): Promise<void>;
}

export interface CoordinatorFactory {
  /** A fresh session that begins to connect at once. */
  open(): CoordinatorSession;
}
