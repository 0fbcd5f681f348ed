import { asNodeId, type NodeId } from '../model/numbers.ts';
import type { FrameReader } from './frame-reader.ts';
import type { Hello } from './generated/caskade/v1/common.ts';
import { passes, type StreamRefusal } from './hello.ts';
import { IncomingStream, type ServerCall } from './incoming-stream.ts';
import type { SeldomWarning } from './seldom-warning.ts';

export interface IncomingListener {
  refusalOf(hello: Hello): StreamRefusal | null;
  accepted(node: NodeId): void;
  ended(): void;
  /** Resolves when what is to be said on this stream has been said. */
  drained(): Promise<void>;
}

type Reader = Pick<FrameReader<never>, 'first' | 'take' | 'drop'>;

/** All streams of other nodes to one service. */
export class IncomingStreams {
  readonly #warning: SeldomWarning;
  readonly #streams = new Map<
    IncomingStream,
    { readonly listener: IncomingListener; sender: NodeId | null }
  >();

  refusedCount = 0;

  constructor(warning: SeldomWarning) {
    this.#warning = warning;
  }

  /** Of streams that were accepted and have not ended. */
  get senders(): ReadonlySet<NodeId> {
    return new Set([...this.#streams.values()].map(({ sender }) => sender).filter((node) => node !== null));
  }

  add(call: ServerCall, reader: Reader, listener: IncomingListener): IncomingStream {
    const stream = new IncomingStream(call, reader, {
      refusalOf: (hello) => listener.refusalOf(hello),
      refused: ({ code, details }) => {
        this.refusedCount += 1;
        const fields = { component: 'rpc', from: call.getPeer(), code };
        if (!passes(code)) this.#warning.warn(fields, `a stream is refused: ${details}`);
      },
      accepted: (hello) => {
        const sender = asNodeId(hello.nodeId);
        this.#streams.set(stream, { listener, sender });
        listener.accepted(sender);
      },
      ended: (wasAccepted) => {
        this.#streams.delete(stream);
        if (wasAccepted) listener.ended();
      },
    });
    this.#streams.set(stream, { listener, sender: null });
    return stream;
  }

  /** The server stops: others see their streams end, and open no more where nobody listens. */
  endAll(): void {
    for (const [stream, { listener }] of this.#streams) void listener.drained().then(() => stream.end());
  }
}
