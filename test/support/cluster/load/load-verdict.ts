import { checkLinearizability } from '../../../simulation/checkers/linearizability.ts';
import type { ClusterLoad } from './cluster-load.ts';

/** What is to be said of a load when it is over and everything was read back. */
export interface LoadVerdict {
  /** Writes that were answered with success. */
  readonly acknowledgedWrites: number;
  readonly reads: number;
  readonly refused: number;
  /** By the server's word, or because the connection ended first. */
  readonly inDoubt: number;
  /** Keys written once and acknowledged, that do not hold what was acknowledged. */
  readonly lost: readonly string[];
  /** Of the checker: what no order of all operations explains, or what it could not decide. */
  readonly violations: readonly string[];
  /** Answers that nobody may ever get. */
  readonly defects: readonly string[];
}

/** `held`: what every key held at the end, read through fresh connections. */
export function judgeLoad(load: ClusterLoad, held: ReadonlyMap<string, string | null>): LoadVerdict {
  const { record, ledger, history } = load;
  const done = record.samples.filter(({ ending }) => ending === 'done');
  const defects = record.samples.filter(({ ending }) => ending === 'defect').map(({ reason }) => reason);
  const judged = checkLinearizability(history.operations());
  return {
    acknowledgedWrites: done.filter(({ isWrite }) => isWrite).length,
    reads: done.filter(({ isWrite }) => !isWrite).length,
    refused: record.count('refused'),
    inDoubt: record.count('inDoubt') + record.count('cut'),
    lost: ledger.lost(held),
    violations: judged.map((verdict) => ('text' in verdict ? verdict.text : verdict.kind)),
    defects: [...new Set(defects)],
  };
}
