import type { MethodDefinition } from '@grpc/grpc-js';
import {
  DeleteResponse,
  ExpireResponse,
  GetResponse,
  type MessageFns,
  SetResponse,
  TtlResponse,
} from './generated/caskade/v1/kv.ts';
import { encodeMessage } from './message-writer.ts';

/** Requests are bytes to gRPC: they are read where it is known how to refuse one that cannot be. */
export type KeyValueMethod<Response> = MethodDefinition<Buffer, Response>;

const asIs = (request: Buffer): Buffer => request;

function method<Response>(name: string, response: MessageFns<Response>): KeyValueMethod<Response> {
  return {
    path: `/caskade.v1.KeyValue/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: (message) => bufferOf(response, message),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

/** The bytes of a message, not copied once more. */
export function bufferOf<Message>(fns: MessageFns<Message>, message: Message): Buffer {
  const { buffer, byteOffset, length } = encodeMessage(fns, message);
  return Buffer.from(buffer, byteOffset, length);
}

export const KEY_VALUE = {
  get: method('Get', GetResponse),
  set: method('Set', SetResponse),
  delete: method('Delete', DeleteResponse),
  expire: method('Expire', ExpireResponse),
  ttl: method('Ttl', TtlResponse),
} as const;
