import { expect } from 'chai';
import { asIncarnation } from '../../src/model/numbers.ts';
import { isEarlierLife } from '../../src/server/earlier-life.ts';

const OWN = asIncarnation(5_000_000);

describe('an earlier life of a data directory', () => {
  for (const [life, isEarlier, what] of [
    [OWN - 1, true, 'the one before'],
    [OWN - 999, true, 'one long before'],
    [OWN, false, 'a twin with the same number'],
    [OWN + 1, false, 'a later one'],
    [OWN - 1_000, false, 'that of another directory'],
  ] as const) {
    it(`W9: ${what}: ${isEarlier}`, () => {
      expect(isEarlierLife(OWN, asIncarnation(life))).to.equal(isEarlier);
    });
  }
});
