import { expect } from 'chai';
import { type Random, SystemRandom } from '../../src/env/random.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const GENERATORS: Readonly<Record<string, () => Random>> = {
  system: () => new SystemRandom(),
  seeded: () => new SeededRandom(7),
};

for (const [name, build] of Object.entries(GENERATORS)) {
  describe(`chance (${name})`, () => {
    it('draws below the bound, evenly', () => {
      const random = build();
      const counts = new Array<number>(10).fill(0);
      for (let draw = 0; draw < 20_000; draw += 1) {
        const value = random.below(10);
        counts[value] = (counts[value] ?? 0) + 1;
      }
      expect(counts).to.have.length(10);
      for (const count of counts) expect(count).to.be.within(1700, 2300);
      expect(random.below(1)).to.equal(0);
    });

    it('gives bytes and version 4 UUIDs', () => {
      const random = build();
      expect(random.bytes(1000)).to.have.length(1000);
      expect(new Set(random.bytes(5000)).size).to.be.greaterThan(250);
      expect(random.uuid()).to.match(UUID);
      expect(random.uuid()).not.to.equal(random.uuid());
    });
  });
}

describe('chance from a seed', () => {
  const sequence = (random: SeededRandom): number[] =>
    Array.from({ length: 20 }, () => random.below(2 ** 40));

  it('is the same for the same seed, another for another', () => {
    expect(sequence(new SeededRandom(5))).to.deep.equal(sequence(new SeededRandom(5)));
    expect(sequence(new SeededRandom(5))).not.to.deep.equal(sequence(new SeededRandom(6)));
    expect(new SeededRandom(5).uuid()).to.equal(new SeededRandom(5).uuid());
  });

  it('stays the same for ever, so that old seeds can be run again', () => {
    const random = new SeededRandom(1);
    expect(Array.from({ length: 5 }, () => random.below(1_000_000))).to.deep.equal([
      963_127, 335_296, 656_940, 860_835, 550_825,
    ]);
  });

  it('forks into a generator whose draws do not shift the parent', () => {
    const first = new SeededRandom(5);
    const second = new SeededRandom(5);
    sequence(first.fork());
    second.fork();
    expect(sequence(first)).to.deep.equal(sequence(second));
  });

  it('refuses a bound that leaves nothing to draw', () => {
    expect(() => new SeededRandom(1).below(0)).to.throw(RangeError);
  });

  it('picks and tosses', () => {
    const random = new SeededRandom(3);
    const picked = new Set(Array.from({ length: 100 }, () => random.pick(['a', 'b', 'c'])));
    expect(picked.size).to.equal(3);
    const heads = Array.from({ length: 1000 }, () => random.chance(0.25)).filter(Boolean).length;
    expect(heads).to.be.within(190, 310);
  });
});
