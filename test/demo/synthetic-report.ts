import { figuresOf } from '../../scripts/demo/fault-window.ts';
import { type ReportInput, report } from '../../scripts/demo/report/report.ts';
import { judge } from '../../scripts/demo/verdict.ts';
import { FAULT, recordOf, steady, WELL } from './synthetic-record.ts';

const record = recordOf([...steady(0, 1000), ...steady(1800, 4000)]);

/** A report of a run that never was. */
export function syntheticReport(): string {
  const figures = {
    load: WELL,
    faults: [figuresOf(FAULT, record, 1)],
    clients: 24,
    refusedOutside: 0,
    inDoubtOutside: 0,
    rateFaultFree: 200,
    rateOutside: 200,
    differences: [],
    keysReadBack: 5000,
  };
  const input: ReportInput = {
    beganAtMs: 0,
    endedAtMs: 4000,
    record,
    figures,
    judgements: judge(figures, { acknowledgedMin: 10_000 }),
    events: [
      { atMs: 1000, kind: 'fault', text: FAULT.name },
      { atMs: 1700, kind: 'election', text: 'node <2> leads partition 0 in epoch 2' },
    ],
    setting: { seed: '1' },
  };
  return report(input);
}
