import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { Explorer } from './explore.ts';
import { MODEL_RULES } from './model-rules.ts';
import { MUTATIONS } from './mutations.ts';
import { parseScenario } from './scenario.ts';
import { SMALL_WORLDS } from './worlds.ts';

/** Below this a world is too small to say anything: an event that can no longer happen would go unnoticed. */
const STATES_MIN = 5_000;

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
