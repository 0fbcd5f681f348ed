import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { continueCrc, crcOf } from '../../../src/storage/format/crc.ts';
import {
  copyBytes,
  isAllZero,
  readUint16,
  readUint32,
  readUint64,
  writeUint16,
  writeUint32,
  writeUint64,
} from '../../../src/storage/format/integers.ts';
import { SeededRandom } from '../../support/seeded-random.ts';

describe('the checksum of the disk formats', () => {
  it('is that of zlib for every length up to 300, at every alignment', () => {
    const bytes = new SeededRandom(7).bytes(308);
    for (let start = 0; start < 8; start += 1) {
      for (let length = 0; length <= 300; length += 1) {
        const expected = crc32(bytes.subarray(start, start + length));
        if (crcOf(bytes, start, start + length) !== expected) {
          expect.fail(`differs from zlib at start ${start}, length ${length}`);
        }
      }
    }
  });

  it('has the check value of the CRC-32 catalogue', () => {
    expect(crcOf(Buffer.from('123456789'), 0, 9)).to.equal(0xcbf43926);
  });

  it('can be taken in two parts', () => {
    const bytes = new SeededRandom(8).bytes(200);
    for (let cut = 0; cut <= 200; cut += 1) {
      expect(continueCrc(crcOf(bytes, 0, cut), bytes, cut, 200)).to.equal(crc32(bytes));
    }
  });
});

describe('integers of the disk formats', () => {
  it('are little-endian', () => {
    const bytes = Buffer.alloc(14);
    writeUint16(bytes, 0, 0x0201);
    writeUint32(bytes, 2, 0x06050403);
    writeUint64(bytes, 6, 0x0c0b0a090807);
    expect(bytes.toString('hex')).to.equal('0102030405060708090a0b0c0000');
  });

  it('come back as they were, up to 2^53 - 1', () => {
    const bytes = Buffer.alloc(11);
    const edges = [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 52, 2 ** 53 - 1];
    const values = fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat());
    fc.assert(
      fc.property(values, fc.nat(3), (value, at) => {
        writeUint64(bytes, at, value);
        return readUint64(bytes, at) === value && bytes.readBigUInt64LE(at) === BigInt(value);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.nat(0xffff), fc.integer({ min: 0, max: 0xffffffff }), (short, long) => {
        writeUint16(bytes, 0, short);
        writeUint32(bytes, 2, long);
        return readUint16(bytes, 0) === short && readUint32(bytes, 2) === long;
      }),
    );
  });

  it('above 2^53 are never taken for a safe integer', () => {
    const bytes = Buffer.alloc(8);
    for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      bytes.writeBigUInt64LE(value);
      expect(Number.isSafeInteger(readUint64(bytes, 0)), String(value)).to.equal(false);
    }
  });
});

describe('copying bytes', () => {
  it('copies short and long ranges alike and touches nothing around them', () => {
    const source = new SeededRandom(9).bytes(400);
    for (const length of [0, 1, 95, 96, 97, 98, 300]) {
      const target = Buffer.alloc(410, 0xee);
      copyBytes(target, 5, source, 3, 3 + length);
      expect(target.subarray(5, 5 + length).equals(source.subarray(3, 3 + length))).to.equal(true);
      expect(target[4]).to.equal(0xee);
      expect(target[5 + length]).to.equal(0xee);
    }
  });

  it('sees a single byte that is not zero', () => {
    const bytes = Buffer.alloc(64);
    expect(isAllZero(bytes, 0, 64)).to.equal(true);
    bytes[63] = 1;
    expect(isAllZero(bytes, 0, 64)).to.equal(false);
    expect(isAllZero(bytes, 0, 63)).to.equal(true);
  });
});
