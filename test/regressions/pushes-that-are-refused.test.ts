import { expect } from 'chai';
import { openWorld } from '../simulation/world/open-world.ts';
import { P0, writtenAtLast } from '../simulation/world/world-writes.ts';

/**
 * The controller told a dead process everything anew when a connection was refused; that was refused as well, which made it tell everything anew: several thousand
 * messages a second until the session of the dead process ended.
 */
describe('a controller whose messages are refused', () => {
  it('sends them again at the pace of its retries, not at that of the refusals', async () => {
    const world = openWorld({ seed: 21, lossShare: 0, doubledShare: 0, reorderedShare: 0 });
    await world.start();
    expect(await writtenAtLast(world, 'a', 5000)).to.equal(true);
    const victim = world.nodes.find(({ id }) => id !== world.controller && id !== world.leader(P0));
    victim?.kill('keepAll');
    const sentBefore = world.network.sentCount;
    await world.run(1000);
    expect(world.network.sentCount - sentBefore).to.be.lessThan(500);
    world.end();
  });
});
