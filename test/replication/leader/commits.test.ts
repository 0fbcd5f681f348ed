import { expect } from 'chai';
import { asOffset } from '../../../src/model/numbers.ts';
import { LAG_MS, LeaderMachine, Outcomes, POLL_MS, TIMEOUT_MS, viewFor } from './leader-machine.ts';

/** Both followers have fetched in this epoch, hold the leader's log, and are parked. */
async function led(options: Parameters<typeof LeaderMachine.open>[0] = {}): Promise<LeaderMachine> {
  const leader = await LeaderMachine.open(options);
  for (const id of [2, 3]) {
    if (!leader.state.replicas.includes(id as never)) continue;
    leader.follower(id).holds(leader.store.logEndOffset).fetch();
    leader.follower(id).fetch();
  }
  await leader.clock.settle();
  return leader;
}

describe('a write', () => {
  it('is done when every member of the ISR has it on disk, and not before (I5, I6)', async () => {
    const leader = await led();
    const writer = new Outcomes();
    leader.put('k', writer);
    await leader.clock.settle();
    expect(leader.store.durableOffset, 'on its own disk').to.equal(1);
    expect([leader.follower(2).logEnd, leader.follower(3).logEnd], 'sent to both').to.deep.equal([1, 1]);
    expect(writer.all).to.deep.equal(['']);
    leader.follower(2).sync();
    expect(writer.all).to.deep.equal(['']);
    leader.follower(3).sync();
    expect(writer.all).to.deep.equal(['done']);
    expect(leader.peek('k')).to.equal('v');
  });

  it('waits for the own disk too, which is no faster than the followers must be', async () => {
    const leader = await led();
    leader.machine.disk.slow({ syncMs: 50 });
    const writer = new Outcomes();
    leader.put('k', writer);
    await leader.clock.advance(10);
    for (const id of [2, 3]) leader.follower(id).sync();
    expect(leader.follower(2).logEnd, 'sealed batches go out while the own sync runs').to.equal(1);
    expect(writer.all).to.deep.equal(['']);
    await leader.clock.advance(50);
    expect(writer.all).to.deep.equal(['done']);
  });

  it('with acks of the leader alone is done when it is on the own disk (L10)', async () => {
    const leader = await led();
    leader.machine.disk.slow({ syncMs: 50 });
    const offset = leader.put('k');
    let isFlushed = false;
    void leader.partition.whenFlushed(offset).then(() => {
      isFlushed = true;
    });
    await leader.clock.advance(40);
    expect(isFlushed).to.equal(false);
    await leader.clock.advance(20);
    expect(isFlushed).to.equal(true);
    expect(leader.partition.durableOffset).to.be.greaterThan(offset);
    expect(leader.partition.highWatermark).to.equal(0);
  });

  it('that comes while a batch is on its way to the followers shares the next one with all others', async () => {
    const leader = await led();
    const { flushes } = leader.partition.stats();
    const writer = new Outcomes();
    leader.put('a', writer);
    await leader.clock.settle();
    for (const key of ['b', 'c', 'd']) {
      leader.put(key, writer);
      await leader.clock.settle();
    }
    expect(leader.store.sealedOffset).to.equal(1);
    for (const id of [2, 3]) leader.follower(id).sync();
    await leader.clock.settle();
    expect(writer.all).to.deep.equal(['done', '', '', '']);
    expect([leader.follower(2).logEnd, leader.follower(3).logEnd]).to.deep.equal([4, 4]);
    for (const id of [2, 3]) leader.follower(id).sync();
    expect(writer.all).to.deep.equal(['done', 'done', 'done', 'done']);
    expect(leader.partition.stats().flushes).to.equal(flushes + 2);
  });

  it('is held for the next batch no longer when much has come together', async () => {
    const leader = await led();
    leader.put('a');
    await leader.clock.settle();
    leader.put('b', undefined, 'v'.repeat(300_000));
    await leader.clock.settle();
    expect(leader.store.durableOffset).to.equal(2);
  });

  it('with acks of the leader alone does not wait for a batch that is on its way to the followers (L10)', async () => {
    const leader = await led();
    leader.put('a');
    await leader.clock.settle();
    const offset = leader.put('b');
    let isFlushed = false;
    void leader.partition.whenFlushed(offset).then(() => {
      isFlushed = true;
    });
    await leader.clock.settle();
    expect(isFlushed).to.equal(true);
    expect(leader.partition.highWatermark).to.equal(0);
  });

  it('goes on without a follower that fell silent, once the controller has taken it out', async () => {
    const leader = await led();
    const writer = new Outcomes();
    leader.put('k', writer);
    await leader.clock.settle();
    leader.follower(2).isEager = true;
    leader.follower(2).sync();
    await leader.clock.advance(LAG_MS + POLL_MS);
    expect(leader.proposals.at(-1)?.isr.map(({ node }) => node)).to.deep.equal([1, 2]);
    expect(writer.all, 'a shrink counts when it is committed').to.deep.equal(['']);
    leader.answer();
    expect(writer.all).to.deep.equal(['']);
    leader.follower(2).sync();
    expect(writer.all, 'and when the others acknowledge under it (R17)').to.deep.equal(['done']);
  });

  it('is in doubt when nothing is committed by the deadline, and later ones are refused until something is', async () => {
    const leader = await led();
    const writer = new Outcomes();
    leader.put('k', writer);
    await leader.clock.advance(TIMEOUT_MS - 10);
    expect(writer.all).to.deep.equal(['']);
    await leader.clock.advance(20);
    expect(writer.all).to.deep.equal(['inDoubt']);
    expect(leader.partition.writeRefusal()?.respText).to.match(/^TRYAGAIN .*too few replicas/);
    for (const id of [2, 3]) leader.follower(id).sync();
    expect(leader.partition.writeRefusal()).to.equal(null);
    expect(leader.peek('k'), 'in doubt: here it was committed after all').to.equal('v');
  });
});

