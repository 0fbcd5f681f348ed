import { expect } from 'chai';
import fc from 'fast-check';
import { InvariantError } from '../../../src/model/errors.ts';
import { LIMITS } from '../../../src/model/limits.ts';
import { KeyHash, type KeyHasher } from '../../../src/storage/keydir/key-hash.ts';
import { Keydir } from '../../../src/storage/keydir/keydir.ts';
import { KEYDIR_LIMITS } from '../../../src/storage/keydir/slot.ts';
import { keyBytes, keyText, ModelledKeydir, WeakHash } from './keydir-model.ts';

const SEED = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);

/** Tiny pages, few sub-tables and slabs of 4 KiB: growth, overflow and compaction happen all the time. */
const tiny = (hasher: KeyHasher = new KeyHash(SEED)): ModelledKeydir =>
  new ModelledKeydir(new Keydir({ hasher, subTableBits: 1, slotsPerPage: 4, arenaSlabBytes: 4096 }), hasher);

const record = (offset: number, expiresAtMs = 0) => ({
  segment: offset % 65536,
  position: (offset * 7919) % 2 ** 32,
  length: (offset * 31) % 2 ** 30,
  offset,
  expiresAtMs,
});

const keys = fc.oneof(
  fc.integer({ min: 0, max: 60 }).map((number) => `key:${number}`),
  fc.integer({ min: 0, max: 20 }).map((number) => 'x'.repeat(number * 13)),
);
const high = fc.oneof(fc.constant(0), fc.nat(65_535));
const expiry = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2_000_000_000_000 }));
const steps = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('put' as const), key: keys, high, expiry }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('remove' as const), key: keys }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('expire' as const), key: keys, high, expiry }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('move' as const), key: keys, segment: fc.nat(65_535) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('compact' as const), budget: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
);
type Step = typeof steps extends fc.Arbitrary<infer Value> ? Value : never;

function apply(modelled: ModelledKeydir, step: Step, index: number): void {
  // As in a log, no two records have the same offset; half of them lie above 2^31 in the low word.
  const offset = ('high' in step ? step.high * 2 ** 32 : 0) + ((index * 2_654_435_761) % 2 ** 32);
  switch (step.kind) {
    case 'put':
      modelled.put(step.key, record(offset, step.expiry));
      break;
    case 'remove':
      modelled.remove(step.key);
      break;
    case 'expire':
      modelled.changeExpiry(step.key, step.expiry, {
        offset,
        segment: offset % 65536,
        length: 1 + (offset % 1000),
      });
      break;
    case 'move':
      modelled.relocate(step.key, step.segment, 2 ** 32 - 1 - step.segment);
      modelled.relocateExpiry(step.key, step.segment);
      break;
    case 'compact':
      modelled.keydir.compactStep(step.budget);
      break;
    case 'clear':
      modelled.keydir.clear();
      modelled.model.clear();
  }
}

