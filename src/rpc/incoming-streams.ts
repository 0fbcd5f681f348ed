import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { asEpochMillis, asNodeId, type EpochMillis, type NodeId } from '../model/numbers.ts';
import type { FrameReader } from './frame-reader.ts';
import type { Hello } from './generated/caskade/v1/common.ts';
import { passes, type StreamRefusal } from './hello.ts';
import { IncomingStream, type ServerCall } from './incoming-stream.ts';
import { SeldomWarning } from './seldom-warning.ts';

export interface IncomingListener {
  refusalOf(hello: Hello): StreamRefusal | null;
  accepted(node: NodeId): void;
  ended(): void;
  /** Resolves when what is to be said on this stream has been said. */
  drained(): Promise<void>;
}

type Reader = Pick<FrameReader<never>, 'first' | 'take' | 'drop'>;

interface Known {
  readonly listener: IncomingListener;
  /** Null: it has not said who it is. */
  readonly sender: NodeId | null;
  readonly acceptedAtMs: EpochMillis;
}

/** All streams of other nodes to one service. */
export class IncomingStreams {
  readonly #warning: SeldomWarning;
  readonly #clock: Clock;
  readonly #streams = new Map<IncomingStream, Known>();

  refusedCount = 0;

  constructor({ clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = clock;
    this.#warning = new SeldomWarning(clock, logger);
  }

  /** By sender: since when the oldest of its streams is open. */
  get openedAtMs(): ReadonlyMap<NodeId, EpochMillis> {
    const oldest = new Map<NodeId, EpochMillis>();
    for (const { sender, acceptedAtMs } of this.#streams.values())
      if (sender !== null && !oldest.has(sender)) oldest.set(sender, acceptedAtMs);
    return oldest;
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
        this.#streams.set(stream, { listener, sender, acceptedAtMs: this.#clock.wallMs() });
        listener.accepted(sender);
      },
      ended: (wasAccepted) => {
        this.#streams.delete(stream);
        if (wasAccepted) listener.ended();
      },
    });
    this.#streams.set(stream, { listener, sender: null, acceptedAtMs: asEpochMillis(0) });
    return stream;
  }

  /** The server stops: others see their streams end, and open no more where nobody listens. */
  endAll(): void {
    for (const [stream, { listener }] of this.#streams) void listener.drained().then(() => stream.end());
  }
}
