import { CaskadeError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';

/** How much of the KeyValue service is under way: bounded, so that a slow disk does not fill the memory with requests. */
export class KeyValueAdmission {
  #isClosed = false;
  #calls = 0;
  #bytes = 0;

  /** Nothing is admitted from now on; what is under way ends by itself. */
  close(): void {
    this.#isClosed = true;
  }

  /** Throws `shuttingDown` or `overloaded`; else `leave` is to be called with the same number. */
  enter(requestBytes: number): void {
    if (this.#isClosed) throw new CaskadeError('shuttingDown', 'This node is shutting down');
    const isFull =
      this.#calls >= LIMITS.keyValueCallsMax ||
      (this.#calls > 0 && this.#bytes + requestBytes > LIMITS.keyValueBytesMax);
    if (isFull) throw new CaskadeError('overloaded', 'Too many calls are under way at this node');
    this.#calls += 1;
    this.#bytes += requestBytes;
  }

  leave(requestBytes: number): void {
    this.#calls -= 1;
    this.#bytes -= requestBytes;
  }
}
