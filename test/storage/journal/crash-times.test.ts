import { expect } from 'chai';
import type { PowerCut } from '../../../src/env/simulated-file.ts';
import { JournalWorkload } from '../../support/journal-workload.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const KiB = 1024;
const RUNS = process.env.CASKADE_SOAK === '1' ? 2000 : 100;
const SEED = Number(process.env.CASKADE_SEED ?? 7);
const POLICIES: readonly PowerCut[] = ['loseAll', 'random'];

/** What a start says after a crash at some moment, of a disk whose syncs overtake each other. Null: all is well. */
async function outcomeOf(seed: number): Promise<string | null> {
  const random = new SeededRandom(seed);
  const clock = new SimulatedClock();
  const settings = { lapBytes: random.pick([16 * KiB, 24 * KiB]), filesMin: random.pick([1, 2]) };
  const work = new JournalWorkload(seed, settings, { clock });
  await clock.until(work.prepare());
  work.disk.slow({ syncMs: () => random.below(6) });
  work.run(40).catch(() => {});
  await clock.advance(random.below(250));
  work.disk.crash({ policy: random.pick(POLICIES) });
  await clock.settle();
  work.disk.restart();
  work.disk.slow({ syncMs: 0 });
  try {
    await clock.until(work.openJournal());
  } catch (error) {
    return String(error);
  }
  return work.violation();
}

describe('crashes of a journal whose syncs overtake each other', () => {
  it('take nothing of what was synced, bring nothing back, and no start is refused', async () => {
    for (let seed = SEED; seed < SEED + RUNS; seed += 1) {
      const outcome = await outcomeOf(seed);
      expect(outcome, `seed ${seed}: ${outcome}`).to.equal(null);
    }
  }).timeout(RUNS * 300);
});
