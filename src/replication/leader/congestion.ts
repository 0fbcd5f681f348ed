import { LIMITS } from '../../model/limits.ts';

/** Back-pressure on writers: closed while too much is appended and not on disk, open again at half of that. */
export class Congestion {
  #relief: Promise<void> | null = null;
  #relieve: () => void = () => {};

  /** Resolves when writers may go on; null if they may. */
  get relief(): Promise<void> | null {
    return this.#relief;
  }

  appended(unflushedBytes: number): void {
    if (this.#relief !== null || unflushedBytes <= LIMITS.unflushedBytesMax) return;
    this.#relief = new Promise((resolve) => {
      this.#relieve = resolve;
    });
  }

  flushed(unflushedBytes: number): void {
    if (this.#relief !== null && unflushedBytes <= LIMITS.unflushedBytesMax / 2) this.end();
  }

  end(): void {
    this.#relief = null;
    this.#relieve();
  }
}
