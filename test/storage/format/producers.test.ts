import { expect } from 'chai';
import fc from 'fast-check';
import { LIMITS } from '../../../src/model/limits.ts';
import { asIncarnation, asNodeId, asOffset, asProducerSequence } from '../../../src/model/numbers.ts';
import type { Producer, ProducerNote } from '../../../src/model/producer.ts';
import { BATCH_HEADER_BYTES } from '../../../src/storage/format/batch.ts';
import { decodeExtras, ExtraId, encodeExtras, findExtra } from '../../../src/storage/format/extras.ts';
import { writeUint16, writeUint32 } from '../../../src/storage/format/integers.ts';
import { decodeProducerExtra, encodeProducerExtra } from '../../../src/storage/format/outcome.ts';
import {
  decodeProducerSnapshot,
  encodeProducerState,
  encodeSnapshotHeader,
  encodeSnapshotRecord,
  type ProducerSnapshot,
} from '../../../src/storage/format/producer-snapshot.ts';
import { RecordFlag, RecordKind, RecordView } from '../../../src/storage/format/record.ts';
import { buildBatch } from '../../support/batch-bytes.ts';
import { loadGolden } from '../../support/golden.ts';

const EXTRAS = loadGolden('storage/producer-extras.hex');
const NODE_EXTRA = loadGolden('storage/producer-node-extra.hex');
const SNAPSHOT = loadGolden('storage/producer-snapshot.hex');

const client = (id: string): Producer => ({ kind: 'client', id });
const NODE: Producer = { kind: 'node', node: asNodeId(3), incarnation: asIncarnation(1_700_000_000_123) };
const CLIENT_NOTE: ProducerNote = {
  producer: client('clientä7'),
  sequence: asProducerSequence(2 ** 32 + 42),
  outcome: Buffer.from([0x2b, 0x4f, 0x4b, 13, 10, 0x21, 0, 0xff, 1, 0x7f]),
};
const STATES: ProducerSnapshot = {
  asOf: asOffset(4328719365),
  hasForgotten: true,
  producers: [
    {
      producer: NODE,
      seen: [{ sequence: asProducerSequence(7), offset: asOffset(1000), outcome: null }],
    },
    {
      producer: client('c1'),
      seen: [
        {
          sequence: asProducerSequence(2 ** 32 + 42 - 1023),
          offset: asOffset(1001),
          outcome: Uint8Array.from([0x3a, 0x31, 10]),
        },
        { sequence: asProducerSequence(2 ** 32 + 42), offset: asOffset(1002), outcome: new Uint8Array(0) },
      ],
    },
  ],
};

function encodeSnapshot({ asOf, hasForgotten, producers }: ProducerSnapshot): Buffer {
  return Buffer.concat([encodeSnapshotHeader(asOf, hasForgotten), ...producers.map(encodeProducerState)]);
}

/** Each bit flipped once: a decoder may take the bytes for others, but never throws and never points outside. */
function everyFlip(bytes: Buffer, look: (flipped: Buffer) => void): void {
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = Buffer.from(bytes);
    flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7));
    look(flipped);
  }
}

function flippedBytes(bytes: Buffer, at: number, change: (bytes: Buffer, at: number) => void): Buffer {
  const changed = Buffer.from(bytes);
  change(changed, at);
  return changed;
}

describe('golden bytes of extras', () => {
  it('are what is written, and are understood', () => {
    const extras = [
      { id: ExtraId.producer, bytes: encodeProducerExtra(CLIENT_NOTE) },
      { id: ExtraId.user, bytes: Buffer.from('ann') },
    ];
    expect(encodeExtras(extras).toString('hex')).to.equal(EXTRAS.toString('hex'));
    const decoded = decodeExtras(EXTRAS, 0, EXTRAS.length);
    expect(decoded?.map((extra) => extra.id)).to.deep.equal([1, 2]);
    const note = decodeProducerExtra(decoded?.[0]?.bytes ?? new Uint8Array());
    expect(note).to.deep.include({ producer: CLIENT_NOTE.producer, sequence: CLIENT_NOTE.sequence });
    expect(Buffer.from((note as ProducerNote).outcome ?? '')).to.deep.equal(CLIENT_NOTE.outcome);
  });

  it('of a node are what is written, and are understood', () => {
    const note = { producer: NODE, sequence: asProducerSequence(7), outcome: null };
    expect(encodeProducerExtra(note).toString('hex')).to.equal(NODE_EXTRA.toString('hex'));
    expect(decodeProducerExtra(NODE_EXTRA)).to.deep.equal(note);
  });

  it('of a producer snapshot are what is written, and are understood', () => {
    expect(encodeSnapshot(STATES).toString('hex')).to.equal(SNAPSHOT.toString('hex'));
    expect(decodeProducerSnapshot(SNAPSHOT)).to.deep.equal(STATES);
  });
});

