import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { expect } from 'chai';
import fc from 'fast-check';
import type { ControlMessage } from '../../src/model/control-messages.ts';
import type { PeerMessage } from '../../src/replication/messages.ts';
import {
  encodeForwardReply,
  encodeForwardRequest,
  forwardReplyFrom,
  forwardRequestFrom,
} from '../../src/rpc/convert/forward.ts';
import { encodeNodeMessage, nodeMessageFrom } from '../../src/rpc/convert/node-message.ts';
import { encodeFrame, type FramePart, fragmentsOf } from '../../src/rpc/frame.ts';
import { FrameReader } from '../../src/rpc/frame-reader.ts';
import type { PeerFrame } from '../../src/rpc/generated/caskade/v1/peer.ts';
import { FORWARD_CODEC, MESSAGES_FIELD, PAYLOAD_FIELD, PEER_CODEC } from '../../src/rpc/methods.ts';
import { forwardReplies, forwardRequests, MESSAGE_KINDS, messagesOf } from './message-values.ts';

type Message = PeerMessage | ControlMessage;

function partOf(message: Message): FramePart {
  const { head, payload } = encodeNodeMessage(message);
  const tail = payload === null ? [] : [payload];
  return { field: MESSAGES_FIELD, head, tailField: PAYLOAD_FIELD, tail };
}

function read(frames: readonly Buffer[]): (Message | null)[] {
  const messages: (Message | null)[] = [];
  const take = (frame: PeerFrame): void => {
    for (const wire of frame.messages) messages.push(nodeMessageFrom(wire)?.message ?? null);
  };
  const reader = new FrameReader(PEER_CODEC, take);
  for (const frame of frames) reader.take(frame);
  return messages;
}

describe('messages between nodes on the wire', () => {
  for (const kind of MESSAGE_KINDS) {
    it(`${kind} comes as it was sent`, () => {
      fc.assert(
        fc.property(messagesOf(kind), (message) => {
          expect(read([encodeFrame([partOf(message)])])).to.deep.equal([message]);
        }),
        { numRuns: 60 },
      );
    });
  }

  it('come in their order, several in a frame or cut into fragments', () => {
    const any = fc.oneof(...MESSAGE_KINDS.map(messagesOf));
    fc.assert(
      fc.property(fc.array(any, { maxLength: 6 }), fc.integer({ min: 1, max: 50 }), (messages, bytesMax) => {
        const parts = messages.map(partOf);
        expect(read([encodeFrame(parts)])).to.deep.equal(messages);
        const fragments = parts.flatMap((part) => [...fragmentsOf(part, bytesMax)]);
        expect(read(fragments.map((fragment) => encodeFrame([fragment])))).to.deep.equal(messages);
      }),
      { numRuns: 60 },
    );
  });

  it('of a later version: fields that are not known are passed over, kinds and values ignored', () => {
    const known: Message[] = fc.sample(messagesOf('leaseStamp'), 1);
    const later = new BinaryWriter()
      .tag(900, WireType.LengthDelimited)
      .string('a field')
      .tag(901, WireType.Varint)
      .uint32(7)
      .finish();
    const laterKind: FramePart = { field: MESSAGES_FIELD, head: later, tailField: 0, tail: [] };
    const laterField: FramePart = { field: 77, head: later, tailField: 0, tail: [] };
    const parts = known.map(partOf).map((part) => ({ ...part, head: Buffer.concat([part.head, later]) }));
    expect(read([encodeFrame([laterField, laterKind, ...parts])])).to.deep.equal([null, ...known]);
  });

  it('an enum value of a later version makes a message that is ignored, not an error', () => {
    // FetchReply (3) { refusal (9): 99 }
    const head = Uint8Array.of(0x1a, 2, 0x48, 99);
    expect(read([encodeFrame([{ field: MESSAGES_FIELD, head, tailField: 0, tail: [] }])])).to.deep.equal([
      null,
    ]);
  });

  it('bytes of a log are plain bytes, of which a slice is a copy', () => {
    const [sent] = fc.sample(
      messagesOf('fetchReply').filter(
        (message) =>
          message.kind === 'fetchReply' &&
          message.outcome.result === 'data' &&
          message.outcome.bytes.length > 0,
      ),
      1,
    );
    const [got] = read([encodeFrame([partOf(sent!)])]);
    if (got?.kind !== 'fetchReply' || got.outcome.result !== 'data') throw new Error('not what was sent');
    expect(Object.getPrototypeOf(got.outcome.bytes)).to.equal(Uint8Array.prototype);
  });
});

describe('forwarded commands on the wire', () => {
  it('requests come as they were sent', () => {
    fc.assert(
      fc.property(forwardRequests, (request) => {
        const frame = FORWARD_CODEC.decode(plain(encodeFrame([encodeForwardRequest(request)])));
        expect(frame.requests.map(forwardRequestFrom)).to.deep.equal([request]);
      }),
    );
  });

  it('replies come as they were sent', () => {
    fc.assert(
      fc.property(forwardReplies, (reply) => {
        const frame = FORWARD_CODEC.decode(plain(encodeFrame([encodeForwardReply(reply)])));
        expect(frame.replies.map(forwardReplyFrom)).to.deep.equal([reply]);
      }),
    );
  });
});

const plain = (frame: Buffer): Uint8Array => new Uint8Array(frame);
