import { expect } from 'chai';
import fc from 'fast-check';
import { SeededRandom } from '../../support/seeded-random.ts';
import { BAD_HISTORIES, GOOD_HISTORIES } from './example-histories.ts';
import { generatedHistory, withMutatedReply } from './generated-history.ts';
import { checkLinearizability } from './linearizability.ts';
import { writtenHistory } from './written-history.ts';

describe('linearizability checker', () => {
  for (const { name, history } of BAD_HISTORIES) {
    it(`rejects ${name}`, () => {
      const verdicts = checkLinearizability(writtenHistory(history));
      expect(verdicts.map(({ kind }) => kind)).to.deep.equal(['violation']);
    });
  }

  for (const { name, history } of GOOD_HISTORIES) {
    it(`accepts ${name}`, () => {
      expect(checkLinearizability(writtenHistory(history))).to.deep.equal([]);
    });
  }

  it('shows the window from the last certain state to the answer that nothing explains', () => {
    const [verdict] = checkLinearizability(
      writtenHistory(`
        a 1-2 SET k v1: OK
        a 3-4 SET k v2: OK
        b 5-6 GET k: =v2
        a 7-10 SET k v3: OK
        b 8-9 GET k: =v1`),
    );
    expect(verdict).to.have.property('kind', 'violation');
    const text = verdict?.kind === 'violation' ? verdict.text : '';
    expect(text).to.contain('certain before: v2');
    expect(text).to.contain('> #5 client 1 [8.01-9.51 ms] GET k: =v1');
    expect(text).to.not.contain('GET k: =v2');
  });

  it('gives up instead of filling the memory', () => {
    const lines = Array.from({ length: 14 }, (_, at) => `a 1-20 SET k v${at}: OK`);
    const reads = Array.from({ length: 14 }, (_, at) => `b 2-19 CAS k v${at} w${at}: :1`);
    const history = writtenHistory([...lines, ...reads].join('\n'));
    const [verdict] = checkLinearizability(history, { configurationsMax: 1_000 });
    expect(verdict).to.have.property('kind', 'undecided');
  });

  it('accepts what a real register does, with delays and lost answers', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const history = generatedHistory(new SeededRandom(seed), { operations: 300, clients: 6, keys: 4 });
        expect(checkLinearizability(history)).to.deep.equal([]);
      }),
      { numRuns: 60 },
    );
  });

  it('rejects most histories with one answer changed', () => {
    let rejected = 0;
    const runs = 60;
    for (let seed = 1; seed <= runs; seed += 1) {
      const random = new SeededRandom(seed);
      const history = generatedHistory(random, { operations: 120, clients: 4, keys: 3 });
      if (checkLinearizability(withMutatedReply(random, history)).length > 0) rejected += 1;
    }
    expect(rejected).to.be.at.least(runs * 0.7);
  });

  it('takes thousands of operations in a second', () => {
    const history = generatedHistory(new SeededRandom(7), { operations: 6_000, clients: 10, keys: 40 });
    const startedMs = performance.now();
    expect(checkLinearizability(history)).to.deep.equal([]);
    expect(performance.now() - startedMs).to.be.below(5_000);
  });
});
