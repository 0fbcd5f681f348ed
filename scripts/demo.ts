/**
 * `make demo`: a cluster of three nodes and a ZooKeeper on free ports, clients that read and write all the time, and
 * faults: a leader killed, another paused, the controller killed, ZooKeeper gone. Ends with what became of every
 * acknowledged write, and with an HTML report. Exit code 1 if anything is not as promised.
 *
 * Usage: node dist/scripts/demo.js [--report FILE] [--seed N] [--seconds N] [--directory PATH] [--program "WORDS"]
 *
 * --seconds  how long, about; default 60. Less than 40 makes fewer acknowledged writes enough.
 * --directory  where data and logs of the nodes are kept; it must be empty. Default: nowhere.
 * --program  what to run instead of `caskade server`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Demonstration, type DemonstrationOptions } from './demo/demonstration.ts';
import { seconds } from './demo/report/report.ts';
import { count, type DemoFigures, type Judgement } from './demo/verdict.ts';

const SECONDS_DEFAULT = 60;
const SECONDS_FULL = 40;
/** Of the duration: four faults with a calm before and after each, and the time that each takes to be over. */
const SHARES = { calm: 0.07, down: 0.06, withoutZooKeeper: 0.08 };
/** Longer than the session. */
const PAUSED_MS_MIN = 5_000;

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

function optionsOf(words: {
  readonly seed: string;
  readonly seconds: string;
  readonly directory?: string;
  readonly program?: string;
}): DemonstrationOptions {
  const duration = Number(words.seconds) * 1000;
  if (!(duration > 0)) throw new Error(`--seconds is '${words.seconds}': a number is needed`);
  return {
    seed: Number(words.seed),
    times: {
      calmMs: duration * SHARES.calm,
      downMs: duration * SHARES.down,
      pausedMs: PAUSED_MS_MIN,
      withoutZooKeeperMs: duration * SHARES.withoutZooKeeper,
    },
    partitions: 6,
    clientsPerPartition: 4,
    actionsPerSecond: 1200,
    acknowledgedMin: duration >= SECONDS_FULL * 1000 ? 10_000 : 1_000,
    ...(words.directory !== undefined && { directory: resolve(words.directory) }),
    ...(words.program !== undefined && { program: words.program.split(' ') }),
    stream: process.stdout,
  };
}

function printVerdict(judgements: readonly Judgement[], { faults }: DemoFigures): void {
  for (const { fault, writeGapMsMax, readGapMsMax, writeGapMs, readGapMs, inDoubt, refused } of faults) {
    print(`\n${fault.name}:`);
    print(
      `  longest without a write ${seconds(writeGapMs)}, in the worst partition ${seconds(writeGapMsMax)}`,
    );
    print(`  longest without a read  ${seconds(readGapMs)}, in the worst partition ${seconds(readGapMsMax)}`);
    print(`  in doubt ${count(inDoubt)}, refused ${count(refused)}`);
  }
  print('');
  for (const { name, text, isWell, details } of judgements) {
    print(`${isWell ? 'ok      ' : 'FAILED  '}${name}: ${text}`);
    for (const detail of details) print(`        ${detail.replaceAll('\n', '\n        ')}`);
  }
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      report: { type: 'string', default: 'logs/demo.html' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: String(SECONDS_DEFAULT) },
      directory: { type: 'string' },
      program: { type: 'string' },
    },
  });
  print('starting ZooKeeper and three nodes');
  const { judgements, figures, report } = await Demonstration.run(optionsOf(values));
  const path = resolve(values.report);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, report);
  printVerdict(judgements, figures);
  print(`\nreport: ${path}`);
  return judgements.every(({ isWell }) => isWell);
}

// Whoever is interrupted takes its children with it: those who hold them kill them at exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

main()
  .then((isWell) => {
    process.exitCode = isWell ? 0 : 1;
  })
  .catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  });
