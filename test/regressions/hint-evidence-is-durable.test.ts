import { ModelRun } from '../support/model-commands.ts';

const STEPS = 24;

/** A value on the disk, then a roll with a slow disk; the value is deleted at one step of it and the power fails at another. */
async function deletedAndCut(mode: string, deleteAt: number, cutAt: number): Promise<void> {
  const run = new ModelRun(1, { 'cluster.flush': mode, 'merge.enabled': 'false' });
  await run.start();
  await run.step({ do: 'put', key: 'd', length: 20, ttlMs: 0 });
  await run.step({ do: 'settle' });
  await run.step({ do: 'slowDisk', ms: 1 });
  await run.step({ do: 'mergeBehind' });
  for (let step = 0; step < cutAt; step += 1) {
    if (step === deleteAt) await run.step({ do: 'remove', key: 'd' });
    await run.step({ do: 'advance', ms: 1 });
  }
  await run.step({ do: 'crash', policy: 'loseAll' });
  await run.checkNow();
}

describe('only durable evidence may kill (C2), under a weak flush mode too (R18)', () => {
  /**
   * The delete was committed, but not synced, while the hint of the segment with the value was being written; so the hint left the
   * value out. The power cut took the delete back, and the hint the value, which had been on disk for long.
   */
  for (const mode of ['interval', 'os']) {
    it(`flush ${mode}: a hint leaves nothing out for a delete that a power cut takes back`, async () => {
      for (let deleteAt = 0; deleteAt < STEPS; deleteAt += 1) {
        for (let cutAt = deleteAt + 1; cutAt <= STEPS; cutAt += 1) await deletedAndCut(mode, deleteAt, cutAt);
      }
    });
  }
});
