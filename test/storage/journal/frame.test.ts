import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import {
  checkVersion,
  decodeFrame,
  encodeFrame,
  FRAME_ALIGNMENT_BYTES,
  frameBytes,
  type JournalRecord,
} from '../../../src/storage/journal/frame.ts';
import { loadGolden } from '../../support/golden.ts';
import { expectCode } from '../../support/store-fixture.ts';

const RECORDS: readonly JournalRecord[] = [
  { kind: 'oldestLap', lap: 2 ** 40, nextLapId: 'f0'.repeat(16) },
  {
    kind: 'bytes',
    path: 'partitions/3/é.log',
    position: 2 ** 33,
    chunks: [Buffer.from('first'), Buffer.alloc(0), Buffer.from('second')],
  },
  { kind: 'settled', path: 'partitions/4/a.log' },
];
const LAP_ID = '00112233445566778899aabbccddeeff';
const HEADER = { lap: 7, lapId: LAP_ID, sequence: 2 ** 35, durableSequence: 12 };

describe('a frame of the journal', () => {
  it('is read as it was written, chunks put together', () => {
    const bytes = Buffer.concat([Buffer.alloc(FRAME_ALIGNMENT_BYTES), encodeFrame(HEADER, RECORDS)]);
    const frame = decodeFrame(bytes, FRAME_ALIGNMENT_BYTES);
    const records = frame?.records.map((record) =>
      record.kind === 'bytes' ? { ...record, chunks: record.chunks.map(String) } : record,
    );
    expect({ ...frame, records }).to.deep.equal({
      ...HEADER,
      paddedBytes: FRAME_ALIGNMENT_BYTES,
      records: [RECORDS[0], { ...RECORDS[1], chunks: ['firstsecond'] }, RECORDS[2]],
    });
  });

  it('takes whole steps of the alignment, and what it says beforehand', () => {
    for (const length of [0, 1, 4000, 4023, 4024, 4025, 9000]) {
      const records: JournalRecord[] = [
        { kind: 'bytes', path: '', position: 0, chunks: [Buffer.alloc(length)] },
      ];
      const bytes = encodeFrame(HEADER, records);
      expect(bytes.length % FRAME_ALIGNMENT_BYTES).to.equal(0);
      expect(frameBytes(records)).to.equal(bytes.length);
      expect(decodeFrame(bytes, 0)?.paddedBytes).to.equal(bytes.length);
    }
  });

  it('is none with any bit of it changed, and cut short anywhere', () => {
    const whole = encodeFrame(HEADER, RECORDS);
    const length = whole.readUInt32LE(8);
    for (let bit = 0; bit < length * 8; bit += 1) {
      const bytes = Buffer.from(whole);
      bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
      expect(decodeFrame(bytes, 0), `bit ${bit}`).to.equal(null);
    }
    for (let end = 0; end < length; end += 1)
      expect(decodeFrame(whole.subarray(0, end), 0), `${end} bytes`).to.equal(null);
  });

  it('is none where its records are not what the lengths say', () => {
    const whole = encodeFrame(HEADER, [{ kind: 'settled', path: 'x' }]);
    for (const [at, value] of [
      [56, 0],
      [56, 4],
      [58, 200],
      [60, 200],
    ] as const) {
      const bytes = Buffer.from(whole);
      bytes[at] = value;
      expect(decodeFrame(withChecksum(bytes), 0), `byte ${at}`).to.equal(null);
    }
  });

  it('of a newer format is refused, not passed over', async () => {
    const bytes = encodeFrame(HEADER, RECORDS);
    bytes.writeUInt16LE(2, 4);
    withChecksum(bytes);
    expect(decodeFrame(bytes, 0)).to.equal(null);
    await expectCode(async () => checkVersion(bytes, 'a.journal'), 'futureFormat');
  });
});

describe('golden bytes of a frame of the journal', () => {
  const golden = loadGolden('storage/journal-frame.hex');
  const header = { lap: 8, lapId: LAP_ID, sequence: 4328719365, durableSequence: 4328719363 };
  const chunks = [Buffer.from('bytes')];
  const records: readonly JournalRecord[] = [
    { kind: 'oldestLap', lap: 7, nextLapId: 'ffeeddccbbaa99887766554433221100' },
    { kind: 'bytes', path: 'partitions/0/a.log', position: 4096, chunks },
    { kind: 'settled', path: 'partitions/1/b.log' },
  ];

  it('are what is written', () => {
    const frame = encodeFrame(header, records);
    expect(frame.toString('hex', 0, golden.length)).to.equal(golden.toString('hex'));
    expect(frame.subarray(golden.length).every((byte) => byte === 0)).to.equal(true);
  });

  it('are understood', () => {
    const padded = Buffer.concat([golden, Buffer.alloc(FRAME_ALIGNMENT_BYTES - golden.length)]);
    expect(decodeFrame(padded, 0)).to.deep.equal({
      ...header,
      records,
      paddedBytes: FRAME_ALIGNMENT_BYTES,
    });
  });
});

/** As if it had been written like that. */
function withChecksum(bytes: Buffer): Buffer {
  const length = bytes.readUInt32LE(8);
  const covered = Buffer.concat([bytes.subarray(0, 12), bytes.subarray(16, length)]);
  bytes.writeUInt32LE(crc32(covered), 12);
  return bytes;
}
