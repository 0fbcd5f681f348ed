import type { handleUnaryCall, ServiceError, UntypedServiceImplementation } from '@grpc/grpc-js';
import { Channel } from '../../src/client/channel.ts';
import { ClusterMap, type MapSource, type Router } from '../../src/cluster/index.ts';
import { SystemClock } from '../../src/env/clock.ts';
import { asNodeId, SLOT_COUNT } from '../../src/model/numbers.ts';
import type { ClusterFacts, NodeRegistration } from '../../src/model/partition-state.ts';
import {
  Acks,
  DeleteRequest,
  type DeleteResponse,
  ExpireRequest,
  type ExpireResponse,
  GetRequest,
  type GetResponse,
  SetRequest,
  type SetResponse,
  TtlRequest,
  type TtlResponse,
} from '../../src/rpc/generated/caskade/v1/kv.ts';
import { bufferOf, KEY_VALUE, type KeyValueMethod } from '../../src/rpc/kv-methods.ts';
import { keyValueService } from '../../src/rpc/kv-service.ts';
import { RpcServer, type RpcService } from '../../src/rpc/rpc-server.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import { lifeOf, partitionState } from '../support/partition-states.ts';

export interface KeyValueNodeOptions {
  readonly map?: MapSource | null;
  readonly port?: number;
  readonly valueBytesMax?: number;
  readonly writeTimeoutMs?: number;
}

/** A server on the loopback with the KeyValue service over any router, and calls to it as they are on the wire. */
export class KeyValueNode {
  readonly clock = new SystemClock();
  readonly logger = new CollectingLogger();
  readonly service: RpcService;
  readonly server: RpcServer;
  /** Calls that came. */
  callCount = 0;
  address = '';
  #channel: Channel | null = null;

  private constructor(router: Router, options: KeyValueNodeOptions) {
    const { clock, logger } = this;
    const { map = null, valueBytesMax = 1024, writeTimeoutMs = 5_000 } = options;
    this.service = keyValueService({ router, map, clock, logger, valueBytesMax, writeTimeoutMs });
    this.server = new RpcServer(
      { host: '127.0.0.1', port: options.port ?? 0 },
      [this.#counted(this.service)],
      clock,
    );
  }

  static async start(router: Router, options: KeyValueNodeOptions = {}): Promise<KeyValueNode> {
    const node = new KeyValueNode(router, options);
    node.address = `127.0.0.1:${await node.server.listen()}`;
    node.#channel = new Channel(node.address);
    await node.#channel.connect(Date.now() + 5_000);
    return node;
  }

  async stop(withinMs = 0): Promise<void> {
    this.#channel?.close();
    await this.server.stop(withinMs);
  }

  get(key: string, deadlineMs?: number): Promise<GetResponse> {
    return this.raw(KEY_VALUE.get, bufferOf(GetRequest, { key: bytes(key) }), deadlineMs);
  }

  set(
    key: string,
    value: string,
    { acks = Acks.ACKS_ALL, expiry, deadlineMs }: SetChoice = {},
  ): Promise<SetResponse> {
    const request = { key: bytes(key), value: bytes(value), expiry, acks };
    return this.raw(KEY_VALUE.set, bufferOf(SetRequest, request), deadlineMs);
  }

  delete(key: string, acks = Acks.ACKS_ALL, deadlineMs?: number): Promise<DeleteResponse> {
    return this.raw(KEY_VALUE.delete, bufferOf(DeleteRequest, { key: bytes(key), acks }), deadlineMs);
  }

  expire(key: string, expiry: ExpireRequest['expiry'], acks = Acks.ACKS_ALL): Promise<ExpireResponse> {
    return this.raw(KEY_VALUE.expire, bufferOf(ExpireRequest, { key: bytes(key), expiry, acks }));
  }

  ttl(key: string): Promise<TtlResponse> {
    return this.raw(KEY_VALUE.ttl, bufferOf(TtlRequest, { key: bytes(key) }));
  }

  raw<Response>(
    method: KeyValueMethod<Response>,
    request: Buffer,
    deadlineMs = Number.POSITIVE_INFINITY,
  ): Promise<Response> {
    if (this.#channel === null) throw new Error('the node is not started');
    return this.#channel.call(method, request, Date.now() + deadlineMs);
  }

  /** Of the calls that are under way. */
  cancelCalls(): void {
    this.#channel?.close();
  }

  #counted(service: RpcService): RpcService {
    const implementation: UntypedServiceImplementation = {};
    for (const [name, handler] of Object.entries(service.implementation)) {
      const unary = handler as handleUnaryCall<Buffer, unknown>;
      implementation[name] = (call: Parameters<typeof unary>[0], answer: Parameters<typeof unary>[1]) => {
        this.callCount += 1;
        unary(call, answer);
      };
    }
    const { name, definition, messageBytesMax = 0 } = service;
    return { name, definition, messageBytesMax, implementation, endStreams: () => service.endStreams() };
  }
}

interface SetChoice {
  readonly acks?: Acks;
  readonly expiry?: SetRequest['expiry'];
  readonly deadlineMs?: number;
}

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** How a call failed: its status, and what stands in `caskade-error`, `caskade-version` and `caskade-leader`. */
export interface Failure {
  readonly code: number;
  readonly error: string | undefined;
  readonly version: string | undefined;
  readonly leader: string | undefined;
  readonly details: string;
}

export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  try {
    await call;
  } catch (thrown) {
    const { code, metadata, details } = thrown as ServiceError;
    const of = (key: string): string | undefined => metadata.get(key)[0]?.toString();
    return {
      code,
      error: of('caskade-error'),
      version: of('caskade-version'),
      leader: of('caskade-leader'),
      details,
    };
  }
  throw new Error('the call was answered');
}

/** A map of one partition, as node `self` has heard of it: led in epoch 5 by `leader`, which listens at `address`. */
export function mapOf(self: number, leader: number | null, address: () => string): MapSource {
  const facts: ClusterFacts = {
    clusterId: 'c'.repeat(32),
    version: 1,
    replicationFactor: 3,
    minInsync: 2,
    flushMode: 'always',
    leaseMsMax: 600,
    slots: [[0, SLOT_COUNT - 1, 0]],
  };
  const nodes = (): NodeRegistration[] =>
    leader === null
      ? []
      : [{ nodeId: asNodeId(leader), incarnation: lifeOf(leader), addresses: { rpc: address() }, rack: '' }];
  return {
    self: asNodeId(self),
    get map() {
      return ClusterMap.of(facts, nodes(), () => partitionState({ leader }));
    },
    onChange: () => () => {},
  };
}
