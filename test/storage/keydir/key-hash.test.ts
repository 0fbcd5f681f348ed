import { expect } from 'chai';
import fc from 'fast-check';
import { InvariantError } from '../../../src/model/errors.ts';
import { KeyHash } from '../../../src/storage/keydir/key-hash.ts';

/** Independent of the code under test: HalfSipHash by its definition, over BigInt state and with any rounds. */
function halfSipHash(
  compressions: number,
  finalizations: number,
  key: Uint8Array,
  message: Uint8Array,
): number {
  const mask = 0xffffffffn;
  const rotate = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (32n - by))) & mask;
  const word = (bytes: Uint8Array, at: number): bigint =>
    [3, 2, 1, 0].reduce((value, index) => (value << 8n) | BigInt(bytes[at + index] ?? 0), 0n);
  const keyWords = [word(key, 0), word(key, 4)] as const;
  let v = [keyWords[0], keyWords[1], 0x6c796765n ^ keyWords[0], 0x74656462n ^ keyWords[1]] as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  const round = (): void => {
    let [a, b, c, d] = v;
    a = (a + b) & mask;
    b = rotate(b, 5n) ^ a;
    a = rotate(a, 16n);
    c = (c + d) & mask;
    d = rotate(d, 8n) ^ c;
    a = (a + d) & mask;
    d = rotate(d, 7n) ^ a;
    c = (c + b) & mask;
    b = rotate(b, 13n) ^ c;
    c = rotate(c, 16n);
    v = [a, b, c, d];
  };
  const padded = new Uint8Array(Math.floor(message.length / 4) * 4 + 4);
  padded.set(message);
  padded[padded.length - 1] = message.length & 0xff;
  for (let at = 0; at < padded.length; at += 4) {
    v[3] ^= word(padded, at);
    for (let count = 0; count < compressions; count++) round();
    v[0] ^= word(padded, at);
  }
  v[2] ^= 0xffn;
  for (let count = 0; count < finalizations; count++) round();
  return Number(v[1] ^ v[3]);
}

const countingBytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, index) => index);

describe('KeyHash', () => {
  it('is tested against an implementation that gives the published vectors of HalfSipHash-2-4', () => {
    const published = [0x5b9f35a9, 0xb85a4727, 0x03a662fa, 0x04e7fe8a];
    const key = countingBytes(8);
    const computed = published.map((_, length) => halfSipHash(2, 4, key, countingBytes(length)));
    expect(computed).to.deep.equal(published);
  });

  it('is HalfSipHash-1-3 for every length from 0 to 300', () => {
    const seed = Uint8Array.from([200, 1, 2, 255, 4, 128, 6, 77]);
    const hash = new KeyHash(seed);
    const message = countingBytes(300).map((value) => value * 37);
    for (let length = 0; length <= 300; length++) {
      const expected = halfSipHash(1, 3, seed, message.subarray(0, length));
      expect(hash.hash(message, 0, length), `length ${length}`).to.equal(expected);
    }
  });

  it('is HalfSipHash-1-3 for any seed and any part of a buffer', () => {
    const bytes = fc.uint8Array({ maxLength: 64 });
    const seeds = fc.uint8Array({ minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(seeds, bytes, bytes, bytes, (seed, before, message, after) => {
        const buffer = Uint8Array.from([...before, ...message, ...after]);
        const hash = new KeyHash(seed).hash(buffer, before.length, before.length + message.length);
        expect(hash).to.equal(halfSipHash(1, 3, seed, message));
      }),
    );
  });

  it('refuses a seed of another length', () => {
    expect(() => new KeyHash(new Uint8Array(7))).to.throw(InvariantError, '8 bytes, not 7');
  });
});
