import { expect } from 'chai';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine } from '../support/node-machine.ts';

const VALUE = 'v'.repeat(1000);

async function filled(machine: NodeMachine): Promise<NodeClient> {
  const client = await NodeClient.open(machine);
  for (let round = 0; round < 2; round += 1) {
    for (let index = 0; index < 5; index += 1) await client.set(`key${index}`, `${round}.${index}:${VALUE}`);
  }
  await machine.clock.settle();
  return client;
}

async function expectAll(client: NodeClient): Promise<void> {
  for (let index = 0; index < 5; index += 1) {
    expect(await client.value(`key${index}`)).to.equal(`1.${index}:${VALUE}`);
  }
}

describe('a hint file is never needed (C10)', () => {
  it('a start whose hint cannot be read reads the data', async () => {
    const machine = new NodeMachine();
    await filled(machine);
    for (const fault of ['read', 'open'] as const) {
      machine.nextLife({ policy: 'loseAll' });
      machine.disk.arm({ operation: fault, path: '.hint' });
      const node = await machine.open();
      expect(node.reports[0]?.badHints).to.equal(1);
      await expectAll(new NodeClient(machine, node));
    }
  });

  it('a merge that cannot read back its own hint reads the data that it wrote', async () => {
    const machine = new NodeMachine();
    const client = await filled(machine);
    machine.disk.arm({ operation: 'read', path: '.hint' });
    await machine.clock.until(client.partition.mergeNow());
    await expectAll(client);
    expect(await machine.disorder()).to.deep.equal([]);
    // The books are right: a second merge finds nothing amiss.
    await client.set('key0', `1.0:${VALUE}`);
    await machine.clock.until(client.partition.mergeNow());
    await expectAll(client);
    expect(machine.unexpectedErrors()).to.deep.equal([]);
    machine.nextLife({ policy: 'loseAll' });
    await expectAll(await NodeClient.open(machine));
  });
});
