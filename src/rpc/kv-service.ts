import { type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import type { Logger } from '../env/logger.ts';
import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asEpochMillis, type EpochMillis, NO_EXPIRY } from '../model/numbers.ts';
import { CallDeadline } from './call-deadline.ts';
import {
  Acks,
  DeleteRequest,
  type DeleteResponse,
  ExpireRequest,
  type ExpireResponse,
  GetRequest,
  type GetResponse,
  type MessageFns,
  SetRequest,
  type SetResponse,
  TtlRequest,
  type TtlResponse,
} from './generated/caskade/v1/kv.ts';
import { statusOf } from './grpc-errors.ts';
import { KeyValueAdmission } from './kv-admission.ts';
import { KeyValueCall } from './kv-call.ts';
import { KEY_VALUE } from './kv-methods.ts';
import { KeyValueOperations, type KeyValueOperationsParts } from './kv-operations.ts';
import type { RpcService } from './rpc-server.ts';

export interface KeyValueServiceParts extends KeyValueOperationsParts {
  readonly logger: Logger;
  /** The largest value that may be stored. */
  readonly valueBytesMax: number;
  /** Of a call that names no deadline. */
  readonly writeTimeoutMs: number;
}

type Handler<Response> = (call: ServerUnaryCall<Buffer, Response>, answer: sendUnaryData<Response>) => void;

/** The KeyValue service of a node, to be given to its `RpcServer`. */
export function keyValueService(parts: KeyValueServiceParts): RpcService {
  return new KeyValueService(parts);
}

class KeyValueService implements RpcService {
  readonly name = 'caskade.v1.KeyValue';
  readonly definition = KEY_VALUE;
  readonly implementation = {
    get: this.#handler(GetRequest, (request, call) => this.#get(request, call)),
    set: this.#handler(SetRequest, (request, call) => this.#set(request, call)),
    delete: this.#handler(DeleteRequest, (request, call) => this.#delete(request, call)),
    expire: this.#handler(ExpireRequest, (request, call) => this.#expire(request, call)),
    ttl: this.#handler(TtlRequest, (request, call) => this.#ttl(request, call)),
  };

  readonly messageBytesMax: number;
  readonly #parts: KeyValueServiceParts;
  readonly #operations: KeyValueOperations;
  readonly #admission = new KeyValueAdmission();

  constructor(parts: KeyValueServiceParts) {
    this.#parts = parts;
    this.#operations = new KeyValueOperations(parts);
    this.messageBytesMax = parts.valueBytesMax + LIMITS.keyValueOverheadBytesMax;
  }

  endStreams(): void {
    this.#admission.close();
  }

  // The methods

