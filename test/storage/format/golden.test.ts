import { expect } from 'chai';
import { asLeaderEpoch, asOffset } from '../../../src/model/numbers.ts';
import { BatchBuilder } from '../../../src/storage/batch-builder.ts';
import { IndexedRecord } from '../../../src/storage/committed-index.ts';
import {
  BATCH_HEADER_BYTES,
  BatchFlag,
  type BatchHeader,
  batchCrcHolds,
  isFutureBatch,
  nextOffsetOf,
  readBatchHeader,
  sealBatch,
} from '../../../src/storage/format/batch.ts';
import {
  decodeHintEntry,
  decodeHintTrailer,
  encodeHintHeader,
  encodeHintTrailer,
  HINT_BLOCK_HEADER_BYTES,
  HINT_HEADER_BYTES,
  HintBlock,
  hintBatchCount,
  hintBlockLength,
  hintCrcHolds,
  hintHeaderMatches,
} from '../../../src/storage/format/hint.ts';
import { readUint32 } from '../../../src/storage/format/integers.ts';
import { RecordFlag, RecordKind, RecordView } from '../../../src/storage/format/record.ts';
import { decodeSegmentHeader, encodeSegmentHeader } from '../../../src/storage/format/segment-header.ts';
import { loadGolden } from '../../support/golden.ts';

const BASE = asOffset(4328719365);
const IDENTITY = {
  partitionUuid: '00112233445566778899aabbccddeeff',
  directoryId: 'f0e1d2c3b4a5968778695a4b3c2d1e0f',
  baseOffset: BASE,
  generation: 12,
};
const HINT = {
  base: BASE,
  generation: 12,
  segmentLength: 500,
  end: BASE + 8,
  hashSeed: '0123456789abcdef',
};

function builtBatch(): BatchBuilder {
  const batch = new BatchBuilder(BASE, asLeaderEpoch(7), Buffer.alloc(64, 0xee));
  batch.firstTimestampMs = 1_700_000_000_000;
  batch.maxTimestampMs = 1_700_000_000_005;
  const append = (kind: RecordKind, flags: number, detail: number, expiry: number, key: string, value = '') =>
    batch.append(
      kind,
      flags,
      detail,
      0,
      expiry,
      Buffer.from(key),
      0,
      key.length,
      Buffer.from(value),
      0,
      value.length,
    );
  append(RecordKind.put, 0, 0, -1, 'k1', 'hello');
  append(RecordKind.put, 0, 0, 1_700_000_000_123, 'k2', 'v');
  append(RecordKind.put, RecordFlag.continues, 0, -1, 'k3');
  append(RecordKind.tombstone, RecordFlag.continues, 0, -1, 'k1');
  append(RecordKind.tombstone, 0, 1, -1, 'k2');
  append(RecordKind.expiryChange, 0, 0, 1_800_000_000_000, 'k3');
  append(RecordKind.expiryChange, 0, 0, 0, 'k3');
  append(RecordKind.flush, 0, 0, -1, '');
  batch.seal();
  return batch;
}

interface DecodedRecord {
  readonly delta: number;
  readonly kind: number;
  readonly flags: number;
  readonly detail: number;
  readonly expiresAtMs: number;
  readonly key: string;
  readonly value: string;
}

function recordsOf(bytes: Buffer, header: BatchHeader): DecodedRecord[] {
  const view = new RecordView();
  const records: DecodedRecord[] = [];
  let at = BATCH_HEADER_BYTES;
  while (at < header.length) {
    expect(view.decode(bytes, at, header.length, true)).to.equal(null);
    const { kind, flags, detail, expiresAtMs } = view;
    const key = bytes.toString('utf8', view.keyStart, view.keyEnd);
    const value = bytes.toString('utf8', view.valueStart, view.valueEnd);
    records.push({ delta: view.offsetDelta, kind, flags, detail, expiresAtMs, key, value });
    at += view.length;
  }
  return records;
}

function headerOf(bytes: Buffer): BatchHeader {
  const header = readBatchHeader(bytes, 0, bytes.length);
  if (typeof header === 'string') throw new Error(`the header is refused: ${header}`);
  expect(batchCrcHolds(bytes, 0, header)).to.equal(true);
  expect(isFutureBatch(bytes, 0, header)).to.equal(false);
  return header;
}

const put = { kind: 1, flags: 0, detail: 0, expiresAtMs: 0 };
const RECORDS: readonly DecodedRecord[] = [
  { ...put, delta: 0, key: 'k1', value: 'hello' },
  { ...put, delta: 1, flags: 2, expiresAtMs: 1_700_000_000_123, key: 'k2', value: 'v' },
  { ...put, delta: 2, flags: 1, key: 'k3', value: '' },
  { ...put, delta: 3, kind: 2, flags: 1, key: 'k1', value: '' },
  { ...put, delta: 4, kind: 2, detail: 1, key: 'k2', value: '' },
  { ...put, delta: 5, kind: 3, flags: 2, expiresAtMs: 1_800_000_000_000, key: 'k3', value: '' },
  { ...put, delta: 6, kind: 3, flags: 2, key: 'k3', value: '' },
  { ...put, delta: 7, kind: 4, key: '', value: '' },
];

describe('golden bytes of a segment header', () => {
  const golden = loadGolden('storage/segment-header.hex');

  it('are what is written', () => {
    expect(encodeSegmentHeader(IDENTITY, 1_700_000_000_000).toString('hex')).to.equal(golden.toString('hex'));
  });

  it('are understood', () => {
    expect(decodeSegmentHeader(golden, 'golden')).to.deep.equal(IDENTITY);
  });
});

