import { expect } from 'chai';
import fc from 'fast-check';
import { KeySet } from '../../src/commands/key-set.ts';
import { ArgumentViews } from '../../src/resp/arguments.ts';
import { fill } from './harness.ts';

describe('the set of keys in one command', () => {
  it('tells the first mention of each key, few or many, whatever their hashes', () => {
    const set = new KeySet();
    const words = fc.array(fc.constantFrom('a', 'b', 'c', 'ab', 'ba', '', 'abc', 'x'.repeat(40)), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 3 }), (list, hashes) => {
        const args = new ArgumentViews();
        fill(args, list);
        set.clear(list.length);
        const firsts = list.map((word, index) => set.add(args, index, -word.length % hashes));
        expect(firsts).to.deep.equal(list.map((word, index) => list.indexOf(word) === index));
      }),
    );
  });
});
