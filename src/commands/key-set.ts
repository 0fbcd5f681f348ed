import type { ArgumentViews } from '../resp/arguments.ts';

/** Up to so many keys are compared with each other; more go through a table. */
const PAIRWISE_MAX = 8;

/** Tells which arguments are a key's first mention in one command. */
export class KeySet {
  #table = new Int32Array(64);
  readonly #indexes: number[] = [];
  readonly #hashes: number[] = [];
  #mask = 0;

  /** Forgets all keys; up to `count` will be added. */
  clear(count: number): void {
    this.#indexes.length = 0;
    this.#hashes.length = 0;
    this.#mask = 0;
    if (count <= PAIRWISE_MAX) return;
    let slots = 64;
    while (slots < count * 2) slots *= 2;
    if (slots > this.#table.length) this.#table = new Int32Array(slots);
    else this.#table.fill(0, 0, slots);
    this.#mask = slots - 1;
  }

  /** True if the key in argument `index` was not added before. `hash` is any function of its bytes. */
  add(args: ArgumentViews, index: number, hash: number): boolean {
    const isNew = this.#mask === 0 ? this.#isNewPairwise(args, index, hash) : this.#isNew(args, index, hash);
    if (isNew) {
      this.#indexes.push(index);
      this.#hashes.push(hash);
    }
    return isNew;
  }

  #isNewPairwise(args: ArgumentViews, index: number, hash: number): boolean {
    for (let at = 0; at < this.#indexes.length; at += 1)
      if (this.#equals(args, at, index, hash)) return false;
    return true;
  }

  /** The table holds places in `#indexes`, plus one; 0 = free. */
  #isNew(args: ArgumentViews, index: number, hash: number): boolean {
    let slot = hash & this.#mask;
    for (;;) {
      const place = this.#table[slot] as number;
      if (place === 0) break;
      if (this.#equals(args, place - 1, index, hash)) return false;
      slot = (slot + 1) & this.#mask;
    }
    this.#table[slot] = this.#indexes.length + 1;
    return true;
  }

  #equals(args: ArgumentViews, at: number, index: number, hash: number): boolean {
    if (this.#hashes[at] !== hash) return false;
    const other = this.#indexes[at] as number;
    const { bytes } = args;
    return bytes.compare(bytes, args.start(other), args.end(other), args.start(index), args.end(index)) === 0;
  }
}
