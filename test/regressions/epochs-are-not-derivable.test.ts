import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine, PARTITION_DIRECTORY } from '../support/node-machine.ts';

const EPOCHS = `${PARTITION_DIRECTORY}/EPOCHS`;

describe('the epoch cache is not derivable from the log (C8)', () => {
  it('a log with records and without EPOCHS is refused: it was served, its epochs forgotten', async () => {
    const machine = new NodeMachine();
    await (await NodeClient.open(machine)).set('key', 'value');
    machine.nextLife({ policy: 'loseAll' });
    await machine.fileSystem.unlink(EPOCHS);
    let failure: unknown = null;
    try {
      await machine.open();
    } catch (error) {
      failure = error;
    }
    expect(failure).to.be.instanceOf(CaskadeError).with.property('code', 'corruptMetadata');
    expect((failure as CaskadeError).message)
      .to.contain(EPOCHS)
      .and.contain('missing');
    expect(await machine.fileSystem.exists(EPOCHS)).to.equal(false);
  });

  it('an empty log without EPOCHS is a first start that was cut short', async () => {
    const machine = new NodeMachine();
    await machine.open();
    machine.nextLife({ policy: 'loseAll' });
    await machine.fileSystem.unlink(EPOCHS);
    expect(await (await NodeClient.open(machine)).set('key', 'value')).to.equal('ok');
  });
});
