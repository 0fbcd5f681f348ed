import { expect } from 'chai';
import { InvariantError } from '../../src/model/errors.ts';
import { asLeaderEpoch, asOffset } from '../../src/model/numbers.ts';
import { MERGE_RULES } from '../../src/storage/merge-rules.ts';
import { ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';
import { failureOf } from '../support/store-fixture.ts';

const FILLER = 'f'.repeat(3000);

/** Each key a batch and nearly a segment of its own. */
async function fill(replica: TestReplica, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) await replica.write([key, key + FILLER]);
}

async function newLeader(epoch = 1): Promise<TestReplica> {
  return new ReplicaMachine({ segmentBytesMax: 4096 }).lead(epoch);
}

describe('a merge in a replicated log', () => {
  it('(d) takes no uncommitted record for evidence: after a truncation the old value is there (C2)', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    const replica = await machine.lead(1);
    await replica.write(['k', 'old']);
    await fill(replica, 'a', 'b');
    await replica.store.rollNow();
    await replica.commit(3);
    await replica.write(['k', 'new']);
    await replica.merge();
    replica.store.endEpoch();
    await replica.store.truncateTo(asOffset(3));
    expect(await replica.get('k')).to.equal('old');
    machine.nextLife();
    const reopened = await machine.open();
    await reopened.commit();
    expect(await reopened.get('k')).to.equal('old');
  });

  it('(d) with a rule that counts what is not committed the old value is lost: the rule is what holds it', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    const replica = await machine.lead(1);
    await replica.write(['k', 'old']);
    await fill(replica, 'a');
    await replica.store.rollNow();
    await replica.commit(2);
    const isLive = (): boolean => false;
    expect(String(await failureOf(() => replica.merge(0, 1, {}, { ...MERGE_RULES, isLive })))).to.contain(
      'live bytes',
    );
  });

  it('touches no segment that is not wholly committed', async () => {
    const replica = await newLeader();
    await fill(replica, 'a', 'b', 'c');
    await replica.commit(1);
    expect(replica.store.log.segments.length).to.be.greaterThan(2);
    expect(await failureOf(() => replica.merge(0, 2))).to.be.instanceOf(InvariantError);
    expect(await replica.merge(0, 1)).to.not.equal(null);
  });

  it('makes what it relies on durable, and META say that it is committed, before it replaces the manifest', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    const replica = await machine.lead(1);
    await fill(replica, 'a', 'a', 'b');
    await replica.commit();
    machine.disk.trace.clear();
    await replica.merge();
    const lines = machine.disk.trace.lines();
    const meta = lines.findIndex((line) => line.startsWith('rename') && line.includes('META'));
    const manifest = lines.findIndex((line) => line.startsWith('rename') && line.includes('MANIFEST'));
    expect(meta).to.be.greaterThan(-1);
    expect(meta).to.be.lessThan(manifest);
    machine.nextLife();
    expect(await (await machine.open()).get('a')).to.equal(`a${FILLER}`);
  });

  it('keeps a tombstone that not every replica has, and removes it later (C4b, R16)', async () => {
    const replica = await newLeader();
    await fill(replica, 'a');
    replica.remove('a');
    await replica.flush();
    await fill(replica, 'b', 'c');
    await replica.commit();
    await replica.merge(0, undefined, { tombstoneRemoveOffset: () => asOffset(1) });
    expect(replica.store.removedFloor).to.equal(-1);
    await replica.merge(0, undefined, { tombstoneRemoveOffset: () => asOffset(2) });
    expect(replica.store.removedFloor).to.equal(1);
  });

  it('keeps tombstones while a replica is built from it, also of one that began during the merge (C5)', async () => {
    const replica = await newLeader();
    await fill(replica, 'a');
    replica.remove('a');
    await replica.flush();
    await fill(replica, 'b', 'c');
    await replica.commit();
    await replica.merge(0, undefined, { isFloorPinned: () => true });
    expect(replica.store.removedFloor).to.equal(-1);
    let isPinned = false;
    const outcome = await replica.merge(0, undefined, {
      isFloorPinned: () => isPinned,
      syncEvidence: async () => {
        isPinned = true;
      },
    });
    expect(outcome).to.equal(null);
    expect(replica.store.removedFloor).to.equal(-1);
  });

  it('(i) of all records of an epoch leaves the answers about epochs as they were, here and at a follower (C8)', async () => {
    const leader = await newLeader(1);
    await fill(leader, 'a', 'b');
    for (const epoch of [3, 4]) {
      leader.store.endEpoch();
      await leader.store.beginEpoch(asLeaderEpoch(epoch));
      await fill(leader, 'x', 'y');
    }
    await leader.store.rollNow();
    leader.store.endEpoch();
    await leader.store.beginEpoch(asLeaderEpoch(6));
    await leader.commit();
    const follower = await new ReplicaMachine({ node: 2, segmentBytesMax: 4096 }).open();
    const answers = (replica: TestReplica): unknown =>
      [0, 1, 2, 3, 4, 5, 6].map((epoch) => replica.store.epochEnd(asLeaderEpoch(epoch)));
    const before = answers(leader);
    await leader.merge();
    expect(answers(leader)).to.deep.equal(before);
    expect(leader.store.lastEpoch).to.equal(4);
    await follower.follow(leader);
    expect(follower.store.epochs.entries).to.deep.equal(leader.store.epochs.entries.slice(0, 3));
    expect(follower.store.lastEpoch).to.equal(4);
  });

  it('leaves gaps that a follower passes over, whole batches and all of the end of the log', async () => {
    const leader = await newLeader();
    await fill(leader, 'a', 'b', 'a', 'b', 'c', 'a');
    leader.remove('a');
    await leader.flush();
    await leader.store.rollNow();
    await leader.commit();
    await leader.merge();
    expect(leader.store.removedFloor).to.equal(6);
    const machine = new ReplicaMachine({ node: 2, segmentBytesMax: 4096 });
    const follower = await machine.open();
    await follower.follow(leader);
    expect(follower.store.logEndOffset).to.equal(leader.store.logEndOffset);
    await follower.commit(leader.store.committedOffset);
    expect(follower.store.committedOffset).to.equal(7);
    expect([await follower.get('a'), await follower.get('b')]).to.deep.equal([null, `b${FILLER}`]);
    await follower.store.raiseRemovedFloor(leader.store.removedFloor);
    await follower.store.saveMeta();
    machine.nextLife();
    const reopened = await machine.open();
    expect(reopened.store.isWhole).to.equal(true);
    expect(reopened.store.logEndOffset).to.equal(7);
    expect(reopened.store.committedOffset).to.equal(7);
    expect(reopened.store.removedFloor).to.equal(6);
    await leader.write(['z', '1']);
    await reopened.follow(leader);
    await reopened.commit();
    expect(await reopened.get('z')).to.equal('1');
  });

  it('may not take a tombstone from under a reader that had passed the floor: the read says nothing (C5)', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    const leader = await machine.lead(1);
    await fill(leader, 'a', 'b', 'c');
    await leader.commit();
    machine.disk.slow({ readMs: 100 });
    const read = leader.store.readLog(asOffset(1), 100);
    expect(read).to.be.instanceOf(Promise);
    await leader.store.raiseRemovedFloor(1);
    await machine.clock.advance(1000);
    expect((await read).nextOffset).to.equal(1);
    machine.disk.slow({});
    expect((await leader.read(1)).nextOffset).to.equal(2);
  });

  it('is not asked for again and again where only tombstones that must stay are to be gained', async () => {
    const leader = await newLeader();
    await fill(leader, 'a');
    leader.remove('a');
    await leader.flush();
    await leader.store.rollNow();
    await leader.commit();
    await leader.merge(0, undefined, { tombstoneRemoveOffset: () => asOffset(0) });
    const [segment] = leader.store.log.segments;
    expect(segment?.deadBytes).to.equal(0);
    expect(segment?.tombstoneBytes).to.be.greaterThan(0);
  });
});

