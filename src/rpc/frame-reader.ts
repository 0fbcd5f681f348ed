import { LIMITS } from '../model/limits.ts';
import type { Fragment, Hello } from './generated/caskade/v1/common.ts';
import { Reassembler, type WholeMessage } from './reassembler.ts';

interface AnyFrame {
  readonly hello: Hello | undefined;
  readonly fragment: Fragment | undefined;
}

/** How frames of one kind are read. May throw: it cannot be read. */
export interface FrameCodec<Frame extends AnyFrame> {
  decode(bytes: Uint8Array): Frame;
  /** As a frame with this one message; of a field that is not known, one with none. */
  decodeWhole(message: WholeMessage): Frame;
}

/** The other side does not keep to the form: its stream is to end. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Reads the frames of one stream. */
export class FrameReader<Frame extends AnyFrame> {
  readonly #codec: FrameCodec<Frame>;
  /** Takes the messages of a frame, in their order. */
  readonly #take: (frame: Frame) => void;
  readonly #fragments = new Reassembler();

  constructor(codec: FrameCodec<Frame>, take: (frame: Frame) => void) {
    this.#codec = codec;
    this.#take = take;
  }

  /** The Hello of a first frame; undefined: it has none. Throws `FrameError`. */
  first(bytes: Buffer): Hello | undefined {
    return this.#decode(bytes).hello;
  }

  /** Throws `FrameError`, and whatever the taker throws. */
  take(bytes: Buffer): void {
    const frame = this.#decode(bytes);
    const { fragment } = frame;
    if (fragment !== undefined) this.#takeFragment(fragment);
    this.#take(frame);
  }

  /** The stream has ended: what is not whole will never be. */
  drop(): void {
    this.#fragments.drop();
  }

  /** The bound of gRPC is that of the largest message of any service. */
  #decode(bytes: Buffer): Frame {
    if (bytes.length > LIMITS.frameBytesReceivedMax)
      throw new FrameError(`a frame has ${bytes.length} bytes, and may have ${LIMITS.frameBytesReceivedMax}`);
    return readable(() => this.#codec.decode(plain(bytes)));
  }

  #takeFragment(fragment: Fragment): void {
    const whole = this.#fragments.take(fragment);
    if (whole === null) return;
    if (typeof whole === 'string') throw new FrameError(`a fragment is ${whole}`);
    this.#take(readable(() => this.#codec.decodeWhole(whole)));
  }
}

function readable<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new FrameError(`a frame cannot be read: ${String(error)}`, { cause: error });
  }
}

/** What is cut out of a Buffer by `slice` is no copy; elsewhere it is expected to be one. */
function plain({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}
