import { expect } from 'chai';
import fc from 'fast-check';
import { InvariantError } from '../../../src/model/errors.ts';
import { KeyArena } from '../../../src/storage/keydir/key-arena.ts';
import { keyBytes, keyText } from './keydir-model.ts';

const SLAB_BYTES = 4096;

/** The arena and, by reference, what it should hold. */
class ModelledArena {
  readonly arena = new KeyArena(SLAB_BYTES);
  readonly entries = new Map<number, { key: string; tag: number | undefined }>();
  readonly #moves: [number, number][] = [];

  add(key: string, tag: number | undefined): void {
    const reference = this.arena.add(keyBytes(key), 0, key.length, tag !== undefined);
    if (tag !== undefined) this.arena.setTag(reference, tag);
    expect(this.entries.has(reference), 'a live entry was given out again').to.equal(false);
    this.entries.set(reference, { key, tag });
  }

  freeNth(number: number): void {
    const references = [...this.entries.keys()];
    const reference = references[number % references.length];
    if (reference === undefined) return;
    this.arena.free(reference);
    this.entries.delete(reference);
  }

  compactStep(budget: number): boolean {
    this.#moves.length = 0;
    const more = this.arena.compactStep(budget, (from, to) => this.#moves.push([from, to]));
    for (const [from, to] of this.#moves) {
      const entry = this.entries.get(from);
      expect(entry, 'a freed entry was moved').to.not.equal(undefined);
      this.entries.delete(from);
      this.entries.set(to, entry!);
    }
    return more;
  }

  check(): void {
    const { arena } = this;
    arena.verify();
    for (const [reference, { key, tag }] of this.entries) {
      const start = arena.keyStart(reference);
      expect(keyText(arena.bytesOf(reference), start, start + arena.keyLength(reference))).to.equal(key);
      expect(arena.equals(reference, keyBytes(key), 0, key.length)).to.equal(true);
      expect(arena.equals(reference, keyBytes(`${key}x`), 0, key.length + 1)).to.equal(false);
      expect(arena.isWide(reference)).to.equal(tag !== undefined);
      if (tag !== undefined) expect(arena.tag(reference)).to.equal(tag);
    }
  }
}

describe('KeyArena', () => {
  it('holds what was added under any adds, frees and steps of compaction', () => {
    const steps = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ add: fc.integer({ min: 0, max: 400 }), tag: fc.option(fc.nat(2 ** 31 - 1)) }),
      },
      { weight: 4, arbitrary: fc.record({ free: fc.nat(1000) }) },
      { weight: 2, arbitrary: fc.record({ compact: fc.integer({ min: 1, max: 20 }) }) },
    );
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 250, size: 'max' }), (script) => {
        const modelled = new ModelledArena();
        for (const [index, step] of script.entries()) {
          if ('add' in step) modelled.add(`${index}:`.padEnd(step.add, 'k'), step.tag ?? undefined);
          if ('free' in step) modelled.freeNth(step.free);
          if ('compact' in step) modelled.compactStep(step.compact);
          modelled.check();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('needs no new memory for keys of the same sizes that are freed and added again in any order', () => {
    const modelled = new ModelledArena();
    for (let index = 0; index < 2000; index++)
      modelled.add(`key:${index}`.padEnd(8 + (index % 40), 'x'), undefined);
    const full = modelled.arena.memoryBytes;
    for (let index = 0; index < 4000; index++) {
      const key = [...modelled.entries.values()][(index * 37) % 2000]!.key;
      modelled.freeNth((index * 37) % 2000);
      modelled.add(key, undefined);
    }
    modelled.check();
    expect(modelled.arena.memoryBytes).to.equal(full);
  });

  it('after compaction takes at most twice the live bytes and a few slabs, though all sizes have changed', () => {
    const modelled = new ModelledArena();
    for (let round = 0; round < 6; round++) {
      for (let index = 0; index < 500; index++)
        modelled.add(`${round}:${index}`.padEnd(16 + round * 30, 'x'), undefined);
      // Every third stays, so that no slab becomes empty by itself.
      for (let index = 0; index < 320; index++) modelled.freeNth(index * 2);
      while (modelled.compactStep(50));
      modelled.check();
      const { memoryBytes, liveBytes } = modelled.arena;
      // A slab's own lists take 520 bytes; four slabs: the one being filled, two spares and a part of one.
      const slabsMax = Math.ceil((2 * liveBytes) / SLAB_BYTES) + 4;
      expect(memoryBytes).to.be.at.most(slabsMax * (SLAB_BYTES + 520));
    }
  });

  it('does no more in one step than its budget', () => {
    const modelled = new ModelledArena();
    for (let index = 0; index < 1000; index++) modelled.add(`key:${index}`.padEnd(16, 'x'), undefined);
    for (let index = 0; index < 700; index++) modelled.freeNth(index);
    let steps = 0;
    let before = new Set(modelled.entries.keys());
    while (modelled.compactStep(7)) {
      const moved = [...modelled.entries.keys()].filter((reference) => !before.has(reference)).length;
      expect(moved).to.be.at.most(7);
      before = new Set(modelled.entries.keys());
      steps++;
    }
    expect(steps).to.be.above(10);
    modelled.check();
  });

  it('has nothing to compact while the slabs are half live', () => {
    const modelled = new ModelledArena();
    for (let index = 0; index < 1000; index++) modelled.add(`key:${index}`.padEnd(16, 'x'), undefined);
    for (let index = 0; index < 200; index++) modelled.freeNth(index * 4);
    expect(modelled.compactStep(10)).to.equal(false);
  });

  it('refuses a key that no slab can hold', () => {
    const arena = new KeyArena(SLAB_BYTES);
    expect(() => arena.add(new Uint8Array(SLAB_BYTES), 0, SLAB_BYTES, false)).to.throw(
      InvariantError,
      'does not fit',
    );
  });
});
