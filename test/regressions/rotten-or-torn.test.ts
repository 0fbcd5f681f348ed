import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { batchesOf, type PlacedBatch } from '../support/durability-order.ts';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine, PARTITION_DIRECTORY } from '../support/node-machine.ts';

const SECTOR_BYTES = 512;
const ROOMY = { 'storage.segmentBytesMax': '65536' };

async function lastBatch(machine: NodeMachine): Promise<PlacedBatch> {
  return (await batchesOf(machine.fileSystem, PARTITION_DIRECTORY)).at(-1) as PlacedBatch;
}

async function codeOfStart(machine: NodeMachine): Promise<string> {
  try {
    await machine.open();
    return 'started';
  } catch (error) {
    if (error instanceof CaskadeError) return error.code;
    throw error;
  } finally {
    machine.nextProcess();
  }
}

describe('rotten or torn (R19)', () => {
  /** The sectors of zeros in the value were taken for sectors that the crash had kept from being written. */
  it('one flipped bit in a batch whose value is zeros is rot: the write was acknowledged, and was dropped without a word', async () => {
    const machine = new NodeMachine({ settings: ROOMY });
    const client = await NodeClient.open(machine);
    await client.set('before', 'value');
    await client.set('zeros', '\0'.repeat(3000));
    machine.nextLife({ policy: 'loseAll' });
    const { path, position, length } = await lastBatch(machine);
    for (let at = 0; at < length; at += at < 120 ? 1 : 41) {
      machine.disk.flipBit(path, position + at, at % 8);
      expect(await codeOfStart(machine), `byte ${at}`).to.equal('tornTailRefused');
      machine.disk.flipBit(path, position + at, at % 8);
    }
    expect(await (await NodeClient.open(machine)).value('zeros')).to.equal('\0'.repeat(3000));
  });

  /** The batch in the value was taken for a later one, which made the torn one corrupt. */
  it('a torn batch whose value holds a batch of an older log is torn', async () => {
    const machine = new NodeMachine({ settings: ROOMY });
    const client = await NodeClient.open(machine);
    await client.set('before', 'value');
    const first = await lastBatch(machine);
    const image = Buffer.alloc(first.length);
    const handle = await machine.fileSystem.open(first.path, 'write');
    await handle.readAt(image, first.position);
    await client.set(
      'backup',
      `${'a'.repeat(700)}${image.toString('latin1')}${'z'.repeat(2 * SECTOR_BYTES)}`,
    );
    const { path, position, length } = await lastBatch(machine);
    machine.nextLife({ policy: 'loseAll' });
    // The sector that the batch ends in was not written.
    const cut = Math.floor((position + length - 1) / SECTOR_BYTES) * SECTOR_BYTES;
    const torn = await machine.fileSystem.open(path, 'write');
    await torn.writeAt([Buffer.alloc(position + length - cut)], cut);
    await torn.sync();
    const node = await machine.open();
    expect(node.reports[0]?.verdict).to.equal('torn');
    const restarted = new NodeClient(machine, node);
    expect(await restarted.value('before')).to.equal('value');
    expect(await restarted.value('backup')).to.equal(null);
  });
});
