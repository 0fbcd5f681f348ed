import type { Finding } from '../checkers/findings.ts';

/** What one run has to say. Plain data: it travels from the process that ran it. */
export interface RunResult {
  readonly seed: number;
  readonly operations: number;
  /** Operations that were in flight together with another one on one of their keys. */
  readonly overlaps: number;
  readonly unknowns: number;
  readonly refusals: number;
  readonly followerReads: number;
  /** By kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly coverage: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly virtualMs: number;
  readonly realMs: number;
  /** Over every event: equal for two runs of one seed. */
  readonly digest: string;
  /** The last things that happened; only if something was found. */
  readonly events: readonly string[];
}

/** Of runs. */
export interface Totals {
  readonly runs: number;
  readonly operations: number;
  readonly overlaps: number;
  readonly unknowns: number;
  readonly refusals: number;
  readonly followerReads: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly coverage: Readonly<Record<string, number>>;
  readonly virtualMs: number;
  /** Sum over all processes. */
  readonly realMs: number;
}

export const NO_RUNS: Totals = {
  runs: 0,
  operations: 0,
  overlaps: 0,
  unknowns: 0,
  refusals: 0,
  followerReads: 0,
  faults: {},
  coverage: {},
  virtualMs: 0,
  realMs: 0,
};

export function addRun(totals: Totals, run: RunResult): Totals {
  return {
    runs: totals.runs + 1,
    operations: totals.operations + run.operations,
    overlaps: totals.overlaps + run.overlaps,
    unknowns: totals.unknowns + run.unknowns,
    refusals: totals.refusals + run.refusals,
    followerReads: totals.followerReads + run.followerReads,
    faults: sumOf(totals.faults, run.faults),
    coverage: sumOf(totals.coverage, run.coverage),
    virtualMs: totals.virtualMs + run.virtualMs,
    realMs: totals.realMs + run.realMs,
  };
}

function sumOf(
  left: Readonly<Record<string, number>>,
  right: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const sum: Record<string, number> = { ...left };
  for (const [name, count] of Object.entries(right)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
