import { status } from '@grpc/grpc-js';
import type { Incarnation, NodeId } from '../model/numbers.ts';
import { type FramePart, HELLO_FIELD, wholePart } from './frame.ts';
import { type ChannelClass, Hello } from './generated/caskade/v1/common.ts';
import { encodeMessage } from './message-writer.ts';

/** What nodes speak on their streams. Another number is another language; fields may be added within one. */
export const PROTOCOL_VERSION = 1;

/** This node, as it introduces itself. */
export interface NodeIdentity {
  readonly nodeId: NodeId;
  /** Null: not known yet, for the coordinator has not been read. */
  clusterId(): string | null;
  /** The life that it is in. */
  incarnation(): Incarnation;
}

/** Why a stream is ended, as gRPC says it. */
export interface StreamRefusal {
  readonly code: status;
  readonly details: string;
}

export function helloPart(
  self: NodeIdentity,
  clusterId: string,
  target: NodeId,
  channelClass: ChannelClass,
): FramePart {
  const fields = {
    protocolVersion: PROTOCOL_VERSION,
    clusterId,
    nodeId: self.nodeId,
    incarnation: self.incarnation(),
    targetNodeId: target,
    channelClass,
  };
  return wholePart(HELLO_FIELD, encodeMessage(Hello, fields));
}

/** Null: the stream is welcome. UNAVAILABLE may be over by the next attempt, the others not without a person. */
export function refusalOf(
  hello: Hello,
  self: NodeIdentity,
  classes: readonly ChannelClass[],
): StreamRefusal | null {
  const { protocolVersion, nodeId, targetNodeId, channelClass } = hello;
  if (protocolVersion !== PROTOCOL_VERSION)
    return refusal(
      status.UNIMPLEMENTED,
      `node ${nodeId} speaks protocol version ${protocolVersion}, this node ${PROTOCOL_VERSION}: run one version`,
    );
  const clusterId = self.clusterId();
  if (clusterId === null)
    return refusal(status.UNAVAILABLE, 'this node does not know its own cluster yet: try again soon');
  if (hello.clusterId !== clusterId)
    return refusal(
      status.FAILED_PRECONDITION,
      `node ${nodeId} belongs to cluster ${hello.clusterId}, this is node ${self.nodeId} of cluster ${clusterId}: correct its rpc address or its coordinator`,
    );
  if (targetNodeId !== self.nodeId)
    return refusal(
      status.FAILED_PRECONDITION,
      `node ${nodeId} looks for node ${targetNodeId} where node ${self.nodeId} is: two nodes have registered one address`,
    );
  if (!classes.includes(channelClass))
    return refusal(status.INVALID_ARGUMENT, `channel class ${channelClass} has no place on this stream`);
  return null;
}

/** The same attempt may succeed a little later: that is nothing that a person has to know. */
export function passes(code: status): boolean {
  return code === status.UNAVAILABLE || code === status.CANCELLED;
}

export const NO_HELLO: StreamRefusal = {
  code: status.INVALID_ARGUMENT,
  details: 'a stream begins with a Hello',
};

const refusal = (code: status, details: string): StreamRefusal => ({ code, details });
