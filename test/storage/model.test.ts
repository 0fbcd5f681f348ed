import { expect } from 'chai';
import fc from 'fast-check';
import { ModelRun, modelCommand } from '../support/model-commands.ts';

const SOAK = process.env.CASKADE_SOAK === '1';
const SEED = process.env.CASKADE_SEED;

describe('the store against a Map', () => {
  it('agrees after every write, merge, clock step, crash and restart', async () => {
    let runs = 0;
    let crashes = 0;
    let merges = 0;
    let lives = 0;
    const property = fc.asyncProperty(
      fc.noShrink(fc.nat()),
      fc.array(modelCommand, { minLength: 10, maxLength: 60, size: 'max' }),
      async (seed, commands) => {
        const run = new ModelRun(seed);
        await run.execute(commands);
        runs += 1;
        crashes += run.crashes;
        merges += run.merges;
        lives += run.machine.lives;
      },
    );
    await fc.assert(property, {
      numRuns: SOAK ? 15_000 : 300,
      interruptAfterTimeLimit: SOAK ? 450_000 : 9_000,
      ...(SEED === undefined ? {} : { seed: Number(SEED) }),
    });
    console.log(
      `      ${runs} runs, ${lives} starts, ${merges} merges, ${crashes} crashes in the middle of an operation`,
    );
    expect(runs).to.be.greaterThan(20);
  }).timeout(SOAK ? 600_000 : 60_000);
});
