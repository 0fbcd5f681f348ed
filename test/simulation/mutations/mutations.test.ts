import { expect } from 'chai';
import { hunt, tableOf } from './harness.ts';
import { MUTATIONS, mutationNamed } from './mutations.ts';

const HUNT_MS_MAX = 300_000;

describe('mutations', () => {
  it('are at least 25, each of another name, and each says which rule it breaks', () => {
    expect(MUTATIONS).to.have.length.of.at.least(25);
    expect(new Set(MUTATIONS.map(({ name }) => name)).size).to.equal(MUTATIONS.length);
    for (const { name, ruling, rules, install } of MUTATIONS) {
      const count = Object.keys(rules.replication).length + Object.keys(rules.controller).length;
      expect(count > 0 || install !== undefined, name).to.equal(true);
      expect(name, 'a shell reads it between single quotes').to.not.contain("'");
      expect(ruling, name).to.match(/^([A-Z]\d+|\d\.\d+|KAFKA-\d+|KIP-\d+)/);
    }
  });

  it('are found by name, and an unknown name is told what there is', () => {
    expect(mutationNamed('removedFloor skipped').ruling).to.equal('C5, R16');
    expect(() => mutationNamed('nothing broken')).to.throw(/removedFloor skipped/);
  });

  it('are caught by a checker: one of them, as a sample', async function sample() {
    this.timeout(HUNT_MS_MAX);
    const mutation = mutationNamed('ack before the follower has it on disk');
    const result = await hunt(mutation, { firstSeed: 1, runsMax: 10, children: 2, settings: {} });
    expect(result.caughtBy).to.be.oneOf(['I5', 'candidate completeness']);
    expect(tableOf([result])).to.contain('| ack before the follower has it on disk | R8 |');
  });
});
