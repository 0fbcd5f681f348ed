/**
 * `make simulate`: runs seeds of the simulated cluster until one fails or all have passed.
 *
 * Usage: node dist/scripts/simulate.js [--seed N] [--runs N] [--minutes N] [--children N] [--keep-going]
 *        [--mutation NAME | --mutations [NAME]...] [--list]
 *
 * --mutations hunts every mutation (or those named) with up to --runs seeds each, after an unmutated control, and
 *   prints the table of docs/PROTOCOL.md.
 */
import { parseArgs } from 'node:util';
import { hunt, tableOf } from '../test/simulation/mutations/harness.ts';
import { MUTATIONS, mutationNamed } from '../test/simulation/mutations/mutations.ts';
import { runSuite, type SuiteOptions } from '../test/simulation/runner/suite.ts';

const RUNS_DEFAULT = 200;
const MUTATION_RUNS_MAX = 500;
/** Of the unmutated control before a hunt. */
const CONTROL_RUNS = 20;

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

interface Flags {
  readonly seed?: string;
  readonly runs?: string;
  readonly minutes?: string;
  readonly children: string;
  readonly 'keep-going': boolean;
  readonly mutation?: string;
  readonly mutations: boolean;
  readonly list: boolean;
}

function numberOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} is '${text}': a number is needed`);
  return value;
}

/** `random`: seeds that nobody has tried, for soaks. */
function firstSeedOf(text: string | undefined): number {
  return text === 'random' ? Math.floor(Math.random() * 2 ** 31) : numberOf('seed', text, 1);
}

function suiteOptions(flags: Flags): SuiteOptions {
  const minutes = numberOf('minutes', flags.minutes, Number.POSITIVE_INFINITY);
  const runsDefault = flags.minutes === undefined ? RUNS_DEFAULT : Number.POSITIVE_INFINITY;
  return {
    firstSeed: firstSeedOf(flags.seed),
    runs: numberOf('runs', flags.runs, runsDefault),
    minutes,
    children: numberOf('children', flags.children, 2),
    settings: flags.mutation === undefined ? {} : { mutation: mutationNamed(flags.mutation).name },
    keepsGoing: flags['keep-going'],
    print,
  };
}

/** True if every mutation was caught. */
async function huntAll(flags: Flags, names: readonly string[]): Promise<boolean> {
  const { firstSeed, children } = suiteOptions(flags);
  const control = await runSuite({ ...suiteOptions(flags), runs: CONTROL_RUNS });
  if (control.failures.length > 0) {
    print('the unmutated control is not green: nothing can be said of mutations');
    return false;
  }
  const runsMax = numberOf('runs', flags.runs, MUTATION_RUNS_MAX);
  const results = [];
  for (const mutation of names.length > 0 ? names.map(mutationNamed) : MUTATIONS) {
    const result = await hunt(mutation, { firstSeed, runsMax, children, settings: {} });
    results.push(result);
    const verdict =
      result.caughtBy === null ? 'SURVIVED' : `caught by ${result.caughtBy}, seed ${result.seed},`;
    print(`${mutation.name}: ${verdict} after ${result.runs} runs (${result.broken} broken)`);
  }
  print(tableOf(results));
  return results.every(({ caughtBy }) => caughtBy !== null);
}

async function main(): Promise<boolean> {
  const { values, positionals } = parseArgs({
    options: {
      seed: { type: 'string' },
      runs: { type: 'string' },
      minutes: { type: 'string' },
      children: { type: 'string', default: '2' },
      'keep-going': { type: 'boolean', default: false },
      mutation: { type: 'string' },
      mutations: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  if (values.list) {
    for (const { name, ruling } of MUTATIONS) print(`${name} (${ruling})`);
    return true;
  }
  if (values.mutations) return huntAll(values, positionals);
  const { failures } = await runSuite(suiteOptions(values));
  return failures.length === 0;
}

main()
  .then((isWell) => {
    process.exitCode = isWell ? 0 : 1;
  })
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  });
