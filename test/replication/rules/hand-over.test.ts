import { expect } from 'chai';
import type { HandOverFacts, HandOverPhase } from '../../../src/replication/rules/hand-over.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';

const BOTH = [false, true];
const ALL: readonly HandOverFacts[] = BOTH.flatMap((isAsked) =>
  BOTH.flatMap((canAct) =>
    BOTH.flatMap((isDrained) => BOTH.map((isEnded) => ({ isAsked, canAct, isDrained, isEnded }))),
  ),
);

const phasesAfter = (
  phase: HandOverPhase,
  filter: (facts: HandOverFacts) => boolean,
): ReadonlySet<HandOverPhase> => new Set(ALL.filter(filter).map((facts) => RULES.nextHandOver(phase, facts)));

describe('the phases of a controlled transfer (L9)', () => {
  it('released is for good, whatever happens then', () => {
    expect([...phasesAfter('released', () => true)]).to.deep.equal(['released']);
  });

  for (const phase of ['leading', 'draining'] as const) {
    it(`${phase}: a request that is not repeated is void`, () => {
      expect([...phasesAfter(phase, ({ isAsked }) => !isAsked)]).to.deep.equal(['leading']);
    });

    it(`${phase}: asked, with everything committed, it is released`, () => {
      const facts = ({ isAsked, canAct, isDrained }: HandOverFacts): boolean =>
        isAsked && canAct && isDrained;
      expect([...phasesAfter(phase, facts)]).to.deep.equal(['released']);
    });

    it(`${phase}: asked, with something in flight, it drains`, () => {
      const facts = ({ isAsked, isDrained, isEnded }: HandOverFacts): boolean =>
        isAsked && !isDrained && !isEnded;
      expect([...phasesAfter(phase, facts)]).to.deep.equal(['draining']);
    });

    it(`${phase}: R20: who cannot act yet has nothing to release`, () => {
      const facts = ({ isAsked, canAct, isEnded }: HandOverFacts): boolean => isAsked && !canAct && !isEnded;
      expect([...phasesAfter(phase, facts)]).to.deep.equal(['draining']);
    });

    it(`${phase}: asked, after its disk has ended it, there is nothing to drain`, () => {
      expect([...phasesAfter(phase, ({ isAsked, isEnded }) => isAsked && isEnded)]).to.deep.equal([
        'released',
      ]);
    });
  }
});