describe('Keydir', () => {
  it('agrees with a Map after every step, with strong, weak and constant hashes', () => {
    const hashers = fc.constantFrom<KeyHasher>(new KeyHash(SEED), new WeakHash(7), new WeakHash(1));
    fc.assert(
      fc.property(hashers, fc.array(steps, { maxLength: 100, size: 'max' }), (hasher, script) => {
        const modelled = tiny(hasher);
        for (const [index, step] of script.entries()) {
          apply(modelled, step, index);
          modelled.check();
        }
      }),
      { numRuns: 60 },
    );
  }).timeout(10_000);

  it('keeps its order through growth to thousands of keys and back to none', () => {
    const modelled = tiny();
    const names = Array.from({ length: 3000 }, (_, index) => `user:${(index * 7907) % 3000}`);
    for (const [index, name] of names.entries()) {
      modelled.put(name, record(index));
      if (index % 500 === 0) modelled.check();
    }
    const full = modelled.keydir.memoryBytes;
    for (const [index, name] of names.entries()) {
      modelled.remove(name);
      if (index % 500 === 0) modelled.check();
    }
    modelled.check();
    while (modelled.keydir.compactStep(1000));
    expect(modelled.keydir.memoryBytes).to.be.below(full / 5);
  });

  it('follows keys, with their expiries, that compaction moves', () => {
    const modelled = tiny();
    for (let index = 0; index < 600; index++) modelled.put(`key:${index}`, record(index, (index % 3) * 1000));
    for (let index = 0; index < 600; index += 5) {
      modelled.changeExpiry(`key:${index}`, 500, { offset: 1000 + index, segment: 3, length: 60 });
    }
    for (let index = 0; index < 600; index++) if (index % 4 !== 0) modelled.remove(`key:${index}`);
    const before = modelled.keydir.memoryBytes;
    let steps = 0;
    while (modelled.keydir.compactStep(10)) if (steps++ % 4 === 0) modelled.check();
    modelled.check();
    expect(steps).to.be.above(4);
    expect(modelled.keydir.memoryBytes).to.be.below(before);
    const due = new Set<string>();
    modelled.keydir.popDue(5000, 1000, (bytes, start, end) => due.add(keyText(bytes, start, end)));
    const expiring = [...modelled.model].filter(([, { expiresAtMs }]) => expiresAtMs > 0).map(([key]) => key);
    expect([...due].sort()).to.deep.equal(expiring.sort());
  });

  it('holds many keys of one hash, in both the first and the last slots', () => {
    const ends = { hash: (bytes: Uint8Array, start: number) => (bytes[start] === 0x61 ? 0 : 0xffffffff) };
    const modelled = tiny(ends);
    for (let index = 0; index < 200; index++)
      modelled.put(`${index % 2 === 0 ? 'a' : 'b'}${index}`, record(index));
    modelled.check();
    for (let index = 0; index < 200; index += 3) modelled.remove(`${index % 2 === 0 ? 'a' : 'b'}${index}`);
    modelled.check();
  });

  it('keeps the largest numbers a slot can hold, and refuses larger ones', () => {
    const modelled = tiny();
    const { segmentMax, positionMax, lengthMax, offsetMax } = KEYDIR_LIMITS;
    const largest = { segment: segmentMax, position: positionMax, length: lengthMax, offset: offsetMax };
    modelled.put('k', { ...largest, expiresAtMs: 8_640_000_000_000_000 });
    modelled.check();
    for (const field of ['segment', 'position', 'length', 'offset'] as const) {
      const tooLarge = { ...largest, [field]: largest[field] + 1, expiresAtMs: 0 };
      expect(() => modelled.put('k', tooLarge), field).to.throw(InvariantError, 'do not fit');
    }
    modelled.check();
  });

  it('takes keys from 0 bytes to the limit', () => {
    const hasher = new KeyHash(SEED);
    const modelled = new ModelledKeydir(new Keydir({ hasher }), hasher);
    for (const [index, length] of [
      0,
      1,
      3,
      4,
      123,
      124,
      125,
      126,
      255,
      256,
      300,
      LIMITS.keyBytesMax,
    ].entries()) {
      modelled.put('k'.repeat(length), record(index, index % 2));
    }
    modelled.check();
    for (const length of [0, 124, 125, 256, LIMITS.keyBytesMax]) modelled.remove('k'.repeat(length));
    modelled.check();
  });

  it('costs almost nothing while it is empty', () => {
    const keydir = new Keydir({ hasher: new KeyHash(SEED) });
    expect(keydir.memoryBytes).to.be.below(16 * 1024);
  });

  it('relocates only what findOffset found', () => {
    const { keydir, put, find } = prepared();
    put('a', 5);
    expect(() => keydir.relocate(1, 1)).to.throw(InvariantError);
    expect(keydir.findOffset(hashOf('a'), 6)).to.equal(false);
    expect(() => keydir.relocate(1, 1)).to.throw(InvariantError);
    expect(keydir.findOffset(hashOf('a'), 5)).to.equal(true);
    find('a');
    expect(() => keydir.relocate(1, 1)).to.throw(InvariantError);
    expect(keydir.findOffset(hashOf('a'), 5)).to.equal(true);
    put('b', 7);
    expect(() => keydir.relocate(1, 1)).to.throw(InvariantError);
  });

  it('remembers a metadata-only record that says "no expiry" until the next put', () => {
    const { keydir, put, find } = prepared();
    const bytes = keyBytes('a');
    put('a', 1, 500);
    expect(keydir.changeExpiry(hashOf('a'), bytes, 0, 1, 0, 2, 9, 40)).to.equal(true);
    find('a');
    expect([keydir.expiresAtMs, keydir.newestOffset, keydir.expiringCount]).to.deep.equal([0, 2, 0]);
    expect(keydir.isNewestExpiry(hashOf('a'), bytes, 0, 1, 2)).to.equal(true);
    put('a', 3);
    expect([keydir.previousExpirySegment, keydir.previousExpiryLength]).to.deep.equal([9, 40]);
    expect(keydir.isNewestExpiry(hashOf('a'), bytes, 0, 1, 2)).to.equal(false);
  });

  describe('scan', () => {
    it('visits in hash order, about as many as asked for, and all keys of one hash together', () => {
      const modelled = tiny(new WeakHash(20));
      for (let index = 0; index < 300; index++) modelled.put(`key:${index}`, record(index));
      const counts: number[] = [];
      const hashes: number[] = [];
      let position = 0;
      do {
        const before = hashes.length;
        position = modelled.keydir.scan(position, 10, (bytes, start, end) =>
          hashes.push(modelled.hash(keyText(bytes, start, end))),
        );
        expect(position === 0 || position === hashes.at(-1)! + 1).to.equal(true);
        counts.push(hashes.length - before);
      } while (position !== 0);
      expect(hashes).to.deep.equal(hashes.toSorted((a, b) => a - b));
      expect(hashes.length).to.equal(300);
      for (const count of counts.slice(0, -1)) expect(count).to.be.within(10, 10 + 30);
    });

    it('visits a key that is there throughout exactly once, whatever else is put, removed and grown meanwhile', () => {
      const hashers = fc.constantFrom<KeyHasher>(new KeyHash(SEED), new WeakHash(50));
      const churn = fc.array(fc.tuple(fc.boolean(), fc.nat(400)), { maxLength: 60, size: 'max' });
      fc.assert(
        fc.property(
          hashers,
          fc.array(churn, { maxLength: 40, size: 'max' }),
          fc.integer({ min: 1, max: 12 }),
          (hasher, rounds, countMax) => {
            const modelled = tiny(hasher);
            for (let index = 0; index < 80; index++) modelled.put(`stays:${index}`, record(index));
            const visits = new Map<string, number>();
            let position = 0;
            let round = 0;
            do {
              position = modelled.keydir.scan(position, countMax, (bytes, start, end) => {
                const key = keyText(bytes, start, end);
                if (key.startsWith('stays:')) visits.set(key, (visits.get(key) ?? 0) + 1);
              });
              for (const [put, number] of rounds[round] ?? []) {
                if (put) modelled.put(`comes:${number}`, record(1000 + number));
                else modelled.remove(`comes:${number}`);
              }
              modelled.keydir.compactStep(20);
              round++;
            } while (position !== 0);
            expect(visits.size).to.equal(80);
            expect([...visits.values()].every((count) => count === 1)).to.equal(true);
          },
        ),
        { numRuns: 60 },
      );
    });

    it('ends at hash 2^32 - 1 and accepts the position behind it', () => {
      const modelled = tiny({ hash: () => 0xffffffff });
      modelled.put('a', record(1));
      modelled.put('b', record(2));
      expect(modelled.scanAll(1)).to.have.members(['a', 'b']);
      expect(modelled.keydir.scan(2 ** 32, 1, () => expect.fail('nothing is left'))).to.equal(0);
    });
  });

  function prepared() {
    const keydir = new Keydir({ hasher: new KeyHash(SEED) });
    const put = (key: string, offset: number, expiresAtMs = 0): boolean =>
      keydir.put(hashOf(key), keyBytes(key), 0, key.length, 1, 2, 3, offset, expiresAtMs);
    const find = (key: string): boolean => keydir.find(hashOf(key), keyBytes(key), 0, key.length);
    return { keydir, put, find };
  }
});

function hashOf(key: string): number {
  return new KeyHash(SEED).hash(keyBytes(key), 0, key.length);
}
