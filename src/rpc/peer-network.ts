import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { ControlMessage } from '../model/control-messages.ts';
import { LIMITS } from '../model/limits.ts';
import type { NodeId } from '../model/numbers.ts';
import type { PeerMessage } from '../replication/messages.ts';
import { type EncodedMessage, encodeNodeMessage } from './convert/node-message.ts';
import { finishWithin } from './finish-within.ts';
import type { FramePart } from './frame.ts';
import { ChannelClass } from './generated/caskade/v1/common.ts';
import type { NodeIdentity } from './hello.ts';
import { MESSAGES_FIELD, PAYLOAD_FIELD, PEER_SEND } from './methods.ts';
import type { OutgoingOptions } from './outgoing-stream.ts';
import { type PeerAddress, PeerLink, type PeerLinkHost, type PeerLinkParts } from './peer-link.ts';
import { SeldomWarning } from './seldom-warning.ts';

export interface PeerNetworkDoors {
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PeerNetworkHost {
  /** The process of that node refuses connections (R7, R9); again every 100 ms while it does. Never of ourselves. */
  refused(node: NodeId): void;
}

export interface PeerNetworkCounts {
  sent: number;
  /** Lost here: nobody of that name, no stream, or too much waits for it. */
  dropped: number;
}

const { CHANNEL_CLASS_TAIL: TAIL, CHANNEL_CLASS_BULK: BULK, CHANNEL_CLASS_CONTROL: CONTROL } = ChannelClass;

const STREAMS: ReadonlyMap<ChannelClass, OutgoingOptions> = new Map([
  [TAIL, { method: PEER_SEND, queueBytesMax: LIMITS.tailQueueBytesMax, reader: null }],
  [BULK, { method: PEER_SEND, queueBytesMax: LIMITS.bulkQueueBytesMax, reader: null }],
  [CONTROL, { method: PEER_SEND, queueBytesMax: LIMITS.controlQueueBytesMax, reader: null }],
]);

/**
 * Carries messages to the other nodes of a cluster, or loses them without a word: every message of the protocol is said
 * again by a timer. To each node there are three streams on three connections, so that neither a lease nor a small
 * fetch reply is ever behind a large one (PROTOCOL R8). Sending never waits.
 */
export class PeerNetwork {
  readonly counts: PeerNetworkCounts = { sent: 0, dropped: 0 };
  readonly #self: NodeIdentity;
  readonly #parts: PeerLinkParts;
  readonly #host: PeerLinkHost;
  readonly #clock: Clock;
  readonly #links = new Map<NodeId, PeerLink>();
  #isStopped = false;

  constructor(self: NodeIdentity, doors: PeerNetworkDoors, host: PeerNetworkHost) {
    const { clock, logger } = doors;
    this.#self = self;
    this.#clock = clock;
    const warning = new SeldomWarning(clock, logger);
    this.#parts = { self, clock, logger, warning, streams: STREAMS };
    this.#host = { refused: (node) => host.refused(node), opened: () => {}, broken: () => {} };
  }

  /** Who is alive, and where, as the coordinator has it; ourselves left out. Streams to all others are closed. */
  setPeers(peers: readonly PeerAddress[]): void {
    if (this.#isStopped) return;
    const others = new Map(peers.map((peer) => [peer.nodeId, peer]));
    others.delete(this.#self.nodeId);
    for (const [node, link] of this.#links) {
      if (others.has(node)) continue;
      link.close();
      this.#links.delete(node);
    }
    for (const [node, peer] of others) {
      const link = this.#links.get(node);
      if (link !== undefined) link.update(peer);
      else this.#links.set(node, new PeerLink(peer, this.#parts, this.#host));
    }
  }

  /** This node has begun a new life, in the same process: streams introduce it anew. */
  identityChanged(): void {
    for (const link of this.#links.values()) link.reopen();
  }

  sendPeer(to: NodeId, message: PeerMessage): void {
    this.#send(to, message);
  }

  sendControl(to: NodeId, message: ControlMessage): void {
    this.#send(to, message);
  }

  /** Both streams of data and leases to that node are open. */
  isConnected(node: NodeId): boolean {
    const link = this.#links.get(node);
    return link?.isOpen(TAIL) === true && link.isOpen(BULK) && link.isOpen(CONTROL);
  }

  get queuedBytes(): number {
    return [...this.#links.values()].reduce((sum, link) => sum + link.queuedBytes, 0);
  }

  /** What waits is sent, as long as the others take it and `withinMs` is not over; then nothing is left open. */
  async stop(withinMs: number): Promise<void> {
    this.#isStopped = true;
    const links = [...this.#links.values()];
    this.#links.clear();
    await finishWithin(
      this.#clock,
      withinMs,
      links.map((link) => link.finish()),
    );
    for (const link of links) link.close();
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
