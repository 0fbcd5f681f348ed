/**
 * What clients asked and were told: the input of the linearizability checker. Every attempt is an operation of its own; a retry
 * without a producer id is another one.
 */

export type Action =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'set'; readonly key: string; readonly value: string; readonly dueMs: number }
  | { readonly kind: 'setIfAbsent'; readonly key: string; readonly value: string }
  | {
      readonly kind: 'compareAndSet';
      readonly key: string;
      /** Null: the key must not exist. */
      readonly expected: string | null;
      readonly value: string;
    }
  /** WATCH and EXEC: succeeds if nothing was written to the key since the read that gave `version`, when it held `expected`. */
  | {
      readonly kind: 'setIfUnchanged';
      readonly key: string;
      readonly version: number;
      readonly expected: string | null;
      readonly value: string;
    }
  | { readonly kind: 'increment'; readonly key: string }
  | { readonly kind: 'delete'; readonly key: string }
  /** Wall clock time; the leader's clock decides when it has come. */
  | { readonly kind: 'expireAt'; readonly key: string; readonly dueMs: number }
  | { readonly kind: 'multiSet'; readonly keys: readonly string[]; readonly values: readonly string[] }
  | { readonly kind: 'multiGet'; readonly keys: readonly string[] }
  | { readonly kind: 'multiDelete'; readonly keys: readonly string[] }
  /** FLUSHDB, of one partition: every key of it goes, at one instant (R15). */
  | { readonly kind: 'flush' };

/**
 * `done`: with this reply. `unknown`: it may take effect at any time after its invocation, or never. `refused`: it has
 * no effect, ever.
 */
export type Outcome =
  | {
      readonly kind: 'done';
      readonly reply: string;
      /** Wall clock of the node when it took the value, for keys that are due by it (R4). */
      readonly wallMs?: number;
      /** Of a read of one key: offset of the newest committed record that it rests on. */
      readonly version?: number;
    }
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

export interface Operation {
  readonly id: number;
  readonly client: number;
  readonly partition: number;
  readonly action: Action;
  /** `leader`: linearizable. `follower`: within the staleness bound. */
  readonly consistency: 'leader' | 'follower';
  /** Positions in the one order of everything that happened; no two are equal. */
  readonly invoked: number;
  /** Infinity while nothing was answered. */
  readonly returned: number;
  /** True time, known to the simulator alone. */
  readonly invokedAtMs: number;
  readonly returnedAtMs: number;
  readonly outcome: Outcome;
}

/**
 * Keys that an action names. Two keys of one action belong to one unit of the checker. A flush names none: it is an
 * operation on every unit of its partition.
 */
export function keysOf(action: Action): readonly string[] {
  if (action.kind === 'flush') return [];
  return 'keys' in action ? action.keys : [action.key];
}

export function isRead(action: Action): boolean {
  return action.kind === 'get' || action.kind === 'multiGet';
}

/** Replies as text, so that two can be compared: OK, nil, =value, :integer, -error, [=value,nil]. */
export const Replies = {
  ok: 'OK',
  nil: 'nil',
  typeError: '-not an integer',
  value: (text: string | null): string => (text === null ? 'nil' : `=${text}`),
  integer: (value: number): string => `:${value}`,
  values: (texts: readonly (string | null)[]): string => `[${texts.map(Replies.value).join(',')}]`,
} as const;

/** True if this reply says that the action changed nothing, whatever the state was. */
export function changedNothing(action: Action, reply: string): boolean {
  switch (action.kind) {
    case 'get':
    case 'multiGet':
      return true;
    case 'set':
    case 'multiSet':
    case 'flush':
      return false;
    case 'setIfAbsent':
      return reply === Replies.nil;
    case 'increment':
      return reply === Replies.typeError;
    case 'compareAndSet':
    case 'setIfUnchanged':
    case 'delete':
    case 'expireAt':
    case 'multiDelete':
      return reply === Replies.integer(0);
  }
}

/** Values that a reply shows. */
export function valuesIn(reply: string): readonly string[] {
  return [...reply.matchAll(/=([^,\]]*)/g)].map((match) => match[1] as string);
}

export function describeAction(action: Action): string {
  switch (action.kind) {
    case 'get':
      return `GET ${action.key}`;
    case 'set':
      return `SET ${action.key} ${action.value}${action.dueMs === 0 ? '' : ` PXAT ${action.dueMs}`}`;
    case 'setIfAbsent':
      return `SET ${action.key} ${action.value} NX`;
    case 'compareAndSet':
      return `CAS ${action.key} ${action.expected ?? 'nil'} -> ${action.value}`;
    case 'setIfUnchanged':
      return `WATCH ${action.key} at ${action.version} (${action.expected ?? 'nil'}) EXEC SET ${action.value}`;
    case 'increment':
      return `INCR ${action.key}`;
    case 'delete':
      return `DEL ${action.key}`;
    case 'expireAt':
      return `PEXPIREAT ${action.key} ${action.dueMs}`;
    case 'multiSet':
      return `MSET ${action.keys.map((key, at) => `${key} ${action.values[at]}`).join(' ')}`;
    case 'multiGet':
      return `MGET ${action.keys.join(' ')}`;
    case 'multiDelete':
      return `DEL ${action.keys.join(' ')}`;
    case 'flush':
      return 'FLUSHDB';
  }
}

export function describeOutcome(outcome: Outcome): string {
  return outcome.kind === 'done' ? outcome.reply : `${outcome.kind} (${outcome.reason})`;
}

interface OpenOperation {
  readonly operation: Omit<Operation, 'returned' | 'returnedAtMs' | 'outcome'>;
}

/** Records operations as they begin and end. */
export class History {
  readonly #open = new Map<number, OpenOperation>();
  readonly #closed: Operation[] = [];
  readonly #nowMs: () => number;
  #position = 0;
  #nextId = 1;
  #checkedCount = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** How many operations were answered or left in doubt so far: those that tell something. */
  get checkedCount(): number {
    return this.#checkedCount;
  }

  /** How many operations are waiting for their answer. */
  get inFlight(): number {
    return this.#open.size;
  }

  invoke(
    client: number,
    partition: number,
    action: Action,
    consistency: Operation['consistency'] = 'leader',
  ): number {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#position += 1;
    const invokedAtMs = this.#nowMs();
    this.#open.set(id, {
      operation: { id, client, partition, action, consistency, invoked: this.#position, invokedAtMs },
    });
    return id;
  }

  /** Takes an operation's first outcome; later ones (a reply after the client gave up) are ignored. */
  complete(id: number, outcome: Outcome): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    this.#position += 1;
    const isUnknown = outcome.kind === 'unknown';
    if (outcome.kind !== 'refused') this.#checkedCount += 1;
    this.#closed.push({
      ...open.operation,
      outcome,
      returned: isUnknown ? Number.POSITIVE_INFINITY : this.#position,
      returnedAtMs: this.#nowMs(),
    });
  }

  /** Everything so far, in order of invocation; what is still open is unknown. */
  operations(): readonly Operation[] {
    const returnedAtMs = this.#nowMs();
    const open = [...this.#open.values()].map(
      ({ operation }): Operation => ({
        ...operation,
        outcome: { kind: 'unknown', reason: 'no answer when the run ended' },
        returned: Number.POSITIVE_INFINITY,
        returnedAtMs,
      }),
    );
    return [...this.#closed, ...open].sort((left, right) => left.invoked - right.invoked);
  }
}
