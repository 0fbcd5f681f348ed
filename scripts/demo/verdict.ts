import type { LoadVerdict } from '../../test/support/cluster/load/load-verdict.ts';
import type { FaultFigures } from './fault-window.ts';

/** All that the demonstration found out. */
export interface DemoFigures {
  readonly load: LoadVerdict;
  readonly faults: readonly FaultFigures[];
  /** Clients, each with one action at a time. */
  readonly clients: number;
  readonly refusedOutside: number;
  readonly inDoubtOutside: number;
  /** Successes a second before the first fault, and outside all of them. */
  readonly rateFaultFree: number;
  readonly rateOutside: number;
  /** What is not the same in all replicas, after all. */
  readonly differences: readonly string[];
  /** Keys read back after the full restart. */
  readonly keysReadBack: number;
}

/** One line of the verdict. */
export interface Judgement {
  readonly name: string;
  readonly text: string;
  readonly isWell: boolean;
  /** What is wrong, in full. */
  readonly details: readonly string[];
}

export interface DemoGoals {
  readonly acknowledgedMin: number;
}

const RATE_SHARE_MIN = 0.9;
const DETAILS_MAX = 5;

export function judge(figures: DemoFigures, { acknowledgedMin }: DemoGoals): readonly Judgement[] {
  const { load, faults, clients, differences } = figures;
  const idle = faults.filter(({ acknowledgedWrites }) => acknowledgedWrites === 0);
  const doubtful = faults.filter(({ inDoubt, fault }) => inDoubt > Math.max(fault.inFlight, clients));
  const { refusedOutside, inDoubtOutside, rateFaultFree, rateOutside, keysReadBack } = figures;
  const share = rateFaultFree === 0 ? 0 : rateOutside / rateFaultFree;
  return [
    line(
      'acknowledged',
      `${count(load.acknowledgedWrites)} writes (at least ${count(acknowledgedMin)}), some during each fault`,
      load.acknowledgedWrites >= acknowledgedMin && idle.length === 0,
      idle.map(({ fault }) => `none while: ${fault.name}`),
    ),
    line(
      'acknowledged and lost',
      `${count(load.lost.length)} of ${count(keysReadBack)} keys read back after a full restart`,
      load.lost.length === 0,
      load.lost,
    ),
    line(
      'linearizable',
      load.violations.length === 0
        ? 'one order explains every answer'
        : `${load.violations.length} violations`,
      load.violations.length === 0,
      load.violations,
    ),
    line(
      'replicas',
      differences.length === 0 ? 'equal by digest' : 'differ',
      differences.length === 0,
      differences,
    ),
    line(
      'refused',
      `${count(load.refused)}, ${count(refusedOutside)} of them outside a fault`,
      refusedOutside === 0,
      [],
    ),
    line(
      'in doubt',
      `${count(load.inDoubt)}; never more than the ${clients} in flight when a fault began`,
      doubtful.length === 0 && inDoubtOutside === 0,
      doubtful.map(({ fault, inDoubt }) => `${inDoubt} while: ${fault.name}`),
    ),
    line(
      'rate outside faults',
      `${count(rateOutside)}/s, ${(share * 100).toFixed(0)} % of the ${count(rateFaultFree)}/s before the first`,
      share >= RATE_SHARE_MIN,
      [],
    ),
    line(
      'answers',
      load.defects.length === 0 ? 'all as they should be' : 'impossible ones',
      load.defects.length === 0,
      load.defects,
    ),
  ];
}

function line(name: string, text: string, isWell: boolean, details: readonly string[]): Judgement {
  return { name, text, isWell, details: details.slice(0, DETAILS_MAX) };
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