  async #get(_request: GetRequest, call: KeyValueCall): Promise<GetResponse> {
    const { found, value, expiresAtMs, version } = await this.#operations.read(call, true);
    return { found, value, version, ...(expiresAtMs === 0 ? {} : { expiresAtMs }) };
  }

  async #set({ value, expiry, acks }: SetRequest, call: KeyValueCall): Promise<SetResponse> {
    const { valueBytesMax } = this.#parts;
    if (value.length > valueBytesMax)
      throw new CaskadeError(
        'limitExceeded',
        `The value has ${value.length} bytes; ${valueBytesMax} are allowed (storage.valueBytesMax)`,
      );
    const expiresAtMs = expiry === undefined ? NO_EXPIRY : this.#dueTime(expiry, 1);
    const { version, guarantee } = await this.#operations.set(call, value, expiresAtMs, known(acks));
    return { version, guarantee };
  }

  async #delete({ acks }: DeleteRequest, call: KeyValueCall): Promise<DeleteResponse> {
    const { found: deleted, version, guarantee } = await this.#operations.delete(call, known(acks));
    return { deleted, version, guarantee };
  }

  async #expire({ expiry, acks }: ExpireRequest, call: KeyValueCall): Promise<ExpireResponse> {
    if (expiry === undefined)
      throw new CaskadeError('invalidArgument', 'Say when the key is to expire: ttl_ms or expires_at_ms');
    return this.#operations.expire(call, this.#dueTime(expiry, 0), known(acks));
  }

  async #ttl(_request: TtlRequest, call: KeyValueCall): Promise<TtlResponse> {
    const { found, expiresAtMs, version } = await this.#operations.read(call, false);
    if (expiresAtMs === 0) return { found, version };
    return { found, version, ttlMs: Math.max(0, expiresAtMs - this.#parts.clock.wallMs()) };
  }

  #dueTime(expiry: NonNullable<SetRequest['expiry']>, least: number): EpochMillis {
    const [amount, baseMs] =
      expiry.$case === 'ttlMs' ? [expiry.ttlMs, this.#parts.clock.wallMs()] : [expiry.expiresAtMs, 0];
    const dueMs = amount + baseMs;
    if (amount >= least && Number.isSafeInteger(dueMs)) return asEpochMillis(dueMs);
    throw new CaskadeError('invalidArgument', `The expiry is out of range: ${amount} ms`);
  }

  // Around each of them

  #handler<Request extends { readonly key: Uint8Array }, Response>(
    messages: MessageFns<Request>,
    run: (request: Request, call: KeyValueCall) => Promise<Response>,
  ): Handler<Response> {
    return (call, answer) => {
      void this.#serve(call, messages, run).then(
        (response) => answer(null, response),
        (error: unknown) => answer(this.#statusOf(error)),
      );
    };
  }

  async #serve<Request extends { readonly key: Uint8Array }, Response>(
    call: ServerUnaryCall<Buffer, Response>,
    messages: MessageFns<Request>,
    run: (request: Request, call: KeyValueCall) => Promise<Response>,
  ): Promise<Response> {
    const { length } = call.request;
    this.#admission.enter(length);
    try {
      const deadline = new CallDeadline(this.#parts.clock, this.#withinMs(call));
      call.on('cancelled', () => deadline.cancel());
      const request = decoded(messages, call.request);
      return await run(request, new KeyValueCall(request.key, deadline));
    } finally {
      this.#admission.leave(length);
    }
  }

  /** gRPC has read it off its own clock. */
  #withinMs(call: ServerUnaryCall<Buffer, unknown>): number {
    const deadline = call.getDeadline();
    const untilMs = deadline instanceof Date ? deadline.getTime() : deadline;
    if (untilMs === Number.POSITIVE_INFINITY) return this.#parts.writeTimeoutMs;
    const leftMs = untilMs - Date.now();
    return leftMs - Math.min(LIMITS.keyValueMarginMs, leftMs / 10);
  }

  #statusOf(
    error: unknown,
  ): ReturnType<typeof statusOf> | { readonly code: status; readonly details: string } {
    if (error instanceof CaskadeError) return statusOf(error);
    this.#parts.logger.error({ component: 'rpc', err: error }, 'a call of a client failed by a bug');
    return { code: status.INTERNAL, details: 'internal error' };
  }
}

function decoded<Request extends { readonly key: Uint8Array }>(
  messages: MessageFns<Request>,
  bytes: Buffer,
): Request {
  const request = requestOf(messages, bytes);
  const { length } = request.key;
  if (length <= LIMITS.keyBytesMax) return request;
  throw new CaskadeError('limitExceeded', `The key has ${length} bytes; ${LIMITS.keyBytesMax} are allowed`);
}

function requestOf<Request>(messages: MessageFns<Request>, bytes: Buffer): Request {
  try {
    return messages.decode(bytes);
  } catch (error) {
    throw new CaskadeError('invalidArgument', `The request cannot be read: ${String(error)}`, {
      cause: error,
    });
  }
}

function known(acks: Acks): Acks {
  if (acks === Acks.ACKS_UNSPECIFIED) return Acks.ACKS_ALL;
  if (acks === Acks.ACKS_ALL || acks === Acks.ACKS_LEADER || acks === Acks.ACKS_NONE) return acks;
  throw new CaskadeError(
    'invalidArgument',
    `acks is ${Number(acks)}; 1 (all), 2 (leader) and 3 (none) are known`,
  );
}