describe('golden bytes of a batch', () => {
  const golden = loadGolden('storage/batch.hex');

  it('are what is written, into a buffer that was used before', () => {
    const batch = builtBatch();
    expect(batch.bytes.toString('hex', 0, batch.length)).to.equal(golden.toString('hex'));
  });

  it('are understood', () => {
    const header = headerOf(golden);
    expect(header).to.deep.include({ flags: 0, length: golden.length, baseOffset: BASE, count: 8 });
    expect(header).to.deep.include({ lastOffsetDelta: 7, leaderEpoch: 7 });
    expect(header).to.deep.include({
      firstTimestampMs: 1_700_000_000_000,
      maxTimestampMs: 1_700_000_000_005,
    });
    expect(nextOffsetOf(header)).to.equal(BASE + 8);
    expect(recordsOf(golden, header)).to.deep.equal(RECORDS);
  });

  it('are understood wherever they lie', () => {
    const shifted = Buffer.concat([Buffer.alloc(13, 0xff), golden, Buffer.alloc(3, 0xff)]);
    const header = readBatchHeader(shifted, 13, shifted.length);
    expect(header).to.deep.equal(headerOf(golden));
    expect(batchCrcHolds(shifted, 13, header as BatchHeader)).to.equal(true);
  });
});

describe('golden bytes of a merged batch', () => {
  const golden = loadGolden('storage/batch-merged.hex');

  it('are what is written: offsets, epoch and timestamps stay (R16)', () => {
    const whole = builtBatch();
    const header = headerOf(whole.bytes.subarray(0, whole.length));
    const view = new RecordView();
    const parts: Buffer[] = [];
    for (let at = BATCH_HEADER_BYTES; at < whole.length; at += view.length) {
      view.decode(whole.bytes, at, whole.length, true);
      if (view.offsetDelta === 2 || view.offsetDelta === 6)
        parts.push(whole.bytes.subarray(at, at + view.length));
    }
    const merged = Buffer.concat([Buffer.alloc(BATCH_HEADER_BYTES), ...parts]);
    sealBatch(merged, 0, { ...header, flags: BatchFlag.merged, length: merged.length, count: 2 });
    expect(merged.toString('hex')).to.equal(golden.toString('hex'));
  });

  it('are understood', () => {
    const header = headerOf(golden);
    expect(header).to.deep.include({
      flags: BatchFlag.merged,
      count: 2,
      lastOffsetDelta: 7,
      baseOffset: BASE,
    });
    expect(nextOffsetOf(header)).to.equal(BASE + 8);
    expect(recordsOf(golden, header)).to.deep.equal([RECORDS[2], RECORDS[6]]);
  });
});

describe('golden bytes of a record with extras', () => {
  const golden = loadGolden('storage/record-extras.hex');

  it('are read over, unknown ids included', () => {
    const view = new RecordView();
    expect(view.decode(golden, 0, golden.length, true)).to.equal(null);
    expect(view).to.include({ kind: 1, flags: 6, offsetDelta: 3, expiresAtMs: 1_700_000_000_123 });
    expect(golden.toString('utf8', view.keyStart, view.keyEnd)).to.equal('key');
    expect(golden.toString('utf8', view.valueStart, view.valueEnd)).to.equal('value');
  });
});

describe('golden bytes of a hint file', () => {
  const golden = loadGolden('storage/hint.hex');
  const entry = { database: 0, expiresAtMs: 0 };
  const ENTRIES = [
    { ...entry, hash: 0xdeadbeef, position: 152, length: 31, offset: BASE, kind: 1, key: 'k1' },
    {
      ...entry,
      hash: 0x01020304,
      position: 183,
      length: 35,
      offset: BASE + 1,
      kind: 1,
      key: 'k2',
      expiresAtMs: 1_700_000_000_123,
    },
    { ...entry, hash: 0xffffffff, position: 300, length: 26, offset: BASE + 4, kind: 2, key: 'k1' },
    { ...entry, hash: 0x11, position: 360, length: 34, offset: BASE + 6, kind: 3, key: 'k3' },
    { ...entry, hash: 0, position: 394, length: 24, offset: BASE + 7, kind: 4, key: '' },
  ];

  it('are what is written', () => {
    const block = new HintBlock();
    for (const { key, ...fields } of ENTRIES) {
      const record = Object.assign(new IndexedRecord(), fields, {
        bytes: Buffer.from(key),
        keyEnd: key.length,
      });
      block.add(record);
    }
    const written = Buffer.concat([
      encodeHintHeader(HINT, 1),
      block.take(),
      encodeHintTrailer(ENTRIES.length),
    ]);
    expect(written.toString('hex')).to.equal(golden.toString('hex'));
    expect(block.isEmpty).to.equal(true);
  });

  it('are understood', () => {
    expect(hintHeaderMatches(golden, HINT)).to.equal(true);
    expect(hintBatchCount(golden)).to.equal(1);
    const start = HINT_HEADER_BYTES + HINT_BLOCK_HEADER_BYTES;
    const end = start + hintBlockLength(golden, HINT_HEADER_BYTES);
    expect(hintCrcHolds(golden, start, end, readUint32(golden, HINT_HEADER_BYTES + 4))).to.equal(true);
    expect(decodeHintTrailer(golden, end)).to.equal(ENTRIES.length);
    const record = new IndexedRecord();
    let at = start;
    for (const { key, ...expected } of ENTRIES) {
      at = decodeHintEntry(golden, at, end, record);
      expect(record).to.deep.include(expected);
      expect(golden.toString('utf8', record.keyStart, record.keyEnd)).to.equal(key);
    }
    expect(at).to.equal(end);
  });
});
