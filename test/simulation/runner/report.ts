import { COVERED, Coverage } from '../checkers/coverage.ts';
import { FAULT_KINDS, FAULT_ROLES } from '../world/fault.ts';
import { LONE_KINDS } from '../world/lone-faults.ts';
import { DRILL_NAMES, drillOf } from './drills.ts';
import { PATTERN_NAMES, patternOf } from './fault-patterns.ts';
import type { RunResult, Totals } from './run-result.ts';

/** The operator of a node that is alone has accepted a rotten tail (R19). */
export const TAIL_GIVEN_UP = 'torn tail accepted';

/** A node alone under a weak flush mode lost by a power cut what was not synced, and nothing else (R18). */
export const UNSYNCED_LOST = 'unsynced lost';

/** Everything that a whole suite must have met: each fault at each role, and the rare paths. */
export const MUST_BE_COVERED: readonly string[] = [
  ...FAULT_KINDS.flatMap((kind) => FAULT_ROLES.map((role) => faultAt(kind, role))),
  ...LONE_KINDS.map((kind) => faultAt(kind, 'alone')),
  ...COVERED,
  ...PATTERN_NAMES.map(patternOf),
  ...DRILL_NAMES.map(drillOf),
  TAIL_GIVEN_UP,
  UNSYNCED_LOST,
];

/** A suite of fewer runs need not have met everything. */
export const COVERAGE_RUNS_MIN = 200;

export function faultAt(kind: string, role: string): string {
  return `${kind} of ${role}`;
}

export function missingCoverage(totals: Totals): readonly string[] {
  const coverage = new Coverage();
  coverage.add(totals.coverage);
  return coverage.missing(MUST_BE_COVERED);
}

export function describeTotals(totals: Totals, elapsedMs: number): string {
  const faults = Object.values(totals.faults).reduce((sum, count) => sum + count, 0);
  const rate = Math.round((totals.operations / Math.max(1, elapsedMs)) * 1_000);
  return [
    `${totals.runs} runs, ${Math.round(totals.virtualMs / 1_000)} s of virtual time in ${(elapsedMs / 1_000).toFixed(1)} s`,
    `${totals.operations} operations checked (${rate} a second), ${totals.overlaps} overlapping, ${totals.unknowns} in doubt, ${totals.refusals} refused, ${totals.followerReads} read from followers`,
    `${faults} faults: ${listOf(totals.faults)}`,
    `covered: ${listOf(Object.fromEntries([...COVERED, ...PATTERN_NAMES.map(patternOf), TAIL_GIVEN_UP, UNSYNCED_LOST].map((name) => [name, totals.coverage[name] ?? 0])))}`,
  ].join('\n');
}

export function describeFailure(
  run: RunResult,
  commit: string,
  replay: string,
  eventLogPath: string,
): string {
  const findings = run.findings.map(
    ({ checker, atMs, text }) => `  ${checker} (${atMs.toFixed(1)} ms): ${text}`,
  );
  return [
    `seed ${run.seed} FAILED at commit ${commit}: ${run.findings.length} findings in ${run.operations} operations`,
    ...findings.slice(0, 10),
    `  replay: ${replay}`,
    `  events: ${eventLogPath}`,
  ].join('\n');
}

function listOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
