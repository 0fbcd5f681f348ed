import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COVERAGE_RUNS_MIN, describeFailure, describeTotals, missingCoverage } from './report.ts';
import { type PoolRequest, RunPool } from './run-pool.ts';
import { addRun, NO_RUNS, type RunResult, type Totals } from './run-result.ts';
import { type RunSettings, replayCommand } from './run-settings.ts';

export interface SuiteOptions {
  readonly firstSeed: number;
  /** Infinity: until `minutes` are over. */
  readonly runs: number;
  readonly minutes: number;
  readonly children: number;
  /** Over the defaults of a run. */
  readonly settings: Partial<RunSettings>;
  /** Goes on after a failure. */
  readonly keepsGoing: boolean;
  readonly print: (text: string) => void;
}

export interface SuiteResult {
  readonly totals: Totals;
  readonly failures: readonly string[];
}

const LOG_DIRECTORY = join('logs', 'simulation');

/** Runs seeds one after the other in two processes; prints what failed at once and the totals at the end. */
export async function runSuite(options: SuiteOptions): Promise<SuiteResult> {
  const startedMs = performance.now();
  const failures: string[] = [];
  let totals = NO_RUNS;
  const fail = (text: string): boolean => {
    failures.push(text);
    options.print(text);
    return options.keepsGoing;
  };
  await new RunPool(options.children).run(requestsOf(options, startedMs), (answer) => {
    if (answer.kind === 'broken') {
      const { seed, text } = answer;
      const mutation = options.settings.mutation ?? null;
      return fail(`seed ${seed} BROKE: ${text}\n  replay: ${replayCommand({ seed, mutation })}`);
    }
    totals = addRun(totals, answer.result);
    return answer.result.findings.length === 0 || fail(failureOf(answer.result, options));
  });
  options.print(describeTotals(totals, performance.now() - startedMs));
  const missing = missingCoverage(totals);
  if (totals.runs >= COVERAGE_RUNS_MIN && missing.length > 0) {
    fail(`never met in ${totals.runs} runs: ${missing.join(', ')}`);
  }
  return { totals, failures };
}

function* requestsOf(
  { firstSeed, runs, minutes, settings }: SuiteOptions,
  startedMs: number,
): Generator<PoolRequest> {
  for (let run = 0; run < runs; run += 1) {
    if (performance.now() - startedMs > minutes * 60_000) return;
    yield { ...settings, seed: firstSeed + run };
  }
}

function failureOf(run: RunResult, { settings }: SuiteOptions): string {
  mkdirSync(LOG_DIRECTORY, { recursive: true });
  const path = join(LOG_DIRECTORY, `seed-${run.seed}.txt`);
  writeFileSync(path, `${run.events.join('\n')}\n`);
  const replay = replayCommand({ seed: run.seed, mutation: settings.mutation ?? null });
  return describeFailure(run, commitName(), replay, path);
}

function commitName(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