describe('below min.insync (R1)', () => {
  it('appends are refused before they are made, and accepted again when the ISR has grown', async () => {
    const leader = await led();
    leader.apply({ isr: [1 as never] });
    expect(leader.partition.writeRefusal()?.respText).to.match(/^NOREPLICAS /);
    leader.put('kept by a command that was admitted before');
    await leader.clock.settle();
    for (const id of [2, 3]) leader.follower(id).sync();
    expect(leader.partition.highWatermark, 'frozen').to.equal(0);
    expect(leader.partition.writeRefusal()).to.not.equal(null);
    expect(leader.proposals.at(-1)?.isr.length, 'a pending expansion does not count').to.equal(2);
    leader.answer();
    expect(leader.partition.writeRefusal()).to.equal(null);
    for (const id of [2, 3]) leader.follower(id).sync();
    expect(leader.partition.highWatermark).to.equal(1);
  });
});

describe('min.insync of a version (R2)', () => {
  it('holds from the version on that says so: what the cluster says before or after it changes nothing', async () => {
    const leader = await led();
    leader.apply({ isr: [1 as never], elr: [2 as never], minInsync: 2 });
    expect(leader.partition.writeRefusal()).to.not.equal(null);
    leader.role.stateApplied(leader.state, viewFor(1));
    expect(leader.partition.writeRefusal(), 'the ELR is not cleared yet').to.not.equal(null);
    leader.apply({ elr: [], minInsync: 1 }, 2);
    expect(leader.partition.writeRefusal()).to.equal(null);
  });
});

