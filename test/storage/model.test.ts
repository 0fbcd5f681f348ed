import { expect } from 'chai';
import fc from 'fast-check';
import { ModelRun, modelCommand } from '../support/model-commands.ts';

const SOAK = process.env.CASKADE_SOAK === '1';
const SEED = process.env.CASKADE_SEED;

/** Random commands against a node with these settings, each run on a machine of its own. fast-check prints the seed of a failure. */
async function agree(
  settings: Readonly<Record<string, string>>,
  limits: { runs: number; ms: number },
): Promise<void> {
  let runs = 0;
  let crashes = 0;
  let merges = 0;
  let lives = 0;
  const property = fc.asyncProperty(
    fc.noShrink(fc.nat()),
    fc.array(modelCommand, { minLength: 10, maxLength: 60, size: 'max' }),
    async (seed, commands) => {
      const run = new ModelRun(seed, settings);
      await run.execute(commands);
      runs += 1;
      crashes += run.crashes;
      merges += run.merges;
      lives += run.machine.lives;
    },
  );
  const times = SOAK ? 50 : 1;
  await fc.assert(property, {
    numRuns: limits.runs * times,
    interruptAfterTimeLimit: limits.ms * times,
    ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  });
  console.log(
    `      ${runs} runs, ${lives} starts, ${merges} merges, ${crashes} crashes in the middle of an operation`,
  );
  expect(runs).to.be.greaterThan(10);
}

describe('the store against a Map', () => {
  it('agrees after every write, merge, clock step, crash and restart', () =>
    agree({}, { runs: 300, ms: 7000 })).timeout(SOAK ? 600_000 : 60_000);

  for (const mode of ['interval', 'os']) {
    it(`under flush ${mode} a crash leads back to a state that there was, and to no other (R18)`, () =>
      agree({ 'cluster.flush': mode, 'cluster.flushIntervalMs': '50' }, { runs: 60, ms: 2000 })).timeout(
      SOAK ? 600_000 : 60_000,
    );
  }
});
