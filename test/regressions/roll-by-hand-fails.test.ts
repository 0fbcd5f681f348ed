import { expect } from 'chai';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine } from '../support/node-machine.ts';
import { failureOf } from '../support/store-fixture.ts';

describe('a roll by hand that fails after its manifest was renamed (C9)', () => {
  it('fences the partition: no write is acknowledged into a segment that a restart takes for sealed', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    await client.set('a', '1');
    // The first is that of the new segment's name, the second that of the manifest's.
    machine.disk.arm({ operation: 'syncDirectory', nth: 2 });
    await failureOf(() => machine.clock.until(client.partition.mergeNow()));
    expect(client.partition.isFenced).to.equal(true);
    expect(client.partition.writeRefusal()?.code).to.equal('partitionFenced');
    machine.nextLife({ policy: 'keepAll' });
    const next = await NodeClient.open(machine);
    expect(await next.get('a')).to.equal('1');
  });

  it('is refused by the start when a sealed file is longer than the manifest says', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    await client.set('a', '1');
    await machine.clock.until(client.partition.mergeNow());
    await client.set('b', '2');
    const [sealed] = (await machine.manifest()).segments;
    machine.nextLife({ policy: 'keepAll' });
    const name = (await machine.files()).find((file) => file.endsWith('.log')) as string;
    const handle = await machine.fileSystem.open(`/data/partitions/0/${name}`, 'write');
    await handle.writeAt([Buffer.alloc(100, 7)], sealed?.length ?? 0);
    await handle.close();
    const error = await failureOf(() => machine.open());
    expect(error).to.have.property('code', 'corruptSegment');
  });
});