describe('extras', () => {
  it('of an id that is not known come out as they went in', () => {
    const extras = [
      { id: 900, bytes: Buffer.alloc(0) },
      { id: 0xffff, bytes: Buffer.alloc(LIMITS.recordExtraBytesMax, 7) },
    ];
    const block = encodeExtras(extras);
    const decoded = decodeExtras(block, 0, block.length) ?? [];
    expect(encodeExtras(decoded).equals(block)).to.equal(true);
  });

  it('above a limit are refused by the encoder', () => {
    const many = Array.from({ length: LIMITS.recordExtrasCountMax + 1 }, () => ({
      id: 1,
      bytes: Buffer.alloc(1),
    }));
    expect(() => encodeExtras(many)).to.throw('extras');
    expect(() => encodeExtras([{ id: 1, bytes: Buffer.alloc(LIMITS.recordExtraBytesMax + 1) }])).to.throw(
      'extra',
    );
  });

  it('cut at any byte are refused', () => {
    for (let length = 0; length < EXTRAS.length; length += 1)
      expect(decodeExtras(EXTRAS, 0, length), `cut at ${length}`).to.equal(null);
  });

  it('with hostile lengths are refused before a length is used', () => {
    for (const length of [0, 47, 49, 2 ** 31, 2 ** 32 - 1])
      expect(
        decodeExtras(
          flippedBytes(EXTRAS, 0, (b, at) => writeUint32(b, at, length)),
          0,
          EXTRAS.length,
        ),
      ).to.equal(null);
    for (const count of [0, 1, 3, LIMITS.recordExtrasCountMax, 0xffff])
      expect(
        decodeExtras(
          flippedBytes(EXTRAS, 4, (b, at) => writeUint16(b, at, count)),
          0,
          EXTRAS.length,
        ),
      ).to.equal(null);
    for (const length of [30, 32, 1000, LIMITS.recordExtraBytesMax + 1, 2 ** 32 - 1])
      expect(
        decodeExtras(
          flippedBytes(EXTRAS, 8, (b, at) => writeUint32(b, at, length)),
          0,
          EXTRAS.length,
        ),
      ).to.equal(null);
  });

  it('with any bit flipped stay inside the block', () => {
    everyFlip(EXTRAS, (flipped) => {
      for (const extra of decodeExtras(flipped, 0, flipped.length) ?? []) {
        expect(extra.bytes.byteOffset + extra.bytes.length).to.be.at.most(
          flipped.byteOffset + flipped.length,
        );
        decodeProducerExtra(extra.bytes);
      }
    });
  });

  it('are written by the batch builder between expiry and key, and found there', () => {
    const extras = encodeExtras([{ id: ExtraId.producer, bytes: encodeProducerExtra(CLIENT_NOTE) }]);
    for (const expiresAtMs of [-1, 1_700_000_000_123]) {
      const batch = buildBatch([{ key: 'key', value: 'value', expiresAtMs, extras }]);
      const view = new RecordView();
      expect(view.decode(batch.bytes, BATCH_HEADER_BYTES, batch.length, true)).to.equal(null);
      expect(view.flags & RecordFlag.hasExtras).to.equal(RecordFlag.hasExtras);
      expect(batch.bytes.toString('utf8', view.keyStart, view.valueEnd)).to.equal('keyvalue');
      const found = findExtra(batch.bytes, BATCH_HEADER_BYTES, view, ExtraId.producer);
      expect(decodeProducerExtra(found ?? new Uint8Array())).to.deep.include({
        sequence: CLIENT_NOTE.sequence,
      });
      expect(findExtra(batch.bytes, BATCH_HEADER_BYTES, view, ExtraId.trace)).to.equal(null);
    }
  });
});

