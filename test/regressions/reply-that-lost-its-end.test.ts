import { expect } from 'chai';
import { dataTo, Follower, ModelLog } from '../replication/follower/followed-log.ts';

/**
 * A reply lost all its batches on the way, with the next offset still in it: the follower took that for a gap left by a
 * merge, moved on, and was in sync without a committed record.
 */
describe('a data reply that lost its end on the way', () => {
  for (const length of [0, 40]) {
    it(`with ${length} of 86 bytes left is asked for again, and nothing of it is written or believed`, () => {
      const follower = new Follower(new ModelLog(10, [[3, 0]], 10));
      follower.start();
      follower.reply(
        { ...dataTo(13, 13), bytes: new Uint8Array(length), byteCount: 86 },
        { lastEpoch: length === 0 ? null : 5 },
      );
      expect(follower.all('append')).to.deep.equal([]);
      expect(follower.all('commit')).to.deep.equal([]);
      follower.step({ kind: 'timer' });
      expect(follower.fetch().fetchOffset).to.equal(10);
      follower.data(13, 13);
      expect(follower.last('append')).to.include({ fromOffset: 10, nextOffset: 13 });
    });
  }
});
