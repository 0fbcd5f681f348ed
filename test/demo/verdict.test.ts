import { expect } from 'chai';
import { figuresOf } from '../../scripts/demo/fault-window.ts';
import { type DemoFigures, judge } from '../../scripts/demo/verdict.ts';
import { FAULT, recordOf, sample, steady, WELL } from './synthetic-record.ts';

const GOALS = { acknowledgedMin: 10_000 };
const figures: DemoFigures = {
  load: WELL,
  faults: [figuresOf(FAULT, recordOf(steady(0, 4000)), 1)],
  clients: 24,
  refusedOutside: 0,
  inDoubtOutside: 0,
  rateFaultFree: 1000,
  rateOutside: 950,
  differences: [],
  keysReadBack: 5000,
};

function failed(changed: Partial<DemoFigures>): readonly string[] {
  return judge({ ...figures, ...changed }, GOALS)
    .filter(({ isWell }) => !isWell)
    .map(({ name }) => name);
}

describe('the verdict of the demonstration', () => {
  it('is well where all is', () => {
    expect(failed({})).to.deep.equal([]);
  });

  it('asks for enough acknowledged writes, and for some during each fault', () => {
    expect(failed({ load: { ...WELL, acknowledgedWrites: 9_999 } })).to.deep.equal(['acknowledged']);
    const silent = figuresOf(FAULT, recordOf([sample(10)]), 1);
    expect(failed({ faults: [silent] })).to.deep.equal(['acknowledged']);
  });

  it('asks that nothing is lost, unexplained, different or impossible', () => {
    expect(failed({ load: { ...WELL, lost: ['k'] } })).to.deep.equal(['acknowledged and lost']);
    expect(failed({ load: { ...WELL, violations: ['v'] } })).to.deep.equal(['linearizable']);
    expect(failed({ load: { ...WELL, defects: ['ERR internal'] } })).to.deep.equal(['answers']);
    expect(failed({ differences: ['partition 0'] })).to.deep.equal(['replicas']);
  });

  it('asks that refusals and doubt stay within faults, and doubt within what was in flight', () => {
    expect(failed({ refusedOutside: 1 })).to.deep.equal(['refused']);
    expect(failed({ inDoubtOutside: 1 })).to.deep.equal(['in doubt']);
    const cut = Array.from({ length: 25 }, (_, index) => sample(1001 + index, { ending: 'cut' }));
    const doubtful = figuresOf(FAULT, recordOf([...steady(0, 4000), ...cut]), 1);
    expect(failed({ faults: [doubtful] })).to.deep.equal(['in doubt']);
  });

  it('asks for 90 % of the rate', () => {
    expect(failed({ rateOutside: 890 })).to.deep.equal(['rate outside faults']);
  });
});
