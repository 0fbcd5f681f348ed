import { expect } from 'chai';
import fc from 'fast-check';
import { KeyHash } from '../../../src/storage/keydir/key-hash.ts';
import { Keydir } from '../../../src/storage/keydir/keydir.ts';
import { keyBytes, keyText } from './keydir-model.ts';

const hasher = new KeyHash(Uint8Array.from([8, 7, 6, 5, 4, 3, 2, 1]));
const ALL = 1_000_000;

/** The queue as its owner sees it: through a keydir. */
class Expiring {
  readonly keydir = new Keydir({ hasher, subTableBits: 2, slotsPerPage: 4, arenaSlabBytes: 4096 });
  #offset = 0;

  put(key: string, expiresAtMs: number): void {
    this.keydir.put(hashOf(key), keyBytes(key), 0, key.length, 0, 0, 1, ++this.#offset, expiresAtMs);
  }

  changeExpiry(key: string, expiresAtMs: number): number {
    this.keydir.changeExpiry(hashOf(key), keyBytes(key), 0, key.length, expiresAtMs, ++this.#offset, 0, 1);
    return this.#offset;
  }

  remove(key: string): void {
    this.keydir.remove(hashOf(key), keyBytes(key), 0, key.length);
  }

  requeue(key: string): boolean {
    return this.keydir.requeue(hashOf(key), keyBytes(key), 0, key.length);
  }

  popDue(nowMs: number, countMax = ALL): string[] {
    const popped: string[] = [];
    const count = this.keydir.popDue(nowMs, countMax, (bytes, start, end, hash, offset) => {
      const key = keyText(bytes, start, end);
      popped.push(key);
      expect(hash).to.equal(hashOf(key));
      expect(this.keydir.find(hash, keyBytes(key), 0, key.length)).to.equal(true);
      expect(offset).to.equal(this.keydir.newestOffset);
    });
    expect(count).to.equal(popped.length);
    return popped;
  }
}

const hashOf = (key: string): number => hasher.hash(keyBytes(key), 0, key.length);

describe('expiry queue of the keydir', () => {
  it('announces exactly the due keys, earliest first, like a sorted array', () => {
    const step = fc.record({
      kind: fc.constantFrom('put', 'put', 'put', 'expire', 'persist', 'remove', 'pop', 'requeue', 'compact'),
      key: fc.integer({ min: 0, max: 40 }).map((number) => `key:${number}`),
      due: fc.integer({ min: 1, max: 3000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (script) => {
        const expiring = new Expiring();
        const present = new Set<string>();
        const waiting = new Map<string, number>();
        const announced = new Map<string, number>();
        for (const { kind, key, due } of script) {
          if (kind === 'put' || kind === 'expire' || kind === 'persist') {
            const known = kind === 'put' || present.has(key);
            if (kind === 'put') expiring.put(key, due);
            else expiring.changeExpiry(key, kind === 'expire' ? due : 0);
            if (known) {
              present.add(key);
              announced.delete(key);
              waiting.delete(key);
              if (kind !== 'persist') waiting.set(key, due);
            }
          } else if (kind === 'remove') {
            expiring.remove(key);
            for (const set of [present, waiting, announced]) set.delete(key);
          } else if (kind === 'requeue') {
            const back = announced.get(key);
            expect(expiring.requeue(key)).to.equal(back !== undefined || waiting.has(key));
            if (back !== undefined) waiting.set(key, back);
            announced.delete(key);
          } else if (kind === 'compact') {
            expiring.keydir.compactStep(5);
          } else {
            const popped = expiring.popDue(due, 5);
            const dues = popped.map((name) => waiting.get(name)!);
            const expected = [...waiting.values()]
              .filter((time) => time <= due)
              .toSorted((a, b) => a - b)
              .slice(0, 5);
            expect(dues).to.deep.equal(expected);
            for (const name of popped) {
              announced.set(name, waiting.get(name)!);
              waiting.delete(name);
            }
          }
          expiring.keydir.verify();
          const first = Math.min(...waiting.values());
          if (announced.size === 0) expect(expiring.keydir.nextDueMs()).to.equal(first);
          else expect(expiring.keydir.nextDueMs()).to.be.at.most(first);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('announces a key that nobody removed again after some seconds, however often', () => {
    const expiring = new Expiring();
    for (let index = 0; index < 30; index++) expiring.put(`key:${index}`, 1000);
    expect(expiring.popDue(1000)).to.have.length(30);
    expect(expiring.popDue(1000)).to.have.length(0);
    for (let round = 0; round < 5; round++) {
      const wakeMs = expiring.keydir.nextDueMs();
      expect(wakeMs).to.be.below(Number.POSITIVE_INFINITY);
      const again = new Set([
        ...expiring.popDue(wakeMs),
        ...expiring.popDue(wakeMs, 7),
        ...expiring.popDue(wakeMs + 1),
      ]);
      expect(again.size).to.equal(30);
      expiring.keydir.verify();
    }
  });

  it('brings announced keys back in bounded numbers', () => {
    const expiring = new Expiring();
    for (let index = 0; index < 50; index++) expiring.put(`key:${index}`, 1000);
    expect(expiring.popDue(1000)).to.have.length(50);
    const seen = new Set<string>();
    for (let calls = 0; seen.size < 50; calls++) {
      expect(calls).to.be.below(20);
      for (const key of expiring.popDue(10_000, 8)) seen.add(key);
    }
  });

  it('announces at once after requeue, and never a key whose expiry was taken away', () => {
    const expiring = new Expiring();
    expiring.put('a', 10);
    expiring.put('b', 11);
    expiring.put('c', 12);
    expect(expiring.popDue(20)).to.deep.equal(['a', 'b', 'c']);
    expect(expiring.requeue('b')).to.equal(true);
    expiring.changeExpiry('c', 0);
    expect(expiring.requeue('c')).to.equal(false);
    expiring.remove('a');
    expect(expiring.requeue('a')).to.equal(false);
    expect(expiring.keydir.nextDueMs()).to.equal(11);
    expect(expiring.popDue(20)).to.deep.equal(['b']);
    expect(expiring.popDue(1_000_000)).to.deep.equal(['b']);
  });

  it('gives the offset of the metadata-only record if that is the newest', () => {
    const expiring = new Expiring();
    expiring.put('a', 5);
    const offset = expiring.changeExpiry('a', 6);
    const offsets: number[] = [];
    expiring.keydir.popDue(6, 1, (_bytes, _start, _end, _hash, newest) => offsets.push(newest));
    expect(offsets).to.deep.equal([offset]);
  });

  it('survives a wall clock that jumps back', () => {
    const expiring = new Expiring();
    expiring.put('a', 100_000);
    expect(expiring.popDue(200_000)).to.deep.equal(['a']);
    expect(expiring.popDue(150_000)).to.deep.equal([]);
    expect(expiring.popDue(150_000 + 5_000)).to.deep.equal(['a']);
  });

  it('says Infinity when nothing expires', () => {
    const expiring = new Expiring();
    expect(expiring.keydir.nextDueMs()).to.equal(Number.POSITIVE_INFINITY);
    expiring.put('a', 0);
    expect(expiring.keydir.nextDueMs()).to.equal(Number.POSITIVE_INFINITY);
    expiring.put('a', 7);
    expiring.remove('a');
    expect(expiring.keydir.nextDueMs()).to.equal(Number.POSITIVE_INFINITY);
  });
});
