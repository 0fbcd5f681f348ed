import { expect } from 'chai';
import { asOffset } from '../../src/model/numbers.ts';
import { dataTo, Follower, ModelLog } from '../replication/follower/followed-log.ts';
import { batchBytes } from '../support/batch-bytes.ts';
import { ReplicaMachine } from '../support/replica-machine.ts';
import { failureOf } from '../support/store-fixture.ts';

/** A reply arrived damaged while the one before it was being written: the follower asked again from its log's end, which that write was about to move, and then wrote what came behind the gap. */
describe('a reply that cannot be read while another is written', () => {
  it('is asked for again from where it was to begin, and nothing is written beside the one that is', () => {
    const follower = new Follower(new ModelLog(10, [[3, 0]]));
    follower.start();
    follower.data(13, 3);
    expect(follower.last('append').fromOffset).to.equal(10);
    follower.reply(dataTo(15, 3), { lastEpoch: null });
    follower.step({ kind: 'timer' });
    expect(follower.fetch().fetchOffset).to.equal(13);
    follower.data(17, 3);
    expect(follower.all('append'), 'one at a time').to.have.length(1);
    follower.log.end = 13;
    follower.step({ kind: 'written' });
    expect(follower.last('append')).to.include({ fromOffset: 13, nextOffset: 17 });
  });

  it('storage refuses what does not begin where its log ends', async () => {
    const follower = await new ReplicaMachine({ node: 2 }).open();
    const batchAt = (base: number): Buffer => batchBytes([{ key: 'k', value: 'v' }], base, 1);
    await follower.store.appendFetched(batchAt(0), asOffset(1), { fromOffset: asOffset(0) });
    const error = await failureOf(() =>
      follower.store.appendFetched(batchAt(2), asOffset(3), { fromOffset: asOffset(2) }),
    );
    expect(String(error)).to.contain('begins at offset 2, and the log ends at 1');
    expect(follower.store.logEndOffset).to.equal(1);
    await follower.store.appendFetched(batchAt(2), asOffset(3), { fromOffset: asOffset(1) });
    expect(follower.store.logEndOffset, 'a gap that a merge left').to.equal(3);
  });
});
