import { expect } from 'chai';
import { EntryView, ReadOutcome } from '../../../src/replication/leader-partition.ts';
import { DATABASE, keyOf } from '../../support/store-fixture.ts';
import { LeaderMachine, Outcomes, TIMEOUT_MS } from './leader-machine.ts';

/** The role forgets a request that is not repeated within so long. */
const ASKED_MS = 500;

/** Both followers are up to date; everybody has echoed. */
async function led(options: Parameters<typeof LeaderMachine.open>[0] = {}): Promise<LeaderMachine> {
  const leader = await LeaderMachine.open(options);
  for (const id of [2, 3]) {
    leader.follower(id).holds(leader.store.logEndOffset).fetch();
    leader.follower(id).fetch();
  }
  leader.echoAll(2, 3);
  await leader.clock.settle();
  return leader;
}

async function commit(leader: LeaderMachine): Promise<void> {
  await leader.clock.settle();
  for (const id of [2, 3]) leader.follower(id).sync();
  await leader.clock.settle();
}

const releases = (leader: LeaderMachine): number[] =>
  leader.sent.filter(({ message }) => message.kind === 'leaderReleased').map(({ to }) => to);

/** How many of those that wait for the end of the pause have been woken. */
function waiting(leader: LeaderMachine): { woken: number } {
  const count = { woken: 0 };
  void leader.partition.congestion?.then(() => {
    count.woken += 1;
  });
  return count;
}

