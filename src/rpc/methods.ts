import type { MethodDefinition } from '@grpc/grpc-js';
import type { FrameCodec } from './frame-reader.ts';
import { ForwardFrame, ForwardReply, ForwardRequest } from './generated/caskade/v1/forward.ts';
import { PeerFrame, PeerMessage } from './generated/caskade/v1/peer.ts';
import type { WholeMessage } from './reassembler.ts';

/**
 * The methods of the streams between nodes. To gRPC a frame is bytes: it was put together without it, and is read
 * where it is known what to do with one that cannot be.
 */
type FrameMethod = MethodDefinition<Buffer, Buffer>;

const asIs = (frame: Buffer): Buffer => frame;

function frameMethod(path: string): FrameMethod {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

export const PEER_SEND = frameMethod('/caskade.v1.Peer/Send');
export const FORWARD_STREAM = frameMethod('/caskade.v1.Forward/Stream');

/** Fields of the frames. */
export const MESSAGES_FIELD = 3;
export const REQUESTS_FIELD = 3;
export const REPLIES_FIELD = 4;
/** `PeerMessage.payload`. */
export const PAYLOAD_FIELD = 15;
/** `ForwardRequest.command`. */
export const COMMAND_FIELD = 12;
/** `ForwardReply.reply`. */
export const REPLY_FIELD = 9;

const EMPTY = { hello: undefined, fragment: undefined } as const;

export const PEER_CODEC: FrameCodec<PeerFrame> = {
  decode: (bytes) => PeerFrame.decode(bytes),
  decodeWhole: ({ field, bytes }: WholeMessage) => ({
    ...EMPTY,
    messages: field === MESSAGES_FIELD ? [PeerMessage.decode(bytes)] : [],
  }),
};

export const FORWARD_CODEC: FrameCodec<ForwardFrame> = {
  decode: (bytes) => ForwardFrame.decode(bytes),
  decodeWhole: ({ field, bytes }: WholeMessage) => ({
    ...EMPTY,
    requests: field === REQUESTS_FIELD ? [ForwardRequest.decode(bytes)] : [],
    replies: field === REPLIES_FIELD ? [ForwardReply.decode(bytes)] : [],
  }),
};
