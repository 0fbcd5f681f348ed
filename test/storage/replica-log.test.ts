import { expect } from 'chai';
import { CaskadeError, InvariantError } from '../../src/model/errors.ts';
import { asLeaderEpoch, asOffset } from '../../src/model/numbers.ts';
import { ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';
import { expectCode, failureOf } from '../support/store-fixture.ts';

async function pair(segmentBytesMax?: number): Promise<{ leader: TestReplica; follower: TestReplica }> {
  const size = segmentBytesMax === undefined ? {} : { segmentBytesMax };
  return {
    leader: await new ReplicaMachine({ node: 1, ...size }).lead(1),
    follower: await new ReplicaMachine({ node: 2, ...size }).open(),
  };
}

describe('the log of a follower', () => {
  it('holds the same bytes, and shows them when they are committed', async () => {
    const { leader, follower } = await pair();
    await leader.write(['a', '1'], ['b', '2']);
    await follower.follow(leader);
    expect(await follower.get('a')).to.equal(null);
    expect(follower.store.commitTo(asOffset(1))).to.equal(null);
    expect(await follower.get('a')).to.equal('1');
    expect(await follower.get('b')).to.equal(null);
    expect(follower.store.committedOffset).to.equal(1);
    expect(follower.store.durableOffset).to.equal(2);
    expect(follower.store.lastEpoch).to.equal(1);
    expect(follower.store.epochs.entries).to.deep.equal(leader.store.epochs.entries);
  });

  it('keeps keys in the same place of the hash order as its leader does', async () => {
    const { leader, follower } = await pair();
    const key = Buffer.from('anything');
    expect(follower.store.hash(key, 0, key.length)).to.equal(leader.store.hash(key, 0, key.length));
  });

  it('a sealed batch is there to be fetched before its own sync ends, an open one never', async () => {
    const { leader } = await pair();
    leader.put('a', '1');
    expect(leader.store.sealedOffset).to.equal(0);
    let seen = -1;
    await leader.store.flushOne(() => {
      seen = leader.store.sealedOffset;
      expect(leader.store.durableOffset).to.equal(0);
      const slice = leader.store.readLog(asOffset(0), 100);
      if (slice instanceof Promise) throw new Error('it had to be in memory');
      expect(slice.nextOffset).to.equal(1);
      return null;
    });
    expect(seen).to.equal(1);
    leader.put('b', '2');
    expect((await leader.read(1)).bytes.length).to.equal(0);
  });

  it('nothing of fetched bytes is written if any of their bits is wrong', async () => {
    const { leader, follower } = await pair();
    await leader.write(['a', '1'], ['b', '2']);
    const { bytes, nextOffset } = await leader.read(0);
    for (let at = 0; at < bytes.length; at += 1) {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] as number) ^ (1 << (at % 8));
      const error = await failureOf(() => follower.store.appendFetched(bad, nextOffset));
      expect(error, `byte ${at}`).to.be.instanceOf(CaskadeError);
      expect(follower.store.logEndOffset).to.equal(0);
    }
    expect(follower.store.log.active.batchCount).to.equal(0);
    await follower.store.appendFetched(bytes, nextOffset);
    expect(follower.store.logEndOffset).to.equal(2);
  });

  it('takes no batch twice, none of an older epoch, none beyond what was announced, and none cut short (I4)', async () => {
    const { leader, follower } = await pair();
    await leader.write(['a', '1'], ['b', '2']);
    const { bytes, nextOffset } = await leader.read(0);
    const refused = (part: Uint8Array, end: number): Promise<unknown> =>
      expectCode(() => follower.store.appendFetched(part, asOffset(end)), 'corruptSegment');
    await refused(bytes, 1);
    await refused(bytes.subarray(0, bytes.length - 1), 2);
    await follower.store.appendFetched(bytes, nextOffset);
    await refused(bytes, 2);
    const old = await new ReplicaMachine({ node: 3 }).lead(1);
    await old.write(['w', '1'], ['x', '1'], ['y', '2'], ['z', '3']);
    await follower.store.beginEpoch(asLeaderEpoch(5));
    await follower.write(['c', '3']);
    follower.store.endEpoch();
    const late = await old.read(3);
    await refused(late.bytes, 4);
  });

  it('refuses fetched batches and truncation while it leads', async () => {
    const { leader } = await pair();
    await leader.write(['a', '1']);
    const { bytes } = await leader.read(0);
    expect(await failureOf(() => leader.store.appendFetched(bytes, asOffset(1)))).to.be.instanceOf(
      InvariantError,
    );
    expect(await failureOf(() => leader.store.truncateTo(asOffset(0)))).to.be.instanceOf(InvariantError);
  });

  it('rolls segments as its leader does', async () => {
    const { leader, follower } = await pair(4096);
    for (let at = 0; at < 20; at += 1) await leader.write([`k${at}`, 'v'.repeat(1000)]);
    await leader.commit();
    await follower.follow(leader);
    await follower.commit();
    expect(follower.store.log.segments.length).to.equal(leader.store.log.segments.length);
    for (let at = 0; at < 20; at += 1) expect(await follower.get(`k${at}`)).to.equal('v'.repeat(1000));
  });

  it('puts its syncs off in a rebuild, and catches up with them at the end', async () => {
    const { leader, follower } = await pair();
    await leader.write(['a', '1'], ['b', '2']);
    const { bytes, nextOffset } = await leader.read(0);
    await follower.store.appendFetched(bytes, nextOffset, { deferSync: true });
    expect(follower.store.durableOffset).to.equal(0);
    expect(follower.store.logEndOffset).to.equal(2);
    await follower.commit(2);
    await follower.store.saveMeta();
    expect(follower.store.meta.highWatermark).to.equal(0);
    await follower.store.syncNow();
    expect(follower.store.durableOffset).to.equal(2);
  });

  it('a failed sync is final: nothing is appended after it (KAFKA-10778)', async () => {
    const machine = new ReplicaMachine({ node: 2 });
    const follower = await machine.open();
    const leader = await new ReplicaMachine().lead(1);
    await leader.write(['a', '1']);
    const { bytes } = await leader.read(0);
    machine.disk.arm({ operation: 'sync', path: '.log' });
    const first = await failureOf(() => follower.store.appendFetched(bytes, asOffset(1)));
    expect(first).to.have.property('stage', 'write');
    expect(follower.store.logEndOffset).to.equal(0);
    const second = await failureOf(() => follower.store.appendFetched(bytes, asOffset(1)));
    expect(second).to.have.property('stage', 'reserve');
    expect(follower.store.durableOffset).to.equal(0);
  });
});

