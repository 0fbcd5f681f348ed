import { invariant } from '../../model/errors.ts';

/** What the keydir asks of a hash: a uint32 over `bytes[start, end)`. */
export interface KeyHasher {
  hash(bytes: Uint8Array, start: number, end: number): number;
}

export const HASH_SEED_BYTES = 8;

const FINAL_XOR = 0xff;
const INITIAL_V2 = 0x6c796765;
const INITIAL_V3 = 0x74656462;

/**
 * HalfSipHash-1-3 with a 64-bit key and a 32-bit result: a seeded hash, so that nobody who does not know the
 * seed can choose keys that all fall into one place. Additions, rotations and xors of int32 only; nothing is
 * allocated. The seed is part of a partition's META, because the order of SCAN is the order of this hash.
 */
export class KeyHash implements KeyHasher {
  readonly #key0: number;
  readonly #key1: number;

  constructor(seed: Uint8Array) {
    invariant(
      seed.length === HASH_SEED_BYTES,
      `a hash seed has ${HASH_SEED_BYTES} bytes, not ${seed.length}`,
    );
    this.#key0 = littleEndianWord(seed, 0);
    this.#key1 = littleEndianWord(seed, 4);
  }

  hash(bytes: Uint8Array, start: number, end: number): number {
    let v0 = this.#key0;
    let v1 = this.#key1;
    let v2 = INITIAL_V2 ^ v0;
    let v3 = INITIAL_V3 ^ v1;
    const length = end - start;
    const wordsEnd = start + (length & ~3);
    // The last word carries the length and up to three bytes; the rounds after it are the finalization.
    let word = 0;
    for (let at = start; at < wordsEnd; at += 4) {
      word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    word = length << 24;
    if (wordsEnd < end) word |= bytes[wordsEnd]!;
    if (wordsEnd + 1 < end) word |= bytes[wordsEnd + 1]! << 8;
    if (wordsEnd + 2 < end) word |= bytes[wordsEnd + 2]! << 16;
    v3 ^= word;
    for (let round = 0; round < 4; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      if (round === 0) {
        v0 ^= word;
        v2 ^= FINAL_XOR;
      }
    }
    return (v1 ^ v3) >>> 0;
  }
}

function littleEndianWord(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
