import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine } from '../support/node-machine.ts';

async function rotten(machine: NodeMachine, settings: Readonly<Record<string, string>>): Promise<NodeClient> {
  const client = await NodeClient.open(machine, settings);
  await client.set('k', 'v'.repeat(500));
  const directory = `${machine.config().data.dir}/partitions/0`;
  const names = await machine.clock.until(machine.disk.fileSystem.list(directory));
  machine.disk.flipBit(`${directory}/${names.find((name) => name.endsWith('.log'))}`, 300, 2);
  return client;
}

describe('scrub of a node that is alone (C11)', () => {
  it('logs and counts what has rotted, and changes nothing', async () => {
    const machine = new NodeMachine();
    const { node } = await rotten(machine, { 'scrub.intervalMs': '60000' });
    await machine.clock.advance(59_000);
    expect(node.scrubStats).to.deep.equal({ rotFound: 0, rounds: 0 });
    await machine.clock.advance(2000);
    expect(node.scrubStats).to.deep.equal({ rotFound: 1, rounds: 1 });
    expect(node.partitions[0]?.isFenced).to.equal(false);
    expect(node.partitions[0]?.writeRefusal()).to.equal(null);
    await machine.clock.until(node.close());
    expect(machine.clock.timerCount).to.equal(0);
  });

  it('counts what the disk does not give, which it says', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine, {});
    await client.set('k', 'v');
    machine.disk.arm({ operation: 'read', path: '.log' });
    await machine.clock.until(client.node.scrubNow());
    expect(client.node.scrubStats.rotFound).to.equal(1);
    const line = machine.logger.events.find(({ level }) => level === 'error');
    expect(line?.fields).to.include({ fault: 'diskIo' });
    await machine.clock.until(client.node.scrubNow());
    expect(client.node.scrubStats.rotFound).to.equal(1);
  });

  it('does not run by itself when it is switched off; asked for, it does', async () => {
    const machine = new NodeMachine();
    const { node } = await rotten(machine, { 'scrub.intervalMs': '0' });
    await machine.clock.advance(100_000_000);
    expect(node.scrubStats.rounds).to.equal(0);
    await machine.clock.until(node.scrubNow());
    expect(node.scrubStats).to.deep.equal({ rotFound: 1, rounds: 1 });
  });

  it('counts also what a merge meets', async () => {
    const machine = new NodeMachine();
    const { node, partition } = await rotten(machine, {});
    const merged = partition.mergeNow().then(
      () => 'merged',
      (error: unknown) => (error instanceof CaskadeError ? error.code : 'failed'),
    );
    expect(await machine.clock.until(merged)).to.equal('corruptSegment');
    expect(node.scrubStats.rotFound).to.equal(1);
  });
});
