import { expect } from 'chai';
import { ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';

const FILLER = 'x'.repeat(1500);

async function fill(replica: TestReplica, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    replica.put(key, key + FILLER);
    await replica.flush();
  }
}

async function remove(replica: TestReplica, key: string): Promise<void> {
  replica.remove(key);
  await replica.flush();
}

describe('a merge that leaves out a tombstone below the removed floor', () => {
  // A rebuild began with the value, during the merge; the floor would not tell it that the tombstone is gone.
  it('gives up if a rebuild began meanwhile, though the floor does not rise (C5)', async () => {
    const replica = await new ReplicaMachine({ segmentBytesMax: 4096 }).lead(1);
    await fill(replica, 'a');
    await remove(replica, 'a');
    await fill(replica, 'b', 'c', 'd');
    await replica.commit();
    await replica.store.raiseRemovedFloor(100);
    let isPinned = false;
    const outcome = await replica.merge(0, undefined, {
      isFloorPinned: () => isPinned,
      syncEvidence: async () => {
        isPinned = true;
      },
    });
    expect(outcome).to.equal(null);
    isPinned = false;
    const again = await replica.merge(0, undefined, { isFloorPinned: () => isPinned });
    expect(again?.recordsDropped).to.equal(2);
  });
});
