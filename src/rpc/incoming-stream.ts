import { Metadata, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { FrameError, type FrameReader } from './frame-reader.ts';
import type { Hello } from './generated/caskade/v1/common.ts';
import { NO_HELLO, type StreamRefusal } from './hello.ts';

export type ServerCall = ServerDuplexStream<Buffer, Buffer>;

export interface IncomingHost {
  /** Null: welcome. */
  refusalOf(hello: Hello): StreamRefusal | null;
  refused(refusal: StreamRefusal): void;
  accepted(hello: Hello): void;
  /** Nothing comes from it any more. */
  ended(wasAccepted: boolean): void;
}

type Reader = Pick<FrameReader<never>, 'first' | 'take' | 'drop'>;

/** The server's side of one stream of another node: checks the Hello, then reads frames until it ends. */
export class IncomingStream {
  readonly #call: ServerCall;
  readonly #reader: Reader;
  readonly #host: IncomingHost;
  #isAccepted = false;
  #hasEnded = false;

  constructor(call: ServerCall, reader: Reader, host: IncomingHost) {
    this.#call = call;
    this.#reader = reader;
    this.#host = host;
    call.on('data', (bytes: Buffer) => this.#take(bytes));
    call.on('end', () => this.end());
    call.on('cancelled', () => this.#over());
    // Its status is on the way already, or the connection is gone.
    call.on('error', () => this.#over());
  }

  /** With status OK: the sender has said everything, or is to open another stream. */
  end(): void {
    this.#over();
    this.#call.end();
  }

  fail(refusal: StreamRefusal): void {
    this.#over();
    this.#call.emit('error', refusal);
  }

  #take(bytes: Buffer): void {
    if (this.#hasEnded) return;
    try {
      if (this.#isAccepted) this.#reader.take(bytes);
      else this.#begin(this.#reader.first(bytes));
    } catch (error) {
      // Whoever takes a message may have a bug: that is not the stream's.
      if (!(error instanceof FrameError)) throw error;
      this.fail({ code: status.INVALID_ARGUMENT, details: error.message });
    }
  }

  #begin(hello: Hello | undefined): void {
    if (hello === undefined) {
      this.#refuse(NO_HELLO);
      return;
    }
    const refusal = this.#host.refusalOf(hello);
    if (refusal !== null) {
      this.#refuse(refusal);
      return;
    }
    this.#isAccepted = true;
    this.#call.sendMetadata(new Metadata());
    this.#host.accepted(hello);
  }

  #refuse(refusal: StreamRefusal): void {
    this.#host.refused(refusal);
    this.fail(refusal);
  }

  #over(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#reader.drop();
    this.#host.ended(this.#isAccepted);
  }
}
