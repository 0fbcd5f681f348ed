import { expect } from 'chai';
import { type CrashPointOptions, SimulatedCrash } from '../../../src/env/faulty-file-system.ts';
import type { JournalRecord } from '../../../src/storage/journal/frame.ts';
import { FramesUnderWay } from '../../../src/storage/journal/frames-under-way.ts';
import { Journal } from '../../../src/storage/journal/journal.ts';
import type { LapFile } from '../../../src/storage/journal/lap-file.ts';
import { replaced } from '../../simulation/mutations/mutation.ts';
import { CRASHES } from '../../support/crash-points.ts';
import { droppingSyncs } from '../../support/dropping-file-system.ts';
import { JournalWorkload, type WorkloadOptions, type Wrap } from '../../support/journal-workload.ts';

const KiB = 1024;
const ROUNDS = 40;
const SETTINGS = { lapBytes: 24 * KiB, filesMin: 2 };
const SOAK = process.env.CASKADE_SOAK === '1';
const SEED = Number(process.env.CASKADE_SEED ?? 7);
const SEEDS = SOAK ? 20 : 1;
const STEP = SOAK ? 1 : 3;

async function unlessCrashed(work: JournalWorkload, running: Promise<void>): Promise<void> {
  try {
    await running;
  } catch (error) {
    if (!work.disk.isCrashed || !isOfCrash(error)) throw error;
  }
}

const isOfCrash = (error: unknown): boolean =>
  error instanceof SimulatedCrash || (error instanceof Error && isOfCrash(error.cause));

async function prepared(seed: number, options?: WorkloadOptions): Promise<JournalWorkload> {
  const work = new JournalWorkload(seed, SETTINGS, options);
  await work.prepare();
  return work;
}

async function countPoints(seed: number, options?: WorkloadOptions): Promise<number> {
  const work = await prepared(seed, options);
  const before = work.disk.operationCount;
  await work.run(ROUNDS);
  const counts = (work.journal as Journal).counts;
  expect(counts.journaled, 'syncs by the journal').to.be.greaterThan(20);
  expect(counts.laps, 'laps that ended').to.be.greaterThan(2);
  return work.disk.operationCount - before;
}

/** What is wrong after a crash at this operation, and after another one as soon as the journal is open again. */
async function violationAt(
  seed: number,
  point: number,
  crash: Required<CrashPointOptions>,
  options?: WorkloadOptions,
): Promise<string | null> {
  const work = await prepared(seed, options);
  work.disk.failAtOperation(point, crash);
  await unlessCrashed(work, work.run(ROUNDS));
  if (!work.disk.isCrashed) work.disk.crash({ policy: 'loseAll' });
  work.disk.restart();
  // A start that ends in the middle of it, too.
  work.disk.failAtOperation(1 + (point % 12), crash);
  await unlessCrashed(work, work.openJournal());
  if (work.disk.isCrashed) {
    work.disk.restart();
    await work.openJournal();
  }
  const first = await work.violation();
  work.disk.crashAndRestart({ policy: 'loseAll' });
  await work.openJournal();
  return first ?? (await work.violation());
}

async function firstViolation(seed: number, step: number, options?: WorkloadOptions): Promise<string | null> {
  const points = await countPoints(seed, options);
  for (let point = 1; point <= points; point += step) {
    for (const crash of CRASHES) {
      const violation = await violationAt(seed, point, crash, options);
      if (violation !== null)
        return `crash at operation ${point} of ${points} (${crash.progress}, ${crash.policy}, seed ${seed}): ${violation}`;
    }
  }
  return null;
}

describe('crash points of the journal', () => {
  it('a crash at any operation takes nothing of what was synced, and brings nothing back that was cut off or replaced', async () => {
    for (let seed = SEED; seed < SEED + SEEDS; seed += 1)
      expect(await firstViolation(seed, STEP)).to.equal(null);
  }).timeout(SOAK ? 1_800_000 : 60_000);

  const logsOnly =
    (wrap: Wrap): Wrap =>
    (fileSystem) => {
      const wrapped = wrap(fileSystem);
      return {
        ...wrapped,
        open: (path, mode) => (path.endsWith('log') ? wrapped : fileSystem).open(path, mode),
      };
    };

  /** With `install` in force, which returns how to take it back. */
  async function violationWith(install: () => () => void): Promise<string | null> {
    const restore = install();
    try {
      return await firstViolation(SEED, 5, { replaceShare: 0 });
    } finally {
      restore();
    }
  }

  it('is noticed: syncs of logs that do nothing, when a lap has ended', async () => {
    expect(await firstViolation(SEED, 5, { wrap: logsOnly(droppingSyncs) })).to.not.equal(null);
  }).timeout(60_000);

  it('is noticed: a log that is cut while the journal speaks of it', async () => {
    const install = () => replaced(Journal.prototype, 'settle', () => async () => {});
    expect(await violationWith(install)).to.not.equal(null);
  }).timeout(60_000);

  it('is noticed: frames that are believed before they are on the disk', async () => {
    const early = (original: FramesUnderWay['write']) =>
      async function write(this: FramesUnderWay, lap: LapFile, records: readonly JournalRecord[]) {
        original.call(this, lap, records).catch(() => {});
      };
    const install = () => replaced(FramesUnderWay.prototype, 'write', early);
    expect(await violationWith(install)).to.not.equal(null);
  }).timeout(60_000);
});
