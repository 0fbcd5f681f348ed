import { expect } from 'chai';
import { Follower, ModelLog } from '../replication/follower/followed-log.ts';

/** Longer than a leader may park a fetch and the pause before another attempt. */
const SLOW_MS = 1_000;

/**
 * Only the reply to the newest fetch is heard, and a fetch without a reply was sent again after a fixed time: over a link on which every reply took longer, none
 * was ever heard, and the follower never had anything.
 */
describe('replies that always take longer than a poll', () => {
  it('are heard: a follower waits longer after some that were overdue, and as usual again after one that came', () => {
    const follower = new Follower(new ModelLog(0));
    follower.start();
    const usualMs = follower.last('setTimer').delayMs;
    let attempts = 1;
    while (follower.last('setTimer').delayMs < SLOW_MS && attempts < 20) {
      follower.step({ kind: 'timer' });
      attempts += 1;
    }
    expect(follower.last('setTimer').delayMs).to.be.at.least(SLOW_MS);
    expect(attempts).to.be.lessThan(10);
    follower.data(10, 0);
    follower.written();
    expect(follower.last('setTimer').delayMs).to.equal(usualMs);
  });
});
