import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { MUTATIONS } from '../explorer/mutations.ts';
import { parseScenario, renderScenario } from '../explorer/scenario.ts';

const FOLDER = 'test/scenarios/replication';
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

/** A change of a rule shows here as a change of a text: read it, then `node dist/scripts/explore.js write`. */
describe('a scenario of replication', () => {
  for (const file of files) {
    const text = readFileSync(`${FOLDER}/${file}`, 'utf8');
    const scenario = parseScenario(text);

    it(`goes as it is told: ${file}`, () => {
      expect(renderScenario(scenario)).to.equal(text);
    });

    it(`breaks nothing under the rules as they are: ${file}`, () => {
      const asTheyAre = renderScenario({ ...scenario, mutation: 'none' });
      const broken = asTheyAre.split('\n').filter((line) => line.startsWith('    ! '));
      expect(broken.filter((line) => !line.endsWith('cannot happen'))).to.deep.equal([]);
    });
  }

  it('is there for every mutation', () => {
    const names = MUTATIONS.map(({ name }) => `${name}.txt`);
    expect(files).to.include.members(names);
  });
});