describe('an epoch of which too few know (R17)', () => {
  it('has no record before so many fetch in it that no controller can miss it: what is appended meanwhile is not sealed', async () => {
    const leader = await LeaderMachine.open({ waitsForEpoch: true });
    const writer = new Outcomes();
    leader.put('k', writer);
    await leader.clock.advance(POLL_MS);
    expect(leader.store.sealedOffset).to.equal(0);
    leader.follower(2).isEager = true;
    leader.follower(2).fetch();
    await leader.clock.settle();
    expect(leader.store.durableOffset).to.equal(1);
    leader.follower(3).isEager = true;
    leader.follower(3).fetch();
    await leader.clock.settle();
    for (const id of [2, 3]) leader.follower(id).sync();
    expect(writer.all).to.deep.equal(['done']);
  });

  it('that ends before is one in which nothing was written: the open batch is refused (R22)', async () => {
    const leader = await LeaderMachine.open({ waitsForEpoch: true });
    const writer = new Outcomes();
    leader.put('k', writer);
    await leader.clock.advance(POLL_MS);
    await leader.clock.until(leader.role.stop());
    expect(writer.all).to.deep.equal(['notLeader']);
    expect(leader.store.logEndOffset).to.equal(0);
  });
});

describe('what a leader inherits', () => {
  it('is not shown before it is committed in its own epoch; blind appends are taken meanwhile (4.3-11)', async () => {
    const leader = await LeaderMachine.open({ inherited: ['a', 'b'] });
    expect(leader.partition.highWatermark).to.equal(0);
    expect(leader.peek('a')).to.equal(undefined);
    const writer = new Outcomes();
    leader.put('c', writer);
    await leader.clock.settle();
    leader.follower(2).holds(2).fetch();
    leader.follower(3).holds(2).fetch();
    await leader.clock.settle();
    expect(leader.partition.highWatermark).to.equal(2);
    expect(leader.peek('a')).to.equal('old a');
    expect(writer.all).to.deep.equal(['']);
    for (const id of [2, 3]) leader.follower(id).sync();
    expect(writer.all).to.deep.equal(['done']);
  });

  it('is shown to nobody while an older leader may still answer (L5)', async () => {
    const leader = await LeaderMachine.open({ inherited: ['a'], mayActAfterMs: 500 });
    for (const id of [2, 3]) leader.follower(id).holds(1).fetch();
    await leader.clock.advance(499);
    expect(leader.partition.highWatermark).to.equal(0);
    expect(leader.role.canAct).to.equal(false);
    expect(leader.peek('a')).to.equal(undefined);
    await leader.clock.advance(2);
    expect(leader.role.canAct).to.equal(true);
    expect(leader.peek('a')).to.equal('old a');
  });

  it('acts at once when the promise it waited for is released (L9)', async () => {
    const leader = await LeaderMachine.open({ inherited: ['a'], mayActAfterMs: 500 });
    for (const id of [2, 3]) leader.follower(id).holds(1).fetch();
    leader.actFromMs = leader.clock.monotonicMs();
    leader.role.actInstantChanged();
    await leader.clock.settle();
    expect(leader.peek('a')).to.equal('old a');
  });

  it('that nobody confirms is refused to readers after the deadline', async () => {
    const leader = await LeaderMachine.open({ inherited: ['a'] });
    expect(leader.peek('a')).to.equal(undefined);
    let isAwake = false;
    void leader.partition.suspension.then(() => {
      isAwake = true;
    });
    await leader.clock.advance(TIMEOUT_MS + 1);
    expect(isAwake).to.equal(true);
    expect(leader.peek('a')).to.equal('tryAgain');
  });
});

