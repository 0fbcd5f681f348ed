import { expect } from 'chai';
import fc from 'fast-check';
import { InvariantError } from '../../../src/model/errors.ts';
import { SlotPages } from '../../../src/storage/keydir/slot-pages.ts';
import { HASH_WORD, KEY_REFERENCE_WORD, SubTable } from '../../../src/storage/keydir/sub-table.ts';

const REST_BITS = 16;

function insert(table: SubTable, hash: number, reference: number): void {
  for (let found = table.seek(hash); found; ) found = table.seekNext(hash);
  table.insert(hash);
  table.slab[table.word + KEY_REFERENCE_WORD] = reference;
}

/** Removes one entry of this hash; false if there is none. */
function remove(table: SubTable, hash: number): boolean {
  if (!table.seek(hash)) return false;
  table.remove();
  return true;
}

function hashes(table: SubTable): number[] {
  const found: number[] = [];
  for (let more = table.seekAtLeast(0); more; more = table.seekFollowing())
    found.push(table.slab[table.word + HASH_WORD]!);
  return found;
}

describe('SubTable', () => {
  it('stays sorted, canonical and complete under any inserts and removals', () => {
    const clustered = fc.oneof(fc.nat(65_535), fc.nat(6), fc.integer({ min: 65_530, max: 65_535 }));
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), clustered), {
      maxLength: 200,
      size: 'max',
    });
    fc.assert(
      fc.property(
        steps,
        fc.constantFrom(4, 8, 16),
        fc.constantFrom(0, 0.3, 0.99),
        (script, slotsPerPage, phase) => {
          const table = new SubTable(new SlotPages(slotsPerPage), REST_BITS, phase);
          const model: number[] = [];
          for (const [kind, hash] of script) {
            if (kind < 6) {
              insert(table, hash, 1 + model.length);
              model.push(hash);
            } else {
              const at = model.indexOf(hash);
              expect(remove(table, hash)).to.equal(at >= 0);
              if (at >= 0) model.splice(at, 1);
            }
            table.verify();
            expect(hashes(table)).to.deep.equal(model.toSorted((a, b) => a - b));
          }
        },
      ),
    );
  });

  it('gives every page back when the last entry goes', () => {
    const pool = new SlotPages(4);
    const table = new SubTable(pool, REST_BITS, 0.5);
    for (let hash = 0; hash < 500; hash++) insert(table, hash * 131, hash + 1);
    expect(pool.memoryBytes).to.be.above(500 * 24);
    for (let hash = 0; hash < 500; hash++) expect(remove(table, hash * 131)).to.equal(true);
    expect(table.slotCount).to.equal(0);
    expect(pool.memoryBytes).to.equal(0);
  });

  it('finds where to go on from a hash that is not there', () => {
    const table = new SubTable(new SlotPages(4), REST_BITS, 0);
    for (const hash of [10, 20, 20, 40_000]) insert(table, hash, 1);
    const from = (hash: number): number | undefined =>
      table.seekAtLeast(hash) ? table.slab[table.word + HASH_WORD] : undefined;
    expect([0, 10, 11, 21, 40_000, 40_001].map(from)).to.deep.equal([10, 10, 20, 40_000, 40_000, undefined]);
  });

  it('grows at other counts than its neighbours, and keeps the load over all of them near 0.76', () => {
    const pool = new SlotPages(16);
    const tables = Array.from({ length: 32 }, (_, index) => new SubTable(pool, REST_BITS, index / 32));
    for (let count = 1; count <= 3000; count++) {
      let grown = 0;
      for (const table of tables) {
        const before = table.slotCount;
        insert(table, (count * 40_503) & 0xffff, count);
        if (table.slotCount !== before) grown++;
      }
      if (count < 1000) continue;
      const slots = tables.reduce((sum, table) => sum + table.slotCount, 0);
      expect((count * tables.length) / slots, `load at ${count}`).to.be.within(0.72, 0.8);
      expect(grown, `tables grown at ${count}`).to.be.at.most(4);
    }
  });

  it('is caught by verify when an entry stands in the wrong place', () => {
    const table = new SubTable(new SlotPages(16), REST_BITS, 0);
    for (const hash of [100, 30_000, 60_000]) insert(table, hash, 1);
    table.verify();
    expect(table.seek(30_000)).to.equal(true);
    table.slab[table.word + HASH_WORD] = 50_000;
    expect(() => table.verify()).to.throw(InvariantError);
  });
});