describe('reading the log for followers', () => {
  it('reads each segment once when a follower catches up in small pieces', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 1024 * 1024 });
    const leader = await machine.lead(1);
    for (let at = 0; at < 400; at += 1) await leader.write([`k${at}`, 'v'.repeat(1000)]);
    await leader.commit();
    machine.disk.trace.clear();
    let offset = 0;
    let reads = 0;
    while (offset < 400) {
      offset = (await leader.read(offset, 4096)).nextOffset;
      reads += 1;
    }
    const operations = machine.disk.trace.lines().filter((line) => line.startsWith('read')).length;
    expect(operations).to.be.at.most(reads + 2);
  });

  it('gives at least one batch, however large, and never more than is sealed', async () => {
    const leader = await newLeader();
    await fill(leader, 'a', 'b');
    await leader.commit();
    leader.put('c', '1');
    const slice = await leader.read(1, 10);
    expect(slice.nextOffset).to.equal(2);
    expect((await leader.read(2, 10)).bytes.length).to.equal(0);
    expect(() => leader.store.readLog(asOffset(3), 10)).to.throw(InvariantError);
  });

  it('hands out copies: what memory is used again for does not change them', async () => {
    const leader = await newLeader();
    await leader.write(['a', '1']);
    const slice = await leader.read(0);
    const before = Buffer.from(slice.bytes);
    await leader.commit();
    for (let at = 0; at < 20; at += 1) {
      await leader.write(['b', 'x'.repeat(500)]);
      await leader.commit();
    }
    expect(Buffer.from(slice.bytes)).to.deep.equal(before);
  });

  it('says where a batch went bad instead of sending it', async () => {
    const machine = new ReplicaMachine();
    const leader = await machine.lead(1);
    await leader.write(['a', '1'], ['b', '2']);
    await leader.commit();
    machine.disk.flipBit(leader.store.log.active.path, 96 + 60, 1);
    const error = await failureOf(() => leader.read(0));
    expect(error).to.have.property('code', 'corruptSegment');
  });
});
