import type { Clock } from '../env/clock.ts';
import type { Random } from '../env/random.ts';
import { CaskadeError } from '../model/errors.ts';
import {
  type Acks,
  DeleteRequest,
  ExpireRequest,
  GetRequest,
  type MessageFns,
  SetRequest,
  TtlRequest,
} from '../rpc/generated/caskade/v1/kv.ts';
import { bufferOf, KEY_VALUE, type KeyValueMethod } from '../rpc/kv-methods.ts';
import {
  ACKS,
  type AckMode,
  type FoundTtl,
  type FoundValue,
  guaranteeOf,
  versionOf,
  type WriteResult,
} from './answers.ts';
import { LeaderCalls } from './leader-calls.ts';

export interface KeyValueClientOptions {
  /** Of each call, over all its attempts; 5 s by default. */
  readonly timeoutMs?: number;
  /** Of writes that do not say; `all` by default. */
  readonly acks?: AckMode;
}

export interface CallOptions {
  readonly timeoutMs?: number;
}

export interface WriteOptions extends CallOptions {
  readonly acks?: AckMode;
}

/** At most one of the two; none: never. */
export interface Expiry {
  readonly ttlMs?: number;
  /** Milliseconds since 1970. */
  readonly expiresAtMs?: number;
}

/** Bytes, or a text that is sent as UTF-8. */
export type Bytes = Uint8Array | string;

const TIMEOUT_MS = 5_000;

/**
 * A client of the KeyValue service of a cluster. It asks the node that leads the key, as far as it has learnt, follows
 * those that name another one, and sends again what was refused before anything was done, within the deadline of the
 * call. What is in doubt is never sent again.
 *
 * Calls reject with CaskadeError: `InDoubtError` for a write that may have been carried out; any other code says that
 * it was not.
 */
export class KeyValueClient {
  readonly #calls: LeaderCalls;
  readonly #options: Required<KeyValueClientOptions>;

  /** `addresses`: `host:port` of the rpc listener of some of the nodes. */
  constructor(
    addresses: readonly string[],
    doors: { readonly clock: Clock; readonly random: Random },
    { timeoutMs = TIMEOUT_MS, acks = 'all' }: KeyValueClientOptions = {},
  ) {
    this.#calls = new LeaderCalls(addresses, doors);
    this.#options = { timeoutMs, acks };
  }

  /** Resolves with the first of the addresses that answers; rejects with `connectionFailed`. Calls connect by themselves. */
  connect(timeoutMs = this.#options.timeoutMs): Promise<string> {
    return this.#calls.connect(timeoutMs);
  }

  async get(key: Bytes, options: CallOptions = {}): Promise<FoundValue> {
    const request = { key: bytesOf(key) };
    const answer = await this.#call(KEY_VALUE.get, GetRequest, request, false, options);
    const { found, value, expiresAtMs = null, version } = answer;
    return { value: found ? value : null, expiresAtMs, version: versionOf(version) };
  }

  async set(key: Bytes, value: Bytes, options: Expiry & WriteOptions = {}): Promise<WriteResult> {
    const acks = this.#acksOf(options);
    const request = { key: bytesOf(key), value: bytesOf(value), expiry: expiryOf(options), acks };
    const { version, guarantee } = await this.#call(KEY_VALUE.set, SetRequest, request, true, options);
    return { found: true, version: versionOf(version), guarantee: guaranteeOf(guarantee) };
  }

  async delete(key: Bytes, options: WriteOptions = {}): Promise<WriteResult> {
    const request = { key: bytesOf(key), acks: this.#acksOf(options) };
    const answer = await this.#call(KEY_VALUE.delete, DeleteRequest, request, true, options);
    const { deleted, version, guarantee } = answer;
    return { found: deleted, version: versionOf(version), guarantee: guaranteeOf(guarantee) };
  }

  async expire(key: Bytes, expiry: Expiry, options: WriteOptions = {}): Promise<WriteResult> {
    const request = { key: bytesOf(key), expiry: expiryOf(expiry), acks: this.#acksOf(options) };
    const answer = await this.#call(KEY_VALUE.expire, ExpireRequest, request, true, options);
    const { found, version, guarantee } = answer;
    return { found, version: versionOf(version), guarantee: guaranteeOf(guarantee) };
  }

  async ttl(key: Bytes, options: CallOptions = {}): Promise<FoundTtl> {
    const request = { key: bytesOf(key) };
    const answer = await this.#call(KEY_VALUE.ttl, TtlRequest, request, false, options);
    const { found, ttlMs = null, version } = answer;
    return { found, ttlMs, version: versionOf(version) };
  }

  /** What is under way ends: writes in doubt. */
  close(): void {
    this.#calls.close();
  }

  #call<Request extends { readonly key: Uint8Array }, Response>(
    method: KeyValueMethod<Response>,
    messages: MessageFns<Request>,
    request: Request,
    isWrite: boolean,
    { timeoutMs = this.#options.timeoutMs }: CallOptions,
  ): Promise<Response> {
    const bytes = bufferOf(messages, request);
    return this.#calls.call({ method, bytes, key: request.key, isWrite }, timeoutMs);
  }

  #acksOf({ acks = this.#options.acks }: WriteOptions): Acks {
    return ACKS[acks];
  }
}

function bytesOf(bytes: Bytes): Uint8Array {
  return typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
}

/** Throws `invalidArgument` for what no server could be asked for. */
function expiryOf({ ttlMs, expiresAtMs }: Expiry): SetRequest['expiry'] {
  const amount = ttlMs ?? expiresAtMs;
  if (amount === undefined) return undefined;
  const isOne = ttlMs === undefined || expiresAtMs === undefined;
  if (!isOne || !Number.isSafeInteger(amount) || amount < 0)
    throw new CaskadeError('invalidArgument', `an expiry is one whole number of milliseconds, not ${amount}`);
  return ttlMs === undefined
    ? { $case: 'expiresAtMs', expiresAtMs: amount }
    : { $case: 'ttlMs', ttlMs: amount };
}