describe('a leader that is asked to hand over (L9)', () => {
  it('holds writers, refuses nobody, and commits what it has begun', async () => {
    const leader = await led();
    const writer = new Outcomes();
    leader.put('k', writer);
    leader.role.handOver();
    expect(leader.partition.congestion).to.not.equal(null);
    expect(leader.partition.writeRefusal()).to.equal(null);
    await leader.clock.settle();
    expect(leader.peek('k'), 'reads go on').to.equal(null);
    expect(leader.confirm()).to.equal('ready');
    expect([leader.ends, releases(leader), writer.all]).to.deep.equal([[], [], ['']]);
    await commit(leader);
    expect(writer.all).to.deep.equal(['done']);
    expect(releases(leader)).to.deep.equal([2, 3]);
    expect(leader.ends).to.deep.equal([1]);
  });

  it('answers nothing any more once it has released, whatever is asked of it', async () => {
    const leader = await led();
    leader.put('k');
    await commit(leader);
    leader.role.handOver();
    expect(leader.ends).to.deep.equal([1]);
    expect([leader.role.canAct, leader.role.leaseSet]).to.deep.equal([false, []]);
    expect(leader.peek('k')).to.equal(undefined);
    expect(leader.confirm()).to.equal('suspended');
    const answered = leader.sent.filter(({ message }) => message.kind === 'fetchReply').length;
    const { proposals, versionChecks } = leader;
    const asked = [proposals.length, versionChecks.length];
    leader.echoAll(2, 3);
    leader.follower(2).fetch();
    leader.role.peerRefused(leader.state.replicas[2]!);
    leader.role.actInstantChanged();
    leader.apply({});
    await leader.clock.advance(TIMEOUT_MS / 2);
    expect(leader.peek('k')).to.equal(undefined);
    expect(leader.confirm()).to.equal('suspended');
    expect([proposals.length, versionChecks.length]).to.deep.equal(asked);
    expect(leader.sent.filter(({ message }) => message.kind === 'fetchReply').length).to.equal(answered);
  });

  it('says so again until its epoch ends, to everybody', async () => {
    const leader = await led();
    leader.role.handOver();
    await leader.clock.advance(1_000);
    expect(leader.ends.length).to.be.within(4, 7);
    const told = leader.ends.length;
    leader.role.handOver();
    expect(leader.ends.length, 'at once, when asked').to.equal(told + 1);
    expect(releases(leader).length).to.equal(2 * leader.ends.length);
    await leader.role.stop();
    const last = leader.ends.length;
    await leader.clock.advance(2_000);
    expect(leader.ends.length).to.equal(last);
  });

  it('lets writers go with the end of its epoch: they hear that another leads', async () => {
    const leader = await led();
    leader.role.handOver();
    const held = waiting(leader);
    await leader.clock.advance(300);
    expect(held.woken).to.equal(0);
    await leader.role.stop();
    expect(held.woken).to.equal(1);
    expect(leader.partition.congestion).to.equal(null);
    expect(leader.partition.writeRefusal()?.code).to.equal('notLeader');
  });

  it('leads on if it was not asked again before it could come to an end', async () => {
    const leader = await led();
    const writer = new Outcomes();
    leader.put('k', writer);
    leader.role.handOver();
    const held = waiting(leader);
    await leader.clock.advance(ASKED_MS - 100);
    leader.role.handOver();
    await leader.clock.advance(ASKED_MS - 100);
    expect(held.woken).to.equal(0);
    await leader.clock.advance(200);
    expect(held.woken).to.equal(1);
    expect(leader.partition.congestion).to.equal(null);
    leader.put('l', writer);
    await commit(leader);
    await commit(leader);
    expect(writer.all).to.deep.equal(['done', 'done']);
    expect([leader.ends, releases(leader)]).to.deep.equal([[], []]);
    leader.role.handOver();
    expect(leader.ends, 'and is through the next time').to.deep.equal([2]);
  });

  it('R20: releases nothing before it may act', async () => {
    const leader = await led({ mayActAfterMs: 300 });
    leader.role.handOver();
    await leader.clock.advance(200);
    leader.role.handOver();
    expect(releases(leader)).to.deep.equal([]);
    await leader.clock.advance(150);
    expect(releases(leader)).to.deep.equal([2, 3]);
  });

  it('commits first what it inherited', async () => {
    const leader = await LeaderMachine.open({ inherited: ['a', 'b'] });
    leader.role.handOver();
    await leader.clock.settle();
    expect(leader.ends).to.deep.equal([]);
    for (const id of [2, 3]) leader.follower(id).holds(2).fetch();
    await leader.clock.settle();
    expect(leader.ends).to.deep.equal([2]);
  });

  it('expires nothing meanwhile: who reads a due key waits', async () => {
    const leader = await led();
    leader.put('due', undefined, 'v', leader.clock.wallMs() + 100);
    await commit(leader);
    leader.put('other');
    await leader.clock.settle();
    leader.role.handOver();
    await leader.clock.advance(200);
    const end = leader.store.logEndOffset;
    expect(leader.peek('due')).to.equal(undefined);
    const { partition, store } = leader;
    expect(partition.readAppended(DATABASE, keyOf('due', store), new EntryView(), true)).to.equal(
      ReadOutcome.suspended,
    );
    expect(leader.store.logEndOffset).to.equal(end);
  });

  it('refuses those it held, safe to retry, when nobody takes over for so long as a write may take', async () => {
    const leader = await led();
    leader.put('k');
    await commit(leader);
    leader.role.handOver();
    const held = waiting(leader);
    leader.peek('k');
    await leader.clock.advance(TIMEOUT_MS - 500);
    expect(held.woken).to.equal(0);
    await leader.clock.advance(1_000);
    expect(held.woken).to.equal(1);
    expect(leader.partition.writeRefusal()?.code).to.equal('tryAgain');
    expect(leader.peek('k')).to.equal('tryAgain');
    await leader.role.stop();
    expect(leader.partition.writeRefusal()?.code).to.equal('notLeader');
  });

  it('has nothing to wait for when its disk has failed', async () => {
    const leader = await led();
    leader.machine.disk.arm({ operation: 'sync', path: '.log', errno: 'EIO', times: 1 });
    const writer = new Outcomes();
    leader.put('k', writer);
    await leader.clock.settle();
    expect(leader.troubles).to.deep.equal(['disk']);
    leader.role.handOver();
    expect(leader.ends.length).to.equal(1);
    expect(writer.all).to.deep.equal(['inDoubt']);
  });
});
