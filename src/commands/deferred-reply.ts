/**
 * The reply of a command that somebody else answers: a place in the order of a connection's replies, filled later. To
 * the connection it is what a partition is to a reply that waits for a commit: nothing may leave while the high watermark
 * is 0.
 */
export class DeferredReply {
  /** Of the request, which is kept for as long. */
  readonly requestBytes: number;
  #bytes: Uint8Array | null = null;
  #onAnswered: ((bytes: Uint8Array) => void) | null = null;

  constructor(requestBytes: number) {
    this.requestBytes = requestBytes;
  }

  /** The finished reply; null: it has not come. */
  get bytes(): Uint8Array | null {
    return this.#bytes;
  }

  get highWatermark(): 0 | 1 {
    return this.#bytes === null ? 0 : 1;
  }

  /** Once. */
  answer(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#onAnswered?.(bytes);
  }

  /** Called once it is answered, if it is not yet. */
  whenAnswered(listener: (bytes: Uint8Array) => void): void {
    this.#onAnswered = listener;
  }
}
