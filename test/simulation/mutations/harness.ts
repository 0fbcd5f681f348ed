import { DEFECT } from '../checkers/findings.ts';
import { type PoolAnswer, type PoolRequest, RunPool } from '../runner/run-pool.ts';
import type { RunSettings } from '../runner/run-settings.ts';
import { isAtRunTime } from '../runner/simulation-run.ts';
import type { Mutation } from './mutation.ts';

/** What became of one mutation. `runs`: how many it took, or how many it survived. */
export interface MutationResult {
  readonly mutation: Mutation;
  readonly runs: number;
  /** The checker that saw it first; null: it survived. */
  readonly caughtBy: string | null;
  readonly seed: number;
  readonly text: string;
  /** Runs in which the mutant broke down by itself: they prove nothing. */
  readonly broken: number;
}

export interface HarnessOptions {
  readonly firstSeed: number;
  readonly runsMax: number;
  readonly children: number;
  readonly settings: Partial<RunSettings>;
}

/** Runs seeds with the mutation in force until a checker sees it. That the mutant fell over its own feet does not count. */
export async function hunt(mutation: Mutation, options: HarnessOptions): Promise<MutationResult> {
  let runs = 0;
  let broken = 0;
  let caught: { readonly by: string; readonly seed: number; readonly text: string } | null = null;
  const judge = (answer: PoolAnswer): boolean => {
    runs += 1;
    if (answer.kind === 'broken') {
      broken += 1;
      return caught === null;
    }
    const { findings, seed } = answer.result;
    const seen = findings.find(({ checker }) => checker !== DEFECT && !isAtRunTime(checker));
    if (seen === undefined && findings.length > 0) broken += 1;
    if (seen !== undefined && caught === null) caught = { by: seen.checker, seed, text: seen.text };
    return caught === null;
  };
  await new RunPool(options.children).run(requestsOf(mutation, options), judge);
  const { by = null, seed = 0, text = '' } = (caught ?? {}) as { by?: string; seed?: number; text?: string };
  return { mutation, runs, caughtBy: by, seed, text, broken };
}

function* requestsOf(
  { name }: Mutation,
  { firstSeed, runsMax, settings }: HarnessOptions,
): Generator<PoolRequest> {
  for (let run = 0; run < runsMax; run += 1) yield { ...settings, seed: firstSeed + run, mutation: name };
}

/** The table of docs/PROTOCOL.md. */
export function tableOf(results: readonly MutationResult[]): string {
  const rows = results.map(({ mutation, runs, caughtBy }) => {
    const until = caughtBy === null ? `**survived ${runs}**` : String(runs);
    return `| ${mutation.name} | ${mutation.ruling} | ${until} | ${caughtBy ?? ''} |`;
  });
  return ['| Mutation | Rule | Runs until caught | By |', '|---|---|---|---|', ...rows].join('\n');
}
