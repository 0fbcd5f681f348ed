import type { Random } from '../../src/env/random.ts';

/**
 * Chance from one seed (the xoshiro128** generator, its state filled by splitmix32): the same seed gives the same
 * numbers for ever, so a failing test is run again by its seed.
 */
export class SeededRandom implements Random {
  readonly seed: number;
  readonly #state: Uint32Array;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = Uint32Array.from({ length: 4 }, (_, index) => splitmix32(seed + index * 0x9e3779b9));
  }

  below(bound: number): number {
    if (!Number.isSafeInteger(bound) || bound < 1)
      throw new RangeError(`bound is ${bound}, at least 1 is needed`);
    return Math.floor(this.fraction() * bound);
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next() >>> 24);
  }

  uuid(): string {
    const hex = Buffer.from(this.bytes(16)).toString('hex');
    const variant = '89ab'[this.below(4)];
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
  }

  /** In [0, 1), with 53 bits. */
  fraction(): number {
    return ((this.#next() >>> 5) * 2 ** 26 + (this.#next() >>> 6)) / 2 ** 53;
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** A generator of its own, so that a part drawing more numbers does not shift those of the others. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next());
  }

  #next(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const c2 = c ^ a;
    const d2 = d ^ b;
    this.#state[1] = b ^ c2;
    this.#state[0] = a ^ d2;
    this.#state[2] = c2 ^ (b << 9);
    this.#state[3] = rotateLeft(d2, 11);
    return result;
  }
}

function rotateLeft(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function splitmix32(seed: number): number {
  let value = seed | 0;
  value = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  value = Math.imul(value ^ (value >>> 15), 0x735a2d97);
  return (value ^ (value >>> 15)) >>> 0;
}
