import { expect } from 'chai';
import { NodeMachine, PARTITION_DIRECTORY } from '../support/node-machine.ts';
import { expectCode } from '../support/store-fixture.ts';

describe('a partition directory that is gone (R5)', () => {
  it('is refused once the node has been in use, not taken for a first start', async () => {
    const machine = new NodeMachine();
    const node = await machine.open();
    await machine.clock.until(node.close());
    machine.nextProcess();
    for (const name of await machine.files())
      await machine.fileSystem.unlink(`${PARTITION_DIRECTORY}/${name}`);
    await machine.fileSystem.removeDirectory(PARTITION_DIRECTORY);
    const error = await expectCode(() => machine.open(), 'corruptMetadata');
    expect(error.message).to.match(/partitions\/0\/META is missing, but this partition has been in use/);
  });
});
