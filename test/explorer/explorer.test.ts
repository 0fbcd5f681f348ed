import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { Explorer } from './explore.ts';
import { MODEL_RULES } from './model-rules.ts';
import { MUTATIONS, rulesOf } from './mutations.ts';
import { parseScenario, renderScenario } from './scenario.ts';
import { WALK_BUDGET, walk } from './walk.ts';
import { SMALL_WORLDS } from './worlds.ts';

/** Below this a world is too small to say anything: an event that can no longer happen would go unnoticed. */
const STATES_MIN = 4_000;

describe('every order of events of a small cluster', function () {
  this.timeout(60_000);
  for (const { name, world } of SMALL_WORLDS) {
    it(`keeps what was acknowledged: ${name}`, () => {
      const found = new Explorer({ rules: MODEL_RULES, minInsync: 2, ...world }).run();
      process.stdout.write(
        `      ${found.states} states, ${found.transitions} transitions, depth ${found.depth}\n`,
      );
      expect(found.broken).to.equal(null);
      expect(found.isComplete).to.equal(true);
      expect(found.states).to.be.greaterThan(STATES_MIN);
    });
  }
});

describe('every order of events without one rule', function () {
  this.timeout(60_000);
  for (const { name, breaks, rules, world } of MUTATIONS) {
    it(`shows that ${breaks}`, () => {
      const { broken } = new Explorer({ rules, minInsync: 2, ...world }).run();
      const known = parseScenario(readFileSync(`test/scenarios/replication/${name}.txt`, 'utf8'));
      expect(broken?.events).to.deep.equal(known.events);
    });
  }
});

describe('walks by chance through a cluster where much may happen', function () {
  this.timeout(60_000);
  const options = { minInsync: 2, budget: WALK_BUDGET, seed: 1, lengthMax: 150 };

  it('keep what was acknowledged', () => {
    const { broken, events } = walk({ ...options, rules: MODEL_RULES, walks: 150 });
    expect(broken).to.equal(null);
    expect(events).to.be.greaterThan(15_000);
  });

  // What a search through everything finds only from a prepared start, walks find from the beginning.
  for (const name of ['truncates-to-high-watermark', 'size-test-counts-pending', 'acts-under-promise']) {
    it(`miss the rule that is left out: ${name}`, () => {
      const { broken } = walk({ ...options, rules: rulesOf(name), walks: 300 });
      expect(broken).to.not.equal(null);
      const again = renderScenario({ title: '', mutation: name, minInsync: 2, events: broken?.events ?? [] });
      expect(again, 'what was left after shortening').to.contain(`! ${broken?.invariant}`);
    });
  }
});
