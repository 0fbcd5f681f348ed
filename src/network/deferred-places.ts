import type { DeferredReply } from '../commands/deferred-reply.ts';
import { LIMITS } from '../model/limits.ts';
import type { ReplyBuffer } from '../resp/reply-buffer.ts';

/**
 * Places in a connection's output for replies that others give: one byte each until they are filled. Bounded in count
 * and in the bytes of the requests; a closed connection forgets them.
 */
export class DeferredPlaces {
  readonly #reply: ReplyBuffer;
  readonly #onAnswered: () => void;
  #count = 0;
  #requestBytes = 0;
  #isClosed = false;

  constructor(reply: ReplyBuffer, onAnswered: () => void) {
    this.#reply = reply;
    this.#onAnswered = onAnswered;
  }

  /** The connection's next command waits. */
  get isFull(): boolean {
    return this.#count >= LIMITS.deferredRepliesMax || this.#requestBytes >= LIMITS.deferredBytesMax;
  }

  /** Writes the reply, or a place for it. False: it was there already. */
  add(deferred: DeferredReply): boolean {
    const { bytes, requestBytes } = deferred;
    if (bytes !== null) {
      this.#reply.raw(bytes);
      return false;
    }
    const start = this.#reply.position;
    this.#reply.reserve();
    this.#count += 1;
    this.#requestBytes += requestBytes;
    deferred.whenAnswered((answer) => {
      this.#count -= 1;
      this.#requestBytes -= requestBytes;
      if (this.#isClosed) return;
      this.#reply.fill(start, answer);
      this.#onAnswered();
    });
    return true;
  }

  close(): void {
    this.#isClosed = true;
  }
}
