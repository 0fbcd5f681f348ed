import type { ForwardReply, ForwardRequest } from '../cluster/forward/messages.ts';
import type { ForwardLink, ForwardLinkEvents } from '../cluster/forward/ports.ts';
import { LIMITS } from '../model/limits.ts';
import type { NodeId } from '../model/numbers.ts';
import { encodeForwardRequest, forwardReplyFrom } from './convert/forward.ts';
import { FrameError, FrameReader } from './frame-reader.ts';
import { ChannelClass } from './generated/caskade/v1/common.ts';
import type { NodeIdentity } from './hello.ts';
import { FORWARD_CODEC, FORWARD_STREAM } from './methods.ts';
import type { OutgoingOptions } from './outgoing-stream.ts';
import type { PeerAddress } from './peer-link.ts';
import { PeerLinks, type RpcDoors } from './peer-links.ts';

const FORWARD = ChannelClass.CHANNEL_CLASS_FORWARD;

/**
 * The forwarder's streams to the other nodes, one for each (R23). Unlike messages of the protocol nothing is lost
 * between `opened` and `broken`: what cannot be kept breaks the stream.
 */
export class ForwardLinks implements ForwardLink {
  readonly #links: PeerLinks;
  readonly #events: ForwardLinkEvents;
  readonly #queueBytesMax: number;

  constructor(
    self: NodeIdentity,
    doors: RpcDoors,
    events: ForwardLinkEvents,
    queueBytesMax: number = LIMITS.forwardQueueBytesMax,
  ) {
    this.#events = events;
    this.#queueBytesMax = queueBytesMax;
    this.#links = new PeerLinks(self, doors, (node) => [[FORWARD, this.#optionsTo(node)]], {
      refused: () => {},
      opened: (node) => events.opened(node),
      broken: (node) => events.broken(node),
    });
  }

  /** Who is alive, and where; ourselves left out. */
  setPeers(peers: readonly PeerAddress[]): void {
    this.#links.setPeers(peers);
  }

  /** This node has begun a new life, in the same process. */
  identityChanged(): void {
    this.#links.reopen();
  }

  send(to: NodeId, request: ForwardRequest): boolean {
    const link = this.#links.get(to);
    if (link?.isOpen(FORWARD) !== true) return false;
    if (link.send(FORWARD, encodeForwardRequest(request))) return true;
    link.breakOff(FORWARD);
    return false;
  }

  isOpen(to: NodeId): boolean {
    return this.#links.get(to)?.isOpen(FORWARD) ?? false;
  }

  stop(withinMs: number): Promise<void> {
    return this.#links.stop(withinMs);
  }

  /** What is asked for would never be answered: the forwarder has to begin again. */
  #failed(node: NodeId): never {
    this.#links.get(node)?.breakOff(FORWARD);
    throw new FrameError('a reply to a forwarded command cannot be understood');
  }

  #optionsTo(node: NodeId): OutgoingOptions {
    const reader = new FrameReader(FORWARD_CODEC, ({ replies }) => {
      for (const wire of replies) {
        const reply: ForwardReply | null = forwardReplyFrom(wire);
        if (reply === null) this.#failed(node);
        this.#events.replied(node, reply);
      }
    });
    return { method: FORWARD_STREAM, queueBytesMax: this.#queueBytesMax, isHurried: false, reader };
  }
}
