import type { Block } from './block-cache.ts';

interface Held {
  readonly block: Block;
  holds: number;
}

/** Blocks kept in memory for those who waited for them, whatever the cache does: each as long as somebody holds it. */
export class HeldBlocks {
  readonly #held = new Map<string, Held>();

  get(key: string): Block | undefined {
    return this.#held.get(key)?.block;
  }

  hold(key: string, block: Block): void {
    const held = this.#held.get(key);
    if (held === undefined) this.#held.set(key, { block, holds: 1 });
    else held.holds += 1;
  }

  release(key: string): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    held.holds -= 1;
    if (held.holds === 0) this.#held.delete(key);
  }
}

/**
 * Loads that are waited for together, and the blocks held for those who wait. A round takes no more loads once the
 * first of its own is there: nobody is kept waiting by those who came later, however many miss all the time.
 */
export class LoadRound {
  outstanding = 0;
  readonly keys: string[] = [];
  /** Of the blocks held. */
  bytes = 0;
  readonly promise: Promise<void>;
  resolve: () => void = () => {};

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}
