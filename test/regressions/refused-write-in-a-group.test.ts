import { expect } from 'chai';
import { WriteGroup } from '../../src/replication/follower/write-group.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

describe('a write of a follower that is refused before it begins', () => {
  it('ends nothing but itself: nobody finds its failure unhandled before the turn is over', async () => {
    const clock = new SimulatedClock();
    const group = new WriteGroup(clock);
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', note);
    try {
      const outcome = group
        .run(async () => {
          throw new Error('bad bytes');
        })
        .catch((error: Error) => error.message);
      // The turn of the group does not end before the process has looked for failures that nobody handles.
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).to.deep.equal([]);
      await clock.settle();
      expect(await outcome).to.equal('bad bytes');
    } finally {
      process.off('unhandledRejection', note);
      for (const listener of others) process.on('unhandledRejection', listener);
    }
  });
});
