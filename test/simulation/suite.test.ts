import { expect } from 'chai';
import { missingCoverage } from './runner/report.ts';
import { settingsOf } from './runner/run-settings.ts';
import { simulateRun } from './runner/simulation-run.ts';
import { runSuite } from './runner/suite.ts';

/** The long form is `make simulate RUNS=2000`. */
const RUNS = Number(process.env.CASKADE_SIMULATION_RUNS ?? 200);
const MS_PER_RUN_MAX = 20_000;
const DETERMINISM_MS_MAX = 120_000;

describe('a simulated cluster', () => {
  it(`keeps every promise through ${RUNS} runs of faults, and meets all it must meet`, async function suite() {
    this.timeout(60_000 + RUNS * MS_PER_RUN_MAX);
    const printed: string[] = [];
    const { totals, failures } = await runSuite({
      firstSeed: 1,
      runs: RUNS,
      minutes: Number.POSITIVE_INFINITY,
      children: 2,
      settings: {},
      keepsGoing: false,
      print: (text) => printed.push(text),
    });
    expect(failures, printed.join('\n')).to.deep.equal([]);
    expect(totals.runs).to.equal(RUNS);
    expect(totals.operations / totals.runs).to.be.at.least(2_000);
    if (RUNS >= 200) expect(missingCoverage(totals)).to.deep.equal([]);
  });

  it('does the same, event for event, for the same seed', async function determinism() {
    this.timeout(DETERMINISM_MS_MAX);
    // A cluster, one under a weak flush mode, and a node alone.
    for (const seed of [4, 12, 5]) {
      const settings = settingsOf(seed, { operationsMin: 600, faultsMin: 5 });
      const first = await simulateRun(settings);
      const second = await simulateRun(settings);
      expect({ ...second, realMs: 0 }).to.deep.equal({ ...first, realMs: 0 });
      expect((await simulateRun({ ...settings, seed: seed + 1 })).digest).to.not.equal(first.digest);
    }
  });
});
