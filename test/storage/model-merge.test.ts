import { expect } from 'chai';
import { MODEL_KEYS, type ModelCommand, ModelRun } from '../support/model-commands.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { readBooks } from '../support/segment-books.ts';

const SOAK = process.env.CASKADE_SOAK === '1';
const SEEDS = SOAK ? 200 : 6;
const FIRST_SEED = Number(process.env.CASKADE_SEED ?? 1);
const STEPS = 400;
const QUIET_EVERY = 50;
const CHECK_EVERY = 5;
const SEGMENT_BYTES = 4096;

/**
 * Mostly writes, on a disk that is slow most of the time, so that a merge takes as long as dozens of them: they overwrite and delete
 * what it is copying. Crashes and restarts are rarer than in the short runs, so that many segments come together.
 */
function nextCommand(random: SeededRandom): ModelCommand {
  const key = random.pick(MODEL_KEYS);
  const roll = random.below(100);
  if (roll < 45)
    return {
      do: 'put',
      key,
      length: 50 + random.below(1500),
      ttlMs: random.chance(0.2) ? 1 + random.below(2000) : 0,
    };
  if (roll < 55) return { do: 'remove', key };
  if (roll < 60) return { do: 'expire', key, ttlMs: 1 + random.below(2000) };
  if (roll < 63) return { do: 'persist', key };
  if (roll < 67)
    return { do: 'group', keys: [key, random.pick(MODEL_KEYS), random.pick(MODEL_KEYS)], length: 300 };
  if (roll < 68) return { do: 'flushDatabase' };
  if (roll < 86) return { do: 'advance', ms: 1 + random.below(8) };
  if (roll < 90) return { do: 'mergeBehind' };
  if (roll < 94) return { do: 'slowDisk', ms: random.below(4) };
  if (roll < 96) return { do: 'reopen' };
  if (roll < 97) return { do: 'crash', policy: random.pick(['loseAll', 'random']) };
  if (roll < 98) {
    const progress = random.pick(['before', 'partly', 'after'] as const);
    return {
      do: 'crashAt',
      policy: random.pick(['loseAll', 'random']),
      operation: 1 + random.below(60),
      progress,
    };
  }
  return { do: 'turn' };
}

/** The store's own count of dead bytes is what a reader of all files finds. */
async function compareBooks(run: ModelRun): Promise<void> {
  const books = await readBooks(run.machine);
  const stats = run.store.partition.stats();
  expect(stats.segmentBytes, 'segment bytes').to.equal(books.totalBytes);
  expect(stats.deadBytes, 'dead bytes').to.equal(books.deadBytes);
}

async function runSeed(seed: number): Promise<ModelRun> {
  const run = new ModelRun(seed);
  const random = new SeededRandom(seed ^ 0x5eed);
  await run.start();
  for (let step = 1; step <= STEPS; step += 1) {
    await run.step(nextCommand(random));
    if (step % CHECK_EVERY === 0) await run.checkNow();
    if (step % QUIET_EVERY === 0) {
      await run.quiet();
      await compareBooks(run);
      await boundedUse(run);
    }
  }
  await run.quiet();
  await mergedWhole(run);
  await run.finish();
  return run;
}

/**
 * Background merge keeps the dead at about half. The bound allows that, the active segment, and that everything alive at its last look
 * (four segments full: eight keys of at most 1.5 KiB) has died since without a roll.
 */
async function boundedUse(run: ModelRun): Promise<void> {
  const { liveBytes, totalBytes } = await readBooks(run.machine);
  expect(totalBytes, 'bytes of all segments').to.be.at.most(3 * liveBytes + 8 * SEGMENT_BYTES);
  expect(await run.machine.disorder()).to.deep.equal([]);
}

async function mergedWhole(run: ModelRun): Promise<void> {
  await run.step({ do: 'mergeNow' });
  await run.checkNow();
  // A crash point that was armed may have struck; then the merge is done again.
  await run.quiet();
  await run.step({ do: 'mergeNow' });
  // Time stands still from here: a key that fell due would be dead weight again.
  await run.store.settle();
  const books = await readBooks(run.machine);
  const { deadBytes, segmentBytes } = run.store.partition.stats();
  expect(deadBytes, 'dead bytes after a merge of everything').to.equal(0);
  expect(books.deadBytes).to.equal(0);
  expect(books.tombstoneBytes).to.equal(0);
  expect(segmentBytes - books.headerBytes, 'live bytes').to.equal(books.liveBytes);
}

describe('merge under load', () => {
  it(`${STEPS} random steps with merges, restarts and crashes: the state is the model's, the books are right, the disk use bounded`, async () => {
    let merges = 0;
    let lives = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
      try {
        const run = await runSeed(seed);
        merges += run.merges;
        lives += run.machine.lives;
      } catch (error) {
        throw new Error(`CASKADE_SEED=${seed}: ${String(error)}`, { cause: error });
      }
    }
    expect(merges).to.be.greaterThan(SEEDS * 10);
    console.log(`      ${SEEDS} runs of ${STEPS} steps, ${lives} starts, ${merges} merges`);
  }).timeout(SOAK ? 600_000 : 60_000);
});