describe('the producer extra', () => {
  it('leaves out an outcome that is too long', () => {
    const fits = { ...CLIENT_NOTE, outcome: new Uint8Array(LIMITS.producerOutcomeBytesMax) };
    const tooLong = { ...CLIENT_NOTE, outcome: new Uint8Array(LIMITS.producerOutcomeBytesMax + 1) };
    expect(decodeProducerExtra(encodeProducerExtra(fits)))
      .to.have.property('outcome')
      .with.length(1024);
    expect(decodeProducerExtra(encodeProducerExtra(tooLong))).to.have.property('outcome', null);
  });

  it('cut at any byte before its outcome is refused', () => {
    const bytes = encodeProducerExtra(CLIENT_NOTE);
    for (let length = 0; length < bytes.length - 10; length += 1)
      expect(decodeProducerExtra(bytes.subarray(0, length)), `cut at ${length}`).to.be.a('string');
    for (let length = 0; length < NODE_EXTRA.length; length += 1)
      expect(decodeProducerExtra(NODE_EXTRA.subarray(0, length)), `cut at ${length}`).to.be.a('string');
  });

  it('with an id that is empty, too long or no UTF-8 is refused', () => {
    const bytes = encodeProducerExtra(CLIENT_NOTE);
    expect(decodeProducerExtra(flippedBytes(bytes, 2, (b, at) => writeUint16(b, at, 0)))).to.equal('layout');
    expect(decodeProducerExtra(flippedBytes(bytes, 2, (b, at) => writeUint16(b, at, 0xffff)))).to.equal(
      'layout',
    );
    expect(decodeProducerExtra(flippedBytes(bytes, 12, (b, at) => b.writeUInt8(0xff, at)))).to.equal(
      'layout',
    );
    const long = Buffer.concat([bytes.subarray(0, 12), Buffer.alloc(65, 0x61)]);
    writeUint16(long, 2, 65);
    expect(decodeProducerExtra(long)).to.equal('layout');
    expect(() => encodeProducerExtra({ ...CLIENT_NOTE, producer: client('x'.repeat(65)) })).to.throw(
      'producer id',
    );
    expect(() => encodeProducerExtra({ ...CLIENT_NOTE, producer: client('') })).to.throw('producer id');
  });

  it('of a form that a newer version wrote is told from a broken one', () => {
    for (const form of [0, 3, 255])
      expect(decodeProducerExtra(flippedBytes(NODE_EXTRA, 0, (b, at) => b.writeUInt8(form, at)))).to.equal(
        'form',
      );
    expect(decodeProducerExtra(flippedBytes(NODE_EXTRA, 1, (b, at) => b.writeUInt8(2, at)))).to.equal('form');
    expect(decodeProducerExtra(flippedBytes(NODE_EXTRA, 10, (b, at) => b.writeUInt8(0x20, at)))).to.equal(
      'layout',
    );
  });

  it('answers random bytes with a note or a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (random) => {
        const note = decodeProducerExtra(random);
        return typeof note === 'string' || encodeProducerExtra(note).equals(Buffer.from(random));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the producer snapshot', () => {
  it('cut at any byte is refused, but where a producer ends', () => {
    const borders = [16, 16 + encodeProducerState(STATES.producers[0] as never).length];
    for (let length = 0; length < SNAPSHOT.length; length += 1) {
      const decoded = decodeProducerSnapshot(SNAPSHOT, 0, length);
      expect(typeof decoded, `cut at ${length}`).to.equal(borders.includes(length) ? 'object' : 'string');
    }
  });

  it('with any bit flipped is refused or something of the same form', () => {
    everyFlip(SNAPSHOT, (flipped) => {
      const decoded = decodeProducerSnapshot(flipped);
      if (typeof decoded === 'string') return;
      for (const { seen } of decoded.producers) expect(seen.length).to.be.within(1, LIMITS.producerWindow);
    });
  });

  it('with hostile counts and lengths is refused before they are used', () => {
    const first = 16;
    for (const count of [0, LIMITS.producerWindow + 1, 2 ** 32 - 1])
      expect(
        decodeProducerSnapshot(flippedBytes(SNAPSHOT, first + 4, (b, at) => writeUint32(b, at, count))),
      ).to.equal('layout');
    expect(
      decodeProducerSnapshot(flippedBytes(SNAPSHOT, first + 2, (b, at) => writeUint16(b, at, 0xffff))),
    ).to.equal('short');
    expect(decodeProducerSnapshot(flippedBytes(SNAPSHOT, 0, (b, at) => writeUint16(b, at, 2)))).to.equal(
      'version',
    );
    const outcome = SNAPSHOT.length - 3 - 2 * 12 + 2;
    for (const length of [LIMITS.producerOutcomeBytesMax + 1, 0xfffe])
      expect(
        decodeProducerSnapshot(flippedBytes(SNAPSHOT, outcome, (b, at) => writeUint16(b, at, length))),
      ).to.equal('layout');
  });

  it('answers random bytes with a fault or a snapshot', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (random) => {
        const bytes = Buffer.concat([SNAPSHOT.subarray(0, 16), random]);
        decodeProducerSnapshot(random);
        const decoded = decodeProducerSnapshot(bytes);
        return typeof decoded === 'string' || decoded.producers.length > 0 || random.length === 0;
      }),
      { numRuns: 2000 },
    );
  });

  it('makes a whole record in the place of another', () => {
    const record = encodeSnapshotRecord(9, [SNAPSHOT.subarray(0, 16), SNAPSHOT.subarray(16)]);
    const view = new RecordView();
    expect(view.decode(record, 0, record.length, true)).to.equal(null);
    expect(view).to.include({ kind: RecordKind.producerSnapshot, offsetDelta: 9, flags: 0 });
    expect(decodeProducerSnapshot(record, view.valueStart, view.valueEnd)).to.deep.equal(STATES);
  });
});
