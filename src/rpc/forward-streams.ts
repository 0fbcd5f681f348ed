import { status } from '@grpc/grpc-js';
import type { ForwardReply } from '../cluster/forward/messages.ts';
import type { ForwardService, ForwardStream } from '../cluster/forward/ports.ts';
import type { Clock } from '../env/clock.ts';
import { LIMITS } from '../model/limits.ts';
import { encodeForwardReply, forwardRequestFrom } from './convert/forward.ts';
import { FrameReader } from './frame-reader.ts';
import { ChannelClass } from './generated/caskade/v1/common.ts';
import type { ForwardFrame } from './generated/caskade/v1/forward.ts';
import { type NodeIdentity, refusalOf } from './hello.ts';
import type { IncomingStream, ServerCall } from './incoming-stream.ts';
import { IncomingStreams } from './incoming-streams.ts';
import { FORWARD_CODEC, FORWARD_STREAM } from './methods.ts';
import type { RpcDoors } from './peer-links.ts';
import type { RpcService } from './rpc-server.ts';
import { afterTurn, SendQueue } from './send-queue.ts';

const CLASSES = [ChannelClass.CHANNEL_CLASS_FORWARD] as const;

/** The streams on which other nodes forward commands to this one, and get their replies (R23). */
export class ForwardStreams implements RpcService {
  readonly name = 'caskade.v1.Forward';
  readonly definition = { stream: FORWARD_STREAM };
  readonly implementation = { stream: (call: ServerCall) => this.#begin(call) };
  readonly #self: NodeIdentity;
  readonly #clock: Clock;
  readonly #service: ForwardService;
  readonly #queueBytesMax: number;
  readonly #streams: IncomingStreams;

  /** `queueBytesMax`: what may wait to be sent on one stream. */
  constructor(
    self: NodeIdentity,
    { clock, logger }: RpcDoors,
    service: ForwardService,
    queueBytesMax: number = LIMITS.forwardQueueBytesMax,
  ) {
    this.#self = self;
    this.#clock = clock;
    this.#service = service;
    this.#queueBytesMax = queueBytesMax;
    this.#streams = new IncomingStreams({ clock, logger });
  }

  endStreams(): void {
    this.#streams.endAll();
  }

  #begin(call: ServerCall): void {
    const back = new ReplyStream(call, new SendQueue(afterTurn(this.#clock), this.#queueBytesMax));
    const reader = new FrameReader(FORWARD_CODEC, (frame) => this.#take(back, frame));
    back.incoming = this.#streams.add(call, reader, {
      refusalOf: (hello) => refusalOf(hello, this.#self, CLASSES),
      accepted: () => back.open(),
      ended: () => {
        back.close();
        this.#service.ended(back);
      },
      drained: () => back.drained(),
    });
  }

  #take(back: ReplyStream, { requests }: ForwardFrame): void {
    for (const wire of requests) {
      const request = forwardRequestFrom(wire);
      // An order in which one is missing is none: the forwarder has to begin again.
      if (request === null) {
        back.fail(status.INVALID_ARGUMENT, 'a forwarded command cannot be understood');
        return;
      }
      this.#service.received(back, request);
    }
  }
}

/** The way back on one stream. A forwarder that does not read its replies gets no further reads run, and then none at all. */
class ReplyStream implements ForwardStream {
  readonly #call: ServerCall;
  readonly #queue: SendQueue;
  incoming: IncomingStream | null = null;
  #isOpen = false;

  constructor(call: ServerCall, queue: SendQueue) {
    this.#call = call;
    this.#queue = queue;
  }

  get congestion(): Promise<void> | null {
    return this.#queue.bytes > LIMITS.forwardedRepliesPauseBytes ? this.#queue.drained() : null;
  }

  open(): void {
    this.#isOpen = true;
    this.#queue.attach({ write: (frame, done) => void this.#call.write(frame, done) });
  }

  close(): void {
    this.#isOpen = false;
    this.#queue.detach();
  }

  drained(): Promise<void> {
    return this.#queue.drained();
  }

  send(reply: ForwardReply): void {
    if (!this.#isOpen || this.#queue.push(encodeForwardReply(reply))) return;
    this.fail(status.RESOURCE_EXHAUSTED, 'too many replies wait to be read');
  }

  fail(code: status, details: string): void {
    this.incoming?.fail({ code, details });
  }
}
