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
    await rotLastByte(machine);
    await acceptTornTail(machine);
    const third = await NodeClient.open(machine);
    expect(await third.get('kept')).to.equal('1');
    expect(await third.get('lost')).to.equal(null);
  });

  it('also when an epoch began behind it: the offsets that are not used again are no loss', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    await client.set('kept', '1');
    await machine.clock.until(client.node.close());
    machine.nextProcess();
    const second = await NodeClient.open(machine);
    await second.set('lost', '2');
    await machine.clock.until(second.node.close());
    machine.nextProcess();
    const idle = await machine.open();
    await machine.clock.until(idle.close());
    machine.nextProcess();
    await rotLastByte(machine);
    await acceptTornTail(machine);
    const third = await NodeClient.open(machine);
    expect(await third.get('kept')).to.equal('1');
    expect(await third.get('lost')).to.equal(null);
    await third.set('new', '3');
    await machine.clock.until(third.node.close());
    machine.nextProcess();
    const fourth = await NodeClient.open(machine);
    expect(await fourth.get('kept')).to.equal('1');
    expect(await fourth.get('new')).to.equal('3');
  });
});

async function rotLastByte(machine: NodeMachine): Promise<void> {
  const name = (await machine.files()).find((file) => file.endsWith('.log')) as string;
  const path = `${PARTITION_DIRECTORY}/${name}`;
  const last = (machine.disk.contentOf(path) ?? new Uint8Array(0)).findLastIndex((byte) => byte !== 0);
  machine.disk.flipBit(path, last, 0);
}

/** Refused without the flag, started and stopped with it. */
async function acceptTornTail(machine: NodeMachine): Promise<void> {
  await expectCode(() => machine.open(), 'tornTailRefused');
  machine.nextProcess();
  const node = await machine.open({ 'storage.acceptTornTail': 'true' });
  await machine.clock.until(node.close());
  machine.nextProcess();
}
