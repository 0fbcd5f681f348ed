import { expect } from 'chai';
import fc from 'fast-check';
import { CaskadeError } from '../../../src/model/errors.ts';
import { LIMITS } from '../../../src/model/limits.ts';
import { IndexedRecord } from '../../../src/storage/committed-index.ts';
import {
  BATCH_HEADER_BYTES,
  batchCrcHolds,
  isFutureBatch,
  readBatchHeader,
} from '../../../src/storage/format/batch.ts';
import { crcOf } from '../../../src/storage/format/crc.ts';
import { decodeHintEntry, decodeHintTrailer, hintHeaderMatches } from '../../../src/storage/format/hint.ts';
import { writeUint16, writeUint32 } from '../../../src/storage/format/integers.ts';
import {
  RECORD_AT,
  RECORD_HEADER_BYTES,
  RecordFlag,
  RecordView,
} from '../../../src/storage/format/record.ts';
import { decodeSegmentHeader } from '../../../src/storage/format/segment-header.ts';
import { batchBytes, reseal } from '../../support/batch-bytes.ts';
import { loadGolden } from '../../support/golden.ts';

const BATCH = loadGolden('storage/batch.hex');
const RECORD = loadGolden('storage/record-extras.hex');
const SEGMENT_HEADER = loadGolden('storage/segment-header.hex');
const HINT = loadGolden('storage/hint.hex');
const HINT_IDENTITY = {
  base: 4328719365,
  generation: 12,
  segmentLength: 500,
  end: 4328719373,
  hashSeed: '0123456789abcdef',
};

/** What a reader of batches does: null when the bytes are taken for a batch of this version. */
function batchFault(bytes: Buffer, limit = bytes.length): string | null {
  const header = readBatchHeader(bytes, 0, limit);
  if (typeof header === 'string') return header;
  if (header.length > limit) return 'short';
  if (!batchCrcHolds(bytes, 0, header)) return 'crc';
  return isFutureBatch(bytes, 0, header) ? 'future' : null;
}

function recordFault(bytes: Buffer, limit = bytes.length): string | null {
  return new RecordView().decode(bytes, 0, limit, true);
}

function segmentFault(bytes: Buffer): string | null {
  try {
    decodeSegmentHeader(bytes, 'file');
    return null;
  } catch (error) {
    if (error instanceof CaskadeError) return error.code;
    throw error;
  }
}

function flippedBits(bytes: Buffer): { readonly flipped: Buffer; readonly bit: number }[] {
  return Array.from({ length: bytes.length * 8 }, (_, bit) => {
    const flipped = Buffer.from(bytes);
    flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
    return { flipped, bit };
  });
}

/** A record whose checksum is right whatever its fields say. */
function signed(bytes: Uint8Array): Buffer {
  const record = Buffer.from(bytes);
  writeUint32(record, RECORD_AT.length, record.length);
  writeUint32(record, 0, crcOf(record, 4, record.length));
  return record;
}

