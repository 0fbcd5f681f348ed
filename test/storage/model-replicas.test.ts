import { expect } from 'chai';
import { ReplicaPairRun } from '../support/replica-pair.ts';

const SOAK = process.env.CASKADE_SOAK === '1';
const SEED = Number(process.env.CASKADE_SEED ?? 1);
const RUNS = SOAK ? 2000 : 60;

describe('two replicas against a Map', () => {
  it('agree with it at every high watermark, whatever is merged, cut off, truncated, rebuilt and led by whom', async () => {
    const sum = { merges: 0, crashes: 0, truncations: 0, rebuilds: 0, elections: 0 };
    for (let seed = SEED; seed < SEED + RUNS; seed += 1) {
      const run = new ReplicaPairRun(seed);
      try {
        await run.execute(120);
      } catch (error) {
        throw new Error(`CASKADE_SEED=${seed}: ${run.history}: ${String(error)}`, { cause: error });
      }
      sum.merges += run.merges;
      sum.crashes += run.crashes;
      sum.truncations += run.truncations;
      sum.rebuilds += run.rebuilds;
      sum.elections += run.elections;
    }
    console.log(
      `      ${RUNS} runs, ${sum.elections} elections, ${sum.crashes} crashes, ${sum.truncations} truncations, ${sum.merges} merges, ${sum.rebuilds} rebuilds`,
    );
    for (const count of Object.values(sum)) expect(count).to.be.greaterThan(0);
  }).timeout(SOAK ? 600_000 : 60_000);
});