describe('the end of a leader epoch (R22)', () => {
  it('forgets what is not sealed, and keeps what is', async () => {
    const { leader } = await pair();
    await leader.write(['a', '1']);
    leader.put('a', '2');
    expect(leader.store.logEndOffset).to.equal(2);
    expect(leader.store.endEpoch()).to.equal(1);
    expect(leader.store.logEndOffset).to.equal(1);
    expect(leader.store.hasUnflushed).to.equal(false);
    await leader.commit(1);
    expect(await leader.get('a')).to.equal('1');
  });

  it('while a flush is making room: the batch is never written', async () => {
    const { leader } = await pair();
    leader.put('a', '1');
    const flush = leader.store.flushOne();
    expect(leader.store.endEpoch()).to.equal(0);
    await flush;
    expect(leader.store.sealedOffset).to.equal(0);
    expect(leader.store.log.active.batchCount).to.equal(0);
  });

  it('while a sealed batch is being written: it stays, and is committed by its bytes', async () => {
    const { leader } = await pair();
    leader.put('a', '1');
    let from = -1;
    await leader.store.flushOne(() => {
      from = leader.store.endEpoch();
      return null;
    });
    expect(from).to.equal(1);
    expect(leader.store.durableOffset).to.equal(1);
    await leader.commit(1);
    expect(await leader.get('a')).to.equal('1');
  });

  it('an inherited tail is committed without the overlay, what follows with it', async () => {
    const machine = new ReplicaMachine();
    const first = await machine.lead(1);
    await first.write(['a', '1'], ['b', '2']);
    machine.nextLife();
    const second = await machine.lead(2);
    expect(second.store.committedOffset).to.equal(0);
    expect(second.store.logEndOffset).to.equal(2);
    second.put('a', '3');
    second.put('c', '4');
    await second.flush();
    await second.commit(2);
    expect([await second.get('a'), await second.get('b'), await second.get('c')]).to.deep.equal([
      '1',
      '2',
      null,
    ]);
    await second.commit(4);
    expect([await second.get('a'), await second.get('b'), await second.get('c')]).to.deep.equal([
      '3',
      '2',
      '4',
    ]);
  });

  it('appends are refused without an epoch', async () => {
    const { follower } = await pair();
    expect(() => follower.put('a', '1')).to.throw(InvariantError);
  });
});

describe('the epoch cache of a follower', () => {
  it('a new epoch is durable before its first batch', async () => {
    const leader = await new ReplicaMachine().lead(7);
    await leader.write(['a', '1']);
    const { bytes } = await leader.read(0);
    const machine = new ReplicaMachine({ node: 2 });
    const follower = await machine.open();
    machine.disk.trace.clear();
    await follower.store.appendFetched(bytes, asOffset(1));
    const writes = machine.disk.trace.lines();
    const epochs = writes.findIndex((line) => line.includes('EPOCHS') && line.startsWith('rename'));
    const batch = writes.findLastIndex((line) => line.includes('.log') && line.startsWith('write'));
    expect(epochs).to.be.greaterThan(-1);
    expect(epochs).to.be.lessThan(batch);
  });

  it('is trimmed by a truncation also where the log ends already (KAFKA-10706)', async () => {
    const { follower } = await pair();
    await follower.store.beginEpoch(asLeaderEpoch(3));
    follower.store.endEpoch();
    expect(follower.store.latestEpoch).to.equal(3);
    await follower.store.truncateTo(asOffset(0));
    expect(follower.store.latestEpoch).to.equal(0);
  });

  it('forgets an epoch of its own that came to nothing when the older one goes on', async () => {
    const { leader, follower } = await pair();
    await leader.write(['a', '1']);
    await follower.follow(leader);
    await follower.store.beginEpoch(asLeaderEpoch(2));
    follower.store.endEpoch();
    await leader.write(['b', '2']);
    await follower.follow(leader);
    expect(follower.store.epochs.entries).to.deep.equal(leader.store.epochs.entries);
    expect(follower.store.lastEpoch).to.equal(1);
  });
});
