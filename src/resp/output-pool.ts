/**
 * Buffers for replies, lent to a connection while it has output and taken back when that has left: ten thousand idle
 * connections hold none. Small ones for the usual few replies, large ones for the rest.
 */
export class OutputPool {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];

  /** A buffer of at least `bytes`; its content is whatever the last user left. */
  take(bytes: number, large: boolean): Buffer {
    if (bytes <= SMALL_BYTES && !large) return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    if (bytes <= LARGE_BYTES) return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
    return Buffer.allocUnsafeSlow(bytes);
  }

  /** Nobody may refer to `buffer` any more. */
  give(buffer: Buffer): void {
    if (buffer.length === SMALL_BYTES && this.#small.length < SMALL_COUNT_MAX) this.#small.push(buffer);
    else if (buffer.length === LARGE_BYTES && this.#large.length < LARGE_COUNT_MAX) this.#large.push(buffer);
  }
}

const SMALL_BYTES = 4 * 1024;
const LARGE_BYTES = 32 * 1024;
const SMALL_COUNT_MAX = 2048;
const LARGE_COUNT_MAX = 256;
