import { expect } from 'chai';
import { asIncarnation } from '../../../src/model/numbers.ts';
import { LeaderMachine, POLL_MS } from './leader-machine.ts';

/** A replica hears of a new high watermark after so long, if no batch takes it along. */
const TELL_MS = 20;

async function led(): Promise<LeaderMachine> {
  const leader = await LeaderMachine.open();
  await leader.clock.settle();
  return leader;
}

/** Fetches until it is parked: the first one is answered at once, with the high watermark. */
function park(leader: LeaderMachine, id: number): void {
  leader.follower(id).fetch();
  leader.follower(id).fetch();
}

/** The next polls end after the whole poll time, or a little less. */
async function untilPollsEnd({ clock }: LeaderMachine): Promise<void> {
  await clock.advance(POLL_MS - (clock.monotonicMs() % POLL_MS));
}

describe('a parked fetch', () => {
  it('is answered when polls end, with nothing', async () => {
    const leader = await led();
    await untilPollsEnd(leader);
    park(leader, 2);
    const { replies } = leader.follower(2);
    const before = replies.length;
    await leader.clock.advance(POLL_MS - 2);
    expect(replies.length).to.equal(before);
    await leader.clock.advance(2);
    expect(replies.length).to.equal(before + 1);
    expect(leader.follower(2).lastOutcome).to.include({ result: 'data', nextOffset: 0, highWatermark: 0 });
  });

  it('is answered as soon as a batch is sealed, before it is on the leader’s disk', async () => {
    const leader = await led();
    leader.machine.disk.slow({ syncMs: 100 });
    park(leader, 2);
    leader.put('k');
    await leader.clock.advance(10);
    expect(leader.store.durableOffset).to.equal(0);
    expect(leader.follower(2).lastOutcome).to.include({ result: 'data', nextOffset: 1 });
  });

  it('is answered before this node writes, for the frame has the longer way', async () => {
    const leader = await led();
    park(leader, 2);
    const { active } = leader.store.log;
    const before = active.length;
    leader.put('k');
    const isSent = (): boolean => {
      const { lastOutcome } = leader.follower(2);
      return lastOutcome.result === 'data' && lastOutcome.nextOffset === 1;
    };
    for (let turns = 0; turns < 5 && !isSent(); turns += 1) await leader.clock.runTurn();
    expect(isSent()).to.equal(true);
    expect(active.length).to.equal(before);
    await leader.clock.settle();
    expect(active.length).to.be.above(before);
    expect(leader.store.durableOffset).to.equal(1);
  });

  it('is answered soon after the high watermark has moved (KAFKA-8443)', async () => {
    const leader = await led();
    for (const id of [2, 3]) park(leader, id);
    leader.put('k');
    await leader.clock.settle();
    leader.follower(2).sync();
    const { replies } = leader.follower(2);
    const before = replies.length;
    leader.follower(3).sync();
    expect(replies.length, 'the next batch may take it along').to.equal(before);
    await leader.clock.advance(TELL_MS - 1);
    expect(replies.length).to.equal(before);
    await leader.clock.advance(1);
    expect(replies.length).to.equal(before + 1);
    expect(leader.follower(2).lastOutcome).to.include({ highWatermark: 1, nextOffset: 1 });
    leader.follower(2).sync();
    await leader.clock.advance(TELL_MS);
    expect(replies.length, 'told once: the next is parked').to.equal(before + 1);
  });

  it('gets no answer without data while batches take every high watermark along in time', async () => {
    const leader = await led();
    await untilPollsEnd(leader);
    for (const id of [2, 3]) park(leader, id);
    const { replies } = leader.follower(2);
    const before = replies.length;
    // In the time of one poll.
    for (let round = 1; round <= 9; round += 1) {
      leader.put('k');
      await leader.clock.settle();
      for (const id of [2, 3]) leader.follower(id).sync();
      await leader.clock.advance(TELL_MS - 5);
      expect(replies.length).to.equal(before + round);
    }
  });

  it('is answered when the partition’s version has changed (R17)', async () => {
    const leader = await led();
    park(leader, 2);
    const before = leader.follower(2).replies.length;
    leader.apply({});
    expect(leader.follower(2).replies.length).to.equal(before + 1);
    expect(leader.follower(2).lastOutcome).to.include({ partitionVersion: 1 });
  });

  it('gives way to a newer one of its replica; an older one, or its double, is ignored', async () => {
    const leader = await led();
    park(leader, 2);
    leader.follower(2).fetch();
    const before = leader.follower(2).replies.length;
    leader.follower(2).fetch({ fetchId: 1 });
    leader.put('k');
    await leader.clock.settle();
    expect(leader.follower(2).replies.length).to.equal(before + 1);
    expect(leader.follower(2).replies.at(-1)?.fetchId).to.equal(3);
    await leader.clock.advance(2 * POLL_MS);
    expect(leader.follower(2).replies.length).to.equal(before + 1);
  });

  it('of a life that is over is answered with a refusal, and moves nothing (KAFKA-14139)', async () => {
    const leader = await led();
    leader.follower(2).fetch({ fromIncarnation: asIncarnation(1) });
    expect(leader.follower(2).lastOutcome).to.deep.equal({ result: 'fenced' });
  });

  it('is not displaced by a late fetch of a life that is over', async () => {
    const leader = await led();
    park(leader, 2);
    leader.follower(2).fetch({ fromIncarnation: asIncarnation(1), fetchId: 99 });
    const before = leader.follower(2).replies.length;
    leader.put('k');
    await leader.clock.settle();
    expect(leader.follower(2).replies.length).to.equal(before + 1);
    expect(leader.follower(2).lastOutcome).to.include({ result: 'data', nextOffset: 1 });
  });
});

describe('a fetch that cannot be read at once', () => {
  it('is read from the files and answered then; the reply carries the high watermark of that moment', async () => {
    const leader = await led();
    for (let round = 0; round < 5; round += 1) {
      leader.put(`k${round}`, undefined, 'n'.repeat(9000));
      await leader.clock.settle();
    }
    for (let round = 0; round < 3; round += 1) {
      for (const id of [2, 3]) leader.follower(id).sync();
      await leader.clock.advance(10);
    }
    expect(leader.partition.highWatermark).to.equal(5);
    const late = leader.follower(3);
    late.logEnd = 0;
    late.fetch({ lastFetchedEpoch: 0 as never, bytesMax: 1 });
    await leader.clock.settle();
    expect(late.lastOutcome).to.include({ result: 'data', nextOffset: 1, highWatermark: 5 });
  });
});

describe('what a reply says of its own age', () => {
  it('is current under a lease, and when all that was inherited is committed here: not while it is read from the disk (KIP-392)', async () => {
    const leader = await LeaderMachine.open({ inherited: ['a', 'b'] });
    leader.machine.disk.slow({ readMs: 100 });
    for (const id of [2, 3]) leader.follower(id).holds(2).fetch();
    leader.echoAll(2, 3);
    leader.follower(2).fetch();
    leader.apply({});
    expect(leader.partition.highWatermark).to.equal(0);
    expect(leader.follower(2).lastOutcome).to.include({ highWatermark: 0, isCurrent: false });
    leader.follower(2).fetch();
    await leader.clock.advance(300);
    expect(leader.follower(2).lastOutcome).to.include({ highWatermark: 2, isCurrent: true });
    await leader.clock.advance(600);
    park(leader, 2);
    await leader.clock.advance(POLL_MS + 1);
    expect(leader.follower(2).lastOutcome).to.include({ highWatermark: 2, isCurrent: false });
  });
});
