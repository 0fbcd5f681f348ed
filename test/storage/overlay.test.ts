import { expect } from 'chai';
import fc from 'fast-check';
import { asLeaderEpoch, asOffset } from '../../src/model/numbers.ts';
import { BatchBuilder } from '../../src/storage/batch-builder.ts';
import { RECORD_HEADER_BYTES, RecordKind } from '../../src/storage/format/record.ts';
import { Overlay } from '../../src/storage/overlay.ts';

interface Entry {
  readonly offset: number;
  readonly kind: RecordKind;
  readonly database: number;
  readonly key: string;
}

const KINDS = [RecordKind.put, RecordKind.tombstone, RecordKind.expiryChange] as const;

/** The overlay beside an array of all uncommitted entries, oldest first. */
class Pair {
  readonly overlay: Overlay;
  readonly #hash: (key: string) => number;
  #entries: Entry[] = [];
  #begin: number;
  #batch: BatchBuilder;

  constructor(begin: number, hash: (key: string) => number) {
    this.overlay = new Overlay(begin);
    this.#begin = begin;
    this.#hash = hash;
    this.#batch = newBatch(begin);
  }

  get end(): number {
    return this.#begin + this.#entries.length;
  }

  add(kind: RecordKind, database: number, key: string): void {
    const bytes = Buffer.from(key);
    const at = this.#batch.append(kind, 0, 0, database, -1, bytes, 0, bytes.length);
    const keyStart = at + RECORD_HEADER_BYTES;
    const { end } = this;
    const offset = this.overlay.add(
      this.#batch,
      kind,
      database,
      this.#hash(key),
      at,
      keyStart,
      keyStart + bytes.length,
      -1,
    );
    expect(offset).to.equal(end);
    this.#entries.push({ offset, kind, database, key });
  }

  nextBatch(): void {
    this.#batch = newBatch(this.end);
  }

  commit(count: number): void {
    const done = Math.min(count, this.#entries.length);
    this.#entries.splice(0, done);
    this.#begin += done;
    this.overlay.commitTo(this.#begin);
  }

  truncate(count: number): void {
    this.#entries.splice(Math.max(0, this.#entries.length - count));
    this.overlay.truncateTo(this.end);
    this.nextBatch();
  }

  compare(keys: readonly string[]): void {
    expect(this.overlay.begin).to.equal(this.#begin);
    expect(this.overlay.end).to.equal(this.end);
    for (const database of [0, 1]) {
      for (const key of keys) this.#compareKey(database, key);
      for (let above = this.#begin - 2; above <= this.end; above += 1) {
        const flush = this.#entries.findLast(
          (entry) => entry.kind === RecordKind.flush && entry.database === database && entry.offset > above,
        );
        expect(this.overlay.flushedAbove(database, above), `flush above ${above}`).to.equal(
          flush?.offset ?? -1,
        );
      }
    }
  }

  #compareKey(database: number, key: string): void {
    const expected = this.#entries
      .filter((entry) => entry.kind !== RecordKind.flush && entry.database === database && entry.key === key)
      .map((entry) => entry.offset)
      .reverse();
    const found: number[] = [];
    const bytes = Buffer.from(`..${key}`);
    let offset = this.overlay.find(database, this.#hash(key), bytes, 2, bytes.length);
    while (offset >= 0) {
      found.push(offset);
      const entry = this.#entries.find((each) => each.offset === offset);
      expect(this.overlay.kind(offset)).to.equal(entry?.kind);
      expect(this.overlay.hash(offset)).to.equal(this.#hash(key));
      const { bytes: own } = this.overlay.batch(offset);
      expect(own.toString('utf8', this.overlay.keyStart(offset), this.overlay.keyEnd(offset))).to.equal(key);
      expect(this.overlay.length(offset)).to.equal(RECORD_HEADER_BYTES + key.length);
      offset = this.overlay.findOlder(offset);
    }
    expect(found, `${key} in database ${database}`).to.deep.equal(expected);
  }
}

function newBatch(base: number): BatchBuilder {
  return new BatchBuilder(asOffset(base), asLeaderEpoch(1), Buffer.alloc(32));
}

const HASHES: Record<string, (key: string) => number> = {
  'hashes of their own': (key) => (key.charCodeAt(0) * 0x9e3779b1) >>> 0,
  'equal hashes': () => 0xfedcba98,
  'hashes that share a chain': (key) => ((key.charCodeAt(0) % 3) * 4096 + 5) >>> 0,
};
const KEYS = ['a', 'b', 'c', 'aa', 'ab'];

const operation = fc.oneof(
  {
    arbitrary: fc.record({
      add: fc.constantFrom(...KINDS),
      key: fc.constantFrom(...KEYS),
      database: fc.nat(1),
    }),
    weight: 8,
  },
  { arbitrary: fc.record({ flush: fc.nat(1) }), weight: 1 },
  { arbitrary: fc.record({ commit: fc.nat(6) }), weight: 2 },
  { arbitrary: fc.record({ truncate: fc.nat(6) }), weight: 1 },
  { arbitrary: fc.record({ burst: fc.integer({ min: 200, max: 1500 }) }), weight: 1 },
);

describe('the overlay of uncommitted records (C2)', () => {
  for (const [name, hash] of Object.entries(HASHES)) {
    it(`is an array of records, searched by key, with ${name}`, () => {
      fc.assert(
        fc.property(fc.nat(5000), fc.array(operation, { maxLength: 40 }), (begin, operations) => {
          const pair = new Pair(begin, hash);
          let bursts = 0;
          for (const step of operations) {
            if ('add' in step) pair.add(step.add, step.database, step.key);
            else if ('flush' in step) pair.add(RecordKind.flush, step.flush, '');
            else if ('commit' in step) pair.commit(step.commit);
            else if ('truncate' in step) pair.truncate(step.truncate);
            else if (bursts++ === 0) {
              for (let n = 0; n < step.burst; n += 1) pair.add(RecordKind.put, 0, `x${n}`);
              pair.commit(step.burst - 7);
            }
          }
          pair.compare([...KEYS, 'absent']);
        }),
        { numRuns: 60 },
      );
    });
  }

  it('finds every record after it has grown, whichever its place in the ring was', () => {
    const pair = new Pair(1000, HASHES['hashes that share a chain'] as (key: string) => number);
    for (let n = 0; n < 700; n += 1) pair.add(RecordKind.put, 0, 'old');
    pair.commit(700);
    for (let n = 0; n < 2500; n += 1) {
      const kind = n % 500 === 0 ? RecordKind.flush : RecordKind.put;
      pair.add(kind, n % 2, kind === RecordKind.flush ? '' : String.fromCharCode(97 + (n % 20)));
    }
    pair.compare(['a', 'b', 'c', 'old']);
    pair.truncate(1200);
    pair.commit(3);
    pair.compare(['a', 'b', 'c', 'old']);
  });

  it('forgets everything when all is committed', () => {
    const pair = new Pair(0, () => 1);
    pair.add(RecordKind.put, 0, 'a');
    pair.add(RecordKind.flush, 0, '');
    pair.commit(2);
    pair.compare(['a']);
  });
});
