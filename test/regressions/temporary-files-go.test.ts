import { expect } from 'chai';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine, unlessCrashed } from '../support/node-machine.ts';

describe('a start deletes every *.tmp (docs/FORMATS.md section 1)', () => {
  it('also CLEAN.tmp, of a shutdown that a crash cut short: it stayed for the whole life of the node', async () => {
    const machine = new NodeMachine();
    const node = await machine.open();
    await new NodeClient(machine, node).set('key', 'value');
    // The last operation on CLEAN.tmp before it is renamed.
    machine.disk.arm({ operation: 'rename', path: 'CLEAN' });
    await unlessCrashed(
      machine,
      machine.clock.until(node.close()).catch(() => null),
    );
    expect(await machine.fileSystem.exists('/data/CLEAN.tmp')).to.equal(true);
    machine.nextLife({ policy: 'keepAll' });
    expect(await (await NodeClient.open(machine)).value('key')).to.equal('value');
    expect(await machine.fileSystem.list('/data')).to.deep.equal(['NODE', 'partitions']);
  });
});
