import { expect } from 'chai';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine, PARTITION_DIRECTORY } from '../support/node-machine.ts';
import { expectCode } from '../support/store-fixture.ts';

describe('a rotten last batch after a clean shutdown (R19)', () => {
  it('is given up by --accept-torn-tail for good: the next start needs no flag and finds the rest', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    await client.set('kept', '1');
    await machine.clock.until(client.node.close());
    machine.nextProcess();
    const second = await NodeClient.open(machine);
    await second.set('lost', '2');
    await machine.clock.until(second.node.close());
    machine.nextProcess();
    const name = (await machine.files()).find((file) => file.endsWith('.log')) as string;
    const path = `${PARTITION_DIRECTORY}/${name}`;
    const handle = await machine.fileSystem.open(path, 'read');
    const bytes = Buffer.alloc(4096);
    const size = await handle.readAt(bytes, 0);
    await handle.close();
    let last = size - 1;
    while (bytes[last] === 0) last -= 1;
    machine.disk.flipBit(path, last, 0);
    await expectCode(() => machine.open(), 'tornTailRefused');
    machine.nextProcess();
    const node = await machine.open({ 'storage.acceptTornTail': 'true' });
    await machine.clock.until(node.close());
    machine.nextProcess();
    const third = await NodeClient.open(machine);
    expect(await third.get('kept')).to.equal('1');
    expect(await third.get('lost')).to.equal(null);
  });
});
