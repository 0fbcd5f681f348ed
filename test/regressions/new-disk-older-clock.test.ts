import { expect } from 'chai';
import { asNodeId } from '../../src/model/numbers.ts';
import { openWorld } from '../simulation/world/open-world.ts';
import { writtenAtLast } from '../simulation/world/world-writes.ts';

/**
 * The first life on a new disk took its number from a wall clock that was behind the one of the disk before. Everybody took it for a life that was over (KIP-380): its fetches were
 * dropped for good, and it never came back into an ISR.
 */
describe('a node with a new disk', () => {
  it('takes a machine with a new disk back although its clock says that it is older than it was', async () => {
    const world = openWorld({ seed: 14 });
    const node = world.node(asNodeId(3));
    node.machine.wall.offsetMs = 5000;
    await world.start();
    await writtenAtLast(world, 'a', 3000);
    node.machine.wall.offsetMs = -5000;
    node.restart({ wipe: true });
    await writtenAtLast(world, 'b', 3000);
    expect(await world.quiesce(20_000), world.describe()).to.equal(true);
    expect(world.defects).to.deep.equal([]);
    world.end();
  });
});