describe('the end of a leadership', () => {
  it('refuses the open batch and leaves the sealed one in doubt (R22)', async () => {
    const leader = await led();
    leader.machine.disk.slow({ syncMs: 50 });
    const writer = new Outcomes();
    leader.put('sealed', writer);
    await leader.clock.advance(5);
    leader.put('open', writer);
    const waiting = leader.partition.whenResolved(asOffset(1));
    const stopped = leader.role.stop();
    expect(writer.all, 'told before stop returns').to.deep.equal(['inDoubt', 'notLeader']);
    await leader.clock.until(waiting);
    await leader.clock.advance(60);
    await leader.clock.until(stopped);
    expect(leader.store.logEndOffset, 'the open batch never was').to.equal(1);
    expect(leader.store.durableOffset, 'the sealed one stays, for the next leader to judge').to.equal(1);
  });

  it('serves nothing from the moment it begins (L8)', async () => {
    const leader = await led();
    leader.put('k');
    await leader.clock.settle();
    for (const id of [2, 3]) leader.follower(id).sync();
    leader.echoAll(2, 3);
    expect([leader.peek('k'), leader.confirm()]).to.deep.equal(['v', 'ready']);
    const stopped = leader.role.stop();
    const replies = leader.sent.length;
    expect([leader.peek('k'), leader.confirm()]).to.deep.equal(['notLeader', 'notLeader']);
    expect(leader.partition.writeRefusal()?.code).to.equal('notLeader');
    leader.follower(2).fetch();
    leader.follower(3).sync();
    await leader.clock.until(stopped);
    await leader.clock.advance(10_000);
    expect(leader.sent.slice(replies).map(({ message }) => message.kind)).to.deep.equal([
      'leaderReleased',
      'leaderReleased',
    ]);
    expect(leader.clock.timerCount).to.equal(0);
  });

  it('is released only by a leader that could act (R20)', async () => {
    const leader = await LeaderMachine.open({ mayActAfterMs: 500 });
    await leader.clock.until(leader.role.stop());
    expect(leader.sent).to.deep.equal([]);
  });

  it('leaves the store to whoever follows: a late call of the scheduler touches nothing', async () => {
    const leader = await led();
    leader.put('k');
    await leader.clock.until(leader.role.stop());
    const { operationCount } = leader.machine.disk;
    await leader.clock.advance(10_000);
    expect(leader.machine.disk.operationCount).to.equal(operationCount);
  });
});

describe('a failed disk of a leader with followers (R24)', () => {
  it('ends its serving at once, and is told; what was sealed is in doubt', async () => {
    const leader = await led();
    leader.echoAll(2, 3);
    leader.machine.disk.arm({ operation: 'sync', path: '.log' });
    const writer = new Outcomes();
    leader.put('k', writer);
    await leader.clock.settle();
    expect(leader.troubles).to.deep.equal(['disk']);
    expect(writer.all).to.deep.equal(['inDoubt']);
    expect(leader.partition.writeRefusal()?.code).to.equal('tryAgain');
    expect([leader.peek('k'), leader.confirm()]).to.deep.equal(['tryAgain', 'tryAgain']);
    const replies = leader.sent.length;
    leader.follower(2).sync();
    leader.follower(3).sync();
    await leader.clock.advance(LAG_MS * 2);
    expect(leader.sent.length, 'no fetch is answered').to.equal(replies);
    expect(leader.proposals, 'and nobody is thrown out by a leader with a bad disk').to.deep.equal([]);
    expect(leader.partition.highWatermark).to.equal(0);
    await leader.clock.until(leader.role.stop());
  });

  it('serves no more, though what it inherited is committed only then', async () => {
    const leader = await LeaderMachine.open({ inherited: ['a'] });
    leader.machine.disk.slow({ syncMs: 50 });
    leader.machine.disk.arm({ operation: 'sync', path: '.log' });
    leader.put('k', new Outcomes());
    await leader.clock.advance(10);
    for (const id of [2, 3]) leader.follower(id).holds(1).fetch();
    await leader.clock.advance(10);
    expect([leader.peek('a'), leader.partition.highWatermark], 'behind the flush').to.deep.equal([
      undefined,
      0,
    ]);
    await leader.clock.advance(100);
    expect(leader.troubles).to.deep.equal(['disk']);
    expect([leader.peek('a'), leader.partition.isServing]).to.deep.equal(['tryAgain', false]);
    await leader.clock.until(leader.role.stop());
  });
});
