import { Client, type ClientDuplexStream, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import type { Clock, Timer } from '../env/clock.ts';
import { encodeFrame, type FramePart } from './frame.ts';
import { FrameError, type FrameReader } from './frame-reader.ts';
import type { StreamRefusal } from './hello.ts';
import { afterThis, afterTurn, SendQueue } from './send-queue.ts';
import { CLIENT_OPTIONS, OPENING_MS_MAX } from './stream-options.ts';

export interface OutgoingOptions {
  readonly method: MethodDefinition<Buffer, Buffer>;
  readonly queueBytesMax: number;
  /** Frames leave after what runs now, not at the end of the turn: somebody waits for each, and what belongs together is said together. */
  readonly isHurried: boolean;
  /** Of what the other side sends on the same stream; null: nothing. */
  readonly reader: Pick<FrameReader<never>, 'take' | 'drop'> | null;
}

export interface OutgoingHost {
  /** The other side has accepted the Hello. */
  opened(): void;
  /** It ended, or could not be opened; what was not sent is lost. Never told of a stream that was closed here. */
  ended(reason: StreamRefusal): void;
}

type Call = ClientDuplexStream<Buffer, Buffer>;

/** One attempt: a connection of its own, and the one stream on it. */
interface Attempt {
  readonly client: Client;
  readonly call: Call;
  readonly timer: Timer;
}

/**
 * Our stream to another node, on a connection of its own, again and again. What is sent while it opens waits; while it
 * is down it is lost.
 */
export class OutgoingStream {
  readonly #options: OutgoingOptions;
  readonly #clock: Clock;
  readonly #host: OutgoingHost;
  readonly #queue: SendQueue;
  #attempt: Attempt | null = null;
  #isOpen = false;

  constructor(options: OutgoingOptions, clock: Clock, host: OutgoingHost) {
    this.#options = options;
    this.#clock = clock;
    this.#host = host;
    this.#queue = new SendQueue(options.isHurried ? afterThis : afterTurn(clock), options.queueBytesMax);
  }

  /** Neither open nor about to be. */
  get isDown(): boolean {
    return this.#attempt === null;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** False: it is lost, for the stream is down or too much waits. */
  send(part: FramePart): boolean {
    return this.#attempt !== null && this.#queue.push(part);
  }

  open(address: string, hello: FramePart): void {
    if (this.#attempt !== null) return;
    const { path, requestSerialize, responseDeserialize } = this.#options.method;
    const client = new Client(address, credentials.createInsecure(), CLIENT_OPTIONS);
    const call = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new Metadata(),
      {},
    );
    const timer = this.#clock.setTimer(OPENING_MS_MAX, () => call.cancel());
    const attempt = { client, call, timer };
    this.#attempt = attempt;
    this.#listen(attempt);
    call.write(encodeFrame([hello]));
  }

  /** Drops what waits, at once. */
  close(): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    this.#release(attempt);
    attempt.call.cancel();
  }

  /** Sends what waits, and then ends the stream; resolves when the other side has it all, or the stream is down. */
  async finish(): Promise<void> {
    const attempt = this.#attempt;
    if (attempt === null) return;
    const over = new Promise<void>((resolve) => attempt.call.once('status', () => resolve()));
    if (this.#isOpen) await this.#queue.drained();
    attempt.call.end();
    await over;
  }

  #listen(attempt: Attempt): void {
    const { call } = attempt;
    const isPresent = (): boolean => this.#attempt === attempt;
    call.on('metadata', () => {
      if (isPresent()) this.#opened(attempt);
    });
    call.on('data', (bytes: Buffer) => {
      if (isPresent()) this.#take(attempt, bytes);
    });
    // The status says it as well.
    call.on('error', () => {});
    call.on('status', ({ code, details }) => {
      if (!isPresent()) return;
      this.#release(attempt);
      this.#host.ended({ code, details });
    });
  }

  #opened({ call, timer }: Attempt): void {
    timer.cancel();
    this.#isOpen = true;
    this.#queue.attach({ write: (frame, done) => void call.write(frame, done) });
    this.#host.opened();
  }

  #take({ call }: Attempt, bytes: Buffer): void {
    try {
      this.#options.reader?.take(bytes);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      call.cancel();
    }
  }

  #release({ client, timer }: Attempt): void {
    timer.cancel();
    this.#attempt = null;
    this.#isOpen = false;
    this.#queue.detach();
    this.#options.reader?.drop();
    client.close();
  }
}
