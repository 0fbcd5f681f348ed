import { expect } from 'chai';
import { endOf, figuresOf, outside, rateIn, spansOutside } from '../../scripts/demo/fault-window.ts';
import { FAULT, recordOf, sample, steady } from './synthetic-record.ts';

const record = recordOf([
  ...steady(0, 1000),
  sample(1005, { ending: 'cut' }),
  sample(1020, { isWrite: false }),
  sample(1050, { ending: 'refused' }),
  sample(1500, { partition: 1 }),
  sample(1600, { ending: 'inDoubt', partition: 1 }),
  ...steady(1800, 4000),
]);

describe('what clients met while a fault lasted', () => {
  it('is counted from its begin until the cluster is whole again, and a moment more', () => {
    expect(endOf(FAULT)).to.equal(3000);
    expect(figuresOf(FAULT, record, 2)).to.deep.include({
      acknowledgedWrites: 121,
      reads: 121,
      refused: 1,
      inDoubt: 2,
    });
  });

  it('the longest time without a success is that of any client, and that of the worst partition', () => {
    expect(figuresOf(FAULT, record, 2)).to.deep.include({
      writeGapMs: 500,
      readGapMs: 780,
      writeGapMsMax: 1500,
      readGapMsMax: 2000,
    });
  });

  it('what else ended is outside', () => {
    const others = outside(record, [FAULT]);
    expect(others).to.have.length(record.samples.length - figuresInside());
    expect(others.every(({ endedAtMs }) => endedAtMs < 1000 || endedAtMs >= 3000)).to.equal(true);
  });

  function figuresInside(): number {
    return record.between(FAULT.beganAtMs, endOf(FAULT)).length;
  }

  it('the rate outside leaves the faults out, their time as their successes', () => {
    const spans = spansOutside({ fromMs: 500, toMs: 4000 }, [FAULT]);
    expect(spans).to.deep.equal([
      { fromMs: 500, toMs: 1000 },
      { fromMs: 3000, toMs: 4000 },
    ]);
    expect(rateIn(record, spans)).to.equal(200);
    expect(rateIn(record, [])).to.equal(0);
  });
});