describe('decoders of the disk formats', () => {
  it('refuse a batch, a record or a header cut at any byte', () => {
    for (let length = 0; length < BATCH.length; length += 1) {
      expect(batchFault(BATCH, length), `batch cut at ${length}`).to.equal('short');
      expect(batchFault(BATCH.subarray(0, length)), `batch ends at ${length}`).to.equal('short');
    }
    for (let length = 0; length < RECORD.length; length += 1) {
      expect(recordFault(RECORD, length), `record cut at ${length}`).to.equal('short');
    }
    for (let length = 0; length < SEGMENT_HEADER.length; length += 1) {
      expect(segmentFault(SEGMENT_HEADER.subarray(0, length))).to.equal('corruptSegment');
    }
    for (let length = 0; length < 64; length += 1) {
      expect(hintHeaderMatches(HINT.subarray(0, length), HINT_IDENTITY)).to.equal(false);
    }
  });

  it('notice every single bit that flips', () => {
    for (const { flipped, bit } of flippedBits(BATCH))
      expect(batchFault(flipped), `bit ${bit}`).to.not.equal(null);
    for (const { flipped, bit } of flippedBits(RECORD))
      expect(recordFault(flipped), `bit ${bit}`).to.not.equal(null);
    for (const { flipped, bit } of flippedBits(SEGMENT_HEADER))
      expect(segmentFault(flipped), `bit ${bit}`).to.not.equal(null);
    for (const { flipped } of flippedBits(HINT.subarray(0, 64)))
      expect(hintHeaderMatches(flipped, HINT_IDENTITY)).to.equal(false);
  });

  it('refuse hostile lengths before they use them', () => {
    const batch = Buffer.from(BATCH);
    for (const length of [0, 1, BATCH_HEADER_BYTES - 1, LIMITS.batchBytesMax + 1, 2 ** 31, 2 ** 32 - 1]) {
      writeUint32(batch, 8, length);
      expect(batchFault(batch), `batch of ${length}`).to.equal('length');
    }
    const record = Buffer.from(RECORD);
    for (const length of [0, 1, RECORD_HEADER_BYTES - 1, LIMITS.batchBytesMax + 1, 2 ** 32 - 1]) {
      writeUint32(record, RECORD_AT.length, length);
      expect(recordFault(record), `record of ${length}`).to.equal('length');
    }
    for (const keyLength of [RECORD.length, 2 ** 16, 2 ** 31, 2 ** 32 - 1]) {
      const bytes = Buffer.from(RECORD);
      writeUint32(bytes, RECORD_AT.keyLength, keyLength);
      expect(recordFault(signed(bytes)), `key of ${keyLength}`).to.equal('layout');
    }
  });

  it('refuse offsets that are no safe integers and counts that cannot be', () => {
    const batch = Buffer.from(BATCH);
    batch.writeBigUInt64LE(2n ** 53n, 16);
    expect(batchFault(batch)).to.equal('fields');
    batch.writeBigUInt64LE(2n ** 53n - 1n, 16);
    expect(batchFault(batch), 'the last offset of the batch').to.equal('fields');
    const counted = Buffer.from(BATCH);
    writeUint32(counted, 28, 9);
    expect(batchFault(counted)).to.equal('fields');
  });

  it('refuse extras that do not add up', () => {
    const cases: Record<string, (bytes: Buffer) => void> = {
      'a block beyond the record': (bytes) => writeUint32(bytes, 32, 1000),
      'a block longer than its entries': (bytes) => writeUint32(bytes, 32, 18),
      'a block shorter than its entries': (bytes) => writeUint32(bytes, 32, 16),
      'a count above the limit': (bytes) => writeUint16(bytes, 36, LIMITS.recordExtrasCountMax + 1),
      'an extra above the limit': (bytes) => writeUint32(bytes, 40, LIMITS.recordExtraBytesMax + 1),
      'an extra beyond the block': (bytes) => writeUint32(bytes, 40, 100),
      'an expiry above 2^53': (bytes) => writeUint32(bytes, 28, 2 ** 21),
    };
    for (const [name, change] of Object.entries(cases)) {
      const bytes = Buffer.from(RECORD);
      change(bytes);
      expect(recordFault(signed(bytes)), name).to.equal('layout');
    }
  });

  it('refuse what only a newer version can mean', () => {
    const change = (at: number, value: number): Buffer => {
      const bytes = Buffer.from(BATCH);
      bytes[at] = value;
      return reseal(bytes);
    };
    expect(batchFault(change(4, 2)), 'version').to.equal('future');
    expect(batchFault(change(7, 1)), 'must-understand flag').to.equal('future');
    expect(batchFault(change(36, 60)), 'header length').to.equal('future');
    expect(batchFault(change(6, 0x80)), 'a flag that may be ignored').to.equal(null);
    const record = (at: number, value: number): string | null => {
      const bytes = Buffer.from(RECORD);
      bytes[at] = value;
      return recordFault(signed(bytes));
    };
    expect(record(RECORD_AT.flags, RecordFlag.hasExpiry | 8)).to.equal('flags');
    expect(record(RECORD_AT.kind, 0)).to.equal('kind');
    expect(record(RECORD_AT.kind, 9)).to.equal('kind');
    const header = (at: number, value: number): string | null => {
      const bytes = Buffer.from(SEGMENT_HEADER);
      bytes[at] = value;
      writeUint32(bytes, 92, crcOf(bytes, 0, 92));
      return segmentFault(bytes);
    };
    expect(header(8, 2)).to.equal('futureFormat');
    expect(header(14, 1)).to.equal('futureFormat');
    expect(header(12, 1), 'a flag that may be ignored').to.equal(null);
  });

  it('of batches answer random bytes with a fault and nothing else', () => {
    const magic = Buffer.from('CSKB');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (random, withMagic) => {
        const bytes = Buffer.from(random);
        if (withMagic) magic.copy(bytes);
        return batchFault(bytes) !== null;
      }),
      { numRuns: 2000 },
    );
  });

  it('of records never point outside the record, even if the checksum is right', () => {
    const view = new RecordView();
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: RECORD_HEADER_BYTES, maxLength: 120 }),
        fc.nat(7),
        (random, flags) => {
          const bytes = Buffer.from(random);
          bytes[RECORD_AT.flags] = flags;
          bytes[RECORD_AT.kind] = 1;
          bytes.fill(0, RECORD_AT.keyLength + 1, RECORD_AT.keyLength + 4);
          if (view.decode(signed(bytes), 0, bytes.length, true) !== null) return true;
          const { keyStart, keyEnd, valueStart, valueEnd } = view;
          return (
            keyStart >= RECORD_HEADER_BYTES &&
            keyEnd >= keyStart &&
            valueStart === keyEnd &&
            valueEnd === bytes.length
          );
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('of hints never point outside the block', () => {
    const record = new IndexedRecord();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (random, end) => {
        const bytes = Buffer.from(random);
        const limit = Math.min(end, bytes.length);
        const next = decodeHintEntry(bytes, 0, limit, record);
        decodeHintTrailer(bytes, 0);
        return next === -1 || (next <= limit && record.keyEnd === next && record.keyStart <= record.keyEnd);
      }),
      { numRuns: 2000 },
    );
  });

  it('of hints refuse a damaged trailer', () => {
    const at = HINT.length - 16;
    expect(decodeHintTrailer(HINT, at)).to.equal(5);
    for (const { flipped } of flippedBits(HINT.subarray(at)))
      expect(decodeHintTrailer(flipped, 0)).to.equal(-1);
    for (let length = 0; length < 16; length += 1)
      expect(decodeHintTrailer(HINT.subarray(0, at + length), at)).to.equal(-1);
  });

  it('take what the builder writes: every length of key and value over the borders of a buffer', () => {
    for (const size of [0, 1, 95, 96, 97, 250, 70_000]) {
      const bytes = batchBytes([{ key: 'k'.repeat(Math.min(size, 65_535)), value: Buffer.alloc(size, 1) }]);
      expect(batchFault(bytes), `size ${size}`).to.equal(null);
    }
    expect(batchFault(batchBytes([{ key: 'k' }], 2 ** 53 - 1))).to.equal(null);
  });
});
