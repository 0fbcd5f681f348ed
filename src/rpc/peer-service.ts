import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { ControlMessage } from '../model/control-messages.ts';
import type { EpochMillis, NodeId } from '../model/numbers.ts';
import type { PeerMessage } from '../replication/messages.ts';
import { nodeMessageFrom } from './convert/node-message.ts';
import { FrameReader } from './frame-reader.ts';
import { ChannelClass } from './generated/caskade/v1/common.ts';
import type { PeerFrame } from './generated/caskade/v1/peer.ts';
import { type NodeIdentity, refusalOf } from './hello.ts';
import type { ServerCall } from './incoming-stream.ts';
import { IncomingStreams } from './incoming-streams.ts';
import { PEER_CODEC, PEER_SEND } from './methods.ts';
import type { RpcService } from './rpc-server.ts';

/** Takes what other nodes send. */
export interface PeerServiceHost {
  receivePeer(message: PeerMessage): void;
  receiveControl(message: ControlMessage): void;
}

const CLASSES = [
  ChannelClass.CHANNEL_CLASS_TAIL,
  ChannelClass.CHANNEL_CLASS_BULK,
  ChannelClass.CHANNEL_CLASS_CONTROL,
] as const;

/** The streams on which other nodes send to this one. */
export class PeerService implements RpcService {
  readonly name = 'caskade.v1.Peer';
  readonly definition = { send: PEER_SEND };
  readonly implementation = { send: (call: ServerCall) => this.#begin(call) };
  /** Messages of a kind, or with a value, that this version does not know. */
  ignoredCount = 0;
  readonly #self: NodeIdentity;
  readonly #host: PeerServiceHost;
  readonly #streams: IncomingStreams;

  constructor(self: NodeIdentity, doors: { clock: Clock; logger: Logger }, host: PeerServiceHost) {
    this.#self = self;
    this.#host = host;
    this.#streams = new IncomingStreams(doors);
  }

  /** By sender: since when it speaks to this node. */
  get openedAtMs(): ReadonlyMap<NodeId, EpochMillis> {
    return this.#streams.openedAtMs;
  }

  /** From which nodes streams are open. */
  get senders(): ReadonlySet<NodeId> {
    return this.#streams.senders;
  }

  /** Streams that were not accepted. */
  get refusedCount(): number {
    return this.#streams.refusedCount;
  }

  endStreams(): void {
    this.#streams.endAll();
  }

  #begin(call: ServerCall): void {
    const reader = new FrameReader(PEER_CODEC, (frame) => this.#take(frame));
    this.#streams.add(call, reader, {
      refusalOf: (hello) => refusalOf(hello, this.#self, CLASSES),
      accepted: () => {},
      ended: () => {},
      drained: () => Promise.resolve(),
    });
  }

  #take({ messages }: PeerFrame): void {
    for (const wire of messages) {
      const received = nodeMessageFrom(wire);
      if (received === null) this.ignoredCount += 1;
      else if (received.family === 'peer') this.#host.receivePeer(received.message);
      else this.#host.receiveControl(received.message);
    }
  }
}
