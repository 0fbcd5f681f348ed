import type { ControlMessage } from '../model/control-messages.ts';
import { LIMITS } from '../model/limits.ts';
import { asEpochMillis, type EpochMillis, type NodeId } from '../model/numbers.ts';
import type { PeerMessage } from '../replication/messages.ts';
import { type EncodedMessage, encodeNodeMessage } from './convert/node-message.ts';
import type { FramePart } from './frame.ts';
import { ChannelClass } from './generated/caskade/v1/common.ts';
import type { NodeIdentity } from './hello.ts';
import { MESSAGES_FIELD, PAYLOAD_FIELD, PEER_SEND } from './methods.ts';
import type { OutgoingOptions } from './outgoing-stream.ts';
import type { PeerAddress } from './peer-link.ts';
import { PeerLinks, type RpcDoors } from './peer-links.ts';

export interface PeerNetworkHost {
  /** The process of that node refuses connections (R7, R9); again every 100 ms while it does. Never of ourselves. */
  refused(node: NodeId): void;
}

export interface OpenLink {
  readonly node: NodeId;
  readonly openedAtMs: EpochMillis;
  readonly queuedBytes: number;
}

export interface PeerNetworkCounts {
  sent: number;
  /** Lost here: nobody of that name, no stream, or too much waits for it. */
  dropped: number;
}

const { CHANNEL_CLASS_TAIL: TAIL, CHANNEL_CLASS_BULK: BULK, CHANNEL_CLASS_CONTROL: CONTROL } = ChannelClass;

const SEND = { method: PEER_SEND, isHurried: true, reader: null };

const STREAMS: readonly (readonly [ChannelClass, OutgoingOptions])[] = [
  [TAIL, { ...SEND, queueBytesMax: LIMITS.tailQueueBytesMax }],
  [BULK, { ...SEND, queueBytesMax: LIMITS.bulkQueueBytesMax }],
  [CONTROL, { ...SEND, queueBytesMax: LIMITS.controlQueueBytesMax }],
];

/**
 * Carries messages to the other nodes of a cluster, or loses them without a word: every message of the protocol is said
 * again by a timer. To each node there are three streams on three connections, so that neither a lease nor a small
 * fetch reply is ever behind a large one (PROTOCOL R8). Sending never waits.
 */
export class PeerNetwork {
  readonly counts: PeerNetworkCounts = { sent: 0, dropped: 0 };
  readonly #links: PeerLinks;

  constructor(self: NodeIdentity, doors: RpcDoors, host: PeerNetworkHost) {
    this.#links = new PeerLinks(self, doors, () => STREAMS, {
      refused: (node) => host.refused(node),
      opened: () => {},
      broken: () => {},
    });
  }

  /** Who is alive, and where, as the coordinator has it; ourselves left out. Streams to all others are closed. */
  setPeers(peers: readonly PeerAddress[]): void {
    this.#links.setPeers(peers);
  }

  /** This node has begun a new life, in the same process: streams introduce it anew. */
  identityChanged(): void {
    this.#links.reopen();
  }

  sendPeer(to: NodeId, message: PeerMessage): void {
    this.#send(to, message);
  }

  sendControl(to: NodeId, message: ControlMessage): void {
    this.#send(to, message);
  }

  /** All streams to that node are open. */
  isConnected(node: NodeId): boolean {
    const link = this.#links.get(node);
    return link?.isOpen(TAIL) === true && link.isOpen(BULK) && link.isOpen(CONTROL);
  }

  /** To which nodes this one speaks, since when, and how much waits to be sent. */
  get links(): readonly OpenLink[] {
    return this.#links.open.map(({ nodeId: node, openedAtMs, queuedBytes }) => ({
      node,
      openedAtMs: openedAtMs ?? asEpochMillis(0),
      queuedBytes,
    }));
  }

  /** Of all that waits to be sent. */
  get queuedBytes(): number {
    return this.#links.queuedBytes;
  }

  /** What waits is sent, as long as the others take it and `withinMs` is not over; then nothing is left open. */
  stop(withinMs: number): Promise<void> {
    return this.#links.stop(withinMs);
  }

  #send(to: NodeId, message: PeerMessage | ControlMessage): void {
    const link = this.#links.get(to);
    const isSent = link?.send(channelOf(message), partOf(encodeNodeMessage(message))) ?? false;
    if (isSent) this.counts.sent += 1;
    else this.counts.dropped += 1;
  }
}

function channelOf(message: PeerMessage | ControlMessage): ChannelClass {
  switch (message.kind) {
    case 'fetch':
    case 'fetchProgress':
      return TAIL;
    case 'fetchReply': {
      const { outcome } = message;
      return outcome.result === 'data' && outcome.bytes.length > LIMITS.tailReplyBytesMax ? BULK : TAIL;
    }
    default:
      return CONTROL;
  }
}

function partOf({ head, payload }: EncodedMessage): FramePart {
  const tail = payload === null ? [] : [payload];
  return { field: MESSAGES_FIELD, head, tailField: PAYLOAD_FIELD, tail };
}
