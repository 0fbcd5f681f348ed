import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine, PARTITION_DIRECTORY } from '../support/node-machine.ts';

describe('what looks like a first start cut short deletes no data', () => {
  it('a directory with batches, but without MANIFEST and EPOCHS, is refused and left as it is: its log was deleted', async () => {
    for (const count of [1, 8]) {
      const machine = new NodeMachine();
      const client = await NodeClient.open(machine);
      for (let index = 0; index < count; index += 1) await client.set(`key${index}`, 'v'.repeat(1000));
      machine.nextLife({ policy: 'loseAll' });
      const kept: Record<string, string> = {};
      for (const name of ['MANIFEST', 'EPOCHS']) {
        kept[name] = `${PARTITION_DIRECTORY}/${name}`;
        await machine.fileSystem.rename(`${PARTITION_DIRECTORY}/${name}`, `/${name}`);
      }
      const before = await machine.files();
      let failure: unknown = null;
      try {
        await machine.open();
      } catch (error) {
        failure = error;
      }
      expect(failure).to.be.instanceOf(CaskadeError).with.property('code', 'corruptMetadata');
      expect((failure as CaskadeError).message).to.contain(`${PARTITION_DIRECTORY}/MANIFEST`);
      expect(await machine.files()).to.deep.equal(before);
      // Put back, it is all there.
      for (const [name, path] of Object.entries(kept)) await machine.fileSystem.rename(`/${name}`, path);
      machine.nextProcess();
      expect(await (await NodeClient.open(machine)).value('key0')).to.equal('v'.repeat(1000));
    }
  });
});
