import { expect } from 'chai';
import { asIncarnation, asNodeId } from '../../../src/model/numbers.ts';
import { LEASE_MS, LeaderMachine, type LeaderMachineOptions, TIMEOUT_MS } from './leader-machine.ts';

/** A leader with k = v committed, and no lease yet. */
async function led(options: LeaderMachineOptions = {}): Promise<LeaderMachine> {
  const leader = await LeaderMachine.open(options);
  await write(leader, 'k');
  return leader;
}

async function write(leader: LeaderMachine, key: string, expiresAtMs = 0): Promise<void> {
  leader.put(key, undefined, 'v', expiresAtMs);
  await leader.clock.settle();
  await replicate(leader);
}

/** Everything that was appended is fetched and on every disk. */
async function replicate(leader: LeaderMachine): Promise<void> {
  for (const id of leader.state.replicas.filter((replica) => replica !== asNodeId(1))) {
    leader.follower(id).sync();
    await leader.clock.settle();
    leader.follower(id).sync();
  }
  await leader.clock.settle();
}

/** Whether the read that was suspended last is worth running again. */
function woken(leader: LeaderMachine): () => boolean {
  let isWoken = false;
  void leader.partition.suspension.then(() => {
    isWoken = true;
  });
  return () => isWoken;
}

describe('the lease (L3, L4)', () => {
  it('answers reads while every promise holds, less the error of the clocks; from the sending of the stamp', async () => {
    const leader = await led();
    const stamp = leader.stamp();
    await leader.clock.advance(100);
    leader.echo(2, stamp);
    expect(leader.confirm(), 'one of two').to.equal('suspended');
    leader.echo(3, stamp);
    expect(leader.confirm()).to.equal('ready');
    const validMs = LEASE_MS * 0.95 - 10 - 100;
    await leader.clock.advance(validMs - 1);
    expect(leader.confirm()).to.equal('ready');
    await leader.clock.advance(2);
    expect(leader.confirm()).to.equal('suspended');
    const { reads } = leader.partition.stats();
    expect(reads).to.include({ byLease: 2, byReadIndex: 0, byVersionCheck: 0, leaseRemainingMs: 0 });
  });

  it('is looked at when the answer is there: a stop between value and check is noticed (4.3-10)', async () => {
    const leader = await led();
    leader.echoAll(2, 3);
    expect(leader.peek('k')).to.equal('v');
    // The process stands still: no timer of its own fires, nothing is received.
    stopProcess(leader, 10 * LEASE_MS);
    expect(leader.confirm()).to.equal('suspended');
  });

  it('is void when the clocks have parted since the stamp: the host slept (4.3-9)', async () => {
    const leader = await led();
    leader.echoAll(2, 3);
    leader.clock.wallJump(99);
    expect(leader.confirm()).to.equal('ready');
    leader.clock.wallJump(2);
    expect(leader.confirm()).to.equal('suspended');
  });

  it('needs the eligible replicas outside the ISR too (4.3-6)', async () => {
    const leader = await led({ minInsync: 2 });
    leader.apply({ isr: [asNodeId(1), asNodeId(2)], elr: [asNodeId(3)] });
    leader.echoAll(2);
    expect(leader.confirm()).to.equal('suspended');
    leader.echoAll(2, 3);
    expect(leader.confirm()).to.equal('ready');
  });

  it('needs whoever is proposed, from before the proposal leaves (4.3-8)', async () => {
    const leader = await led();
    leader.apply({ isr: [asNodeId(1), asNodeId(2)] });
    leader.echoAll(2);
    const before = leader.proposals.length;
    expect(leader.confirm()).to.equal(before > 0 ? 'suspended' : 'ready');
    leader.follower(3).sync();
    expect(leader.proposals.at(-1)?.isr.length).to.equal(3);
    expect(leader.role.leaseSet).to.deep.equal([2, 3]);
    leader.echoAll(2);
    expect(leader.confirm()).to.equal('suspended');
  });

  it('goes when somebody knows a newer epoch (4.3-5)', async () => {
    const leader = await led();
    leader.echoAll(2, 3);
    leader.follower(2).fetch({ leaderEpoch: (leader.state.leaderEpoch + 1) as never });
    expect(leader.suspicions).to.equal(1);
    expect(leader.confirm()).to.equal('suspended');
  });
});

/** Both clocks move without a timer that fires: what a SIGSTOP looks like from inside. */
function stopProcess(leader: LeaderMachine, ms: number): void {
  const { clock } = leader;
  const [monotonicMs, wallMs] = [clock.monotonicMs.bind(clock), clock.wallMs.bind(clock)];
  clock.monotonicMs = () => (monotonicMs() + ms) as never;
  clock.wallMs = () => (wallMs() + ms) as never;
}

describe('read-index (4.2-2)', () => {
  it('answers a read when everybody has echoed a stamp that was sent after it arrived', async () => {
    const leader = await led();
    const early = leader.stamp();
    const arrival = leader.newArrival();
    expect(leader.confirm(arrival)).to.equal('suspended');
    expect(leader.stampRequests, 'a round was asked for').to.equal(1);
    const isWoken = woken(leader);
    // Leases end while the echoes travel: what counts is which stamp they echo.
    const late = leader.stamp();
    await leader.clock.advance(LEASE_MS);
    for (const id of [2, 3]) leader.echo(id, early);
    expect(leader.confirm(arrival), 'sent before the read arrived').to.equal('suspended');
    leader.echo(2, late);
    expect(leader.confirm(arrival)).to.equal('suspended');
    leader.echo(3, late);
    await leader.clock.settle();
    expect(isWoken()).to.equal(true);
    expect(leader.confirm(arrival)).to.equal('ready');
    expect(leader.confirm(), 'a read that arrived later needs a later stamp').to.equal('suspended');
    expect(leader.partition.stats().reads).to.include({ byLease: 0, byReadIndex: 1 });
  });

  it('takes all reads that arrived before the stamps left in one round, and the others in the next', async () => {
    const leader = await led();
    const [first, second] = [leader.newArrival(), leader.newArrival()];
    leader.confirm(first);
    leader.confirm(second);
    expect(leader.stampRequests).to.equal(1);
    const stamp = leader.stamp();
    const third = leader.newArrival();
    leader.confirm(third);
    await leader.clock.advance(LEASE_MS / 8);
    expect(leader.stampRequests, 'one round at a time').to.equal(1);
    await leader.clock.advance(LEASE_MS);
    const requests = leader.stampRequests;
    for (const id of [2, 3]) leader.echo(id, stamp);
    expect(leader.confirm(third), 'a stamp too old for it').to.equal('suspended');
    expect(leader.stampRequests).to.be.at.least(requests);
    const next = leader.stamp();
    await leader.clock.advance(LEASE_MS);
    for (const id of [2, 3]) leader.echo(id, next);
    expect([first, second, third].map((arrival) => leader.confirm(arrival))).to.deep.equal([
      'ready',
      'ready',
      'ready',
    ]);
  });

  it('of another life of a follower does not count for the one that promised', async () => {
    const leader = await led();
    const arrival = leader.newArrival();
    leader.confirm(arrival);
    const stamp = leader.stamp();
    leader.echo(2, stamp);
    leader.role.echoed({
      node: asNodeId(3),
      incarnation: asIncarnation(1),
      sequence: stamp.sequence,
      sentAtMs: stamp.sentAtMs as never,
      sentWallMs: stamp.sentWallMs as never,
      leaseMs: LEASE_MS,
    });
    expect(leader.confirm(arrival)).to.equal('suspended');
  });
});

describe('the check of the version at the coordinator (R9)', () => {
  it('answers reads when a follower is silent, if our version still held after they arrived', async () => {
    const leader = await led();
    const arrival = leader.newArrival();
    leader.confirm(arrival);
    expect(leader.versionChecks.length).to.equal(0);
    await leader.clock.advance(LEASE_MS / 4 + 1);
    expect(leader.versionChecks.map(({ version }) => version)).to.deep.equal([0]);
    const later = leader.newArrival();
    leader.confirm(later);
    leader.versionChecks[0]?.answer('confirmed');
    await leader.clock.settle();
    expect(leader.confirm(arrival)).to.equal('ready');
    expect(leader.confirm(later), 'it arrived after the question').to.equal('suspended');
    expect(leader.partition.stats().reads).to.include({ byVersionCheck: 1 });
  });

  it('says nothing for a version that is not ours any more when the answer comes', async () => {
    const leader = await led();
    const arrival = leader.newArrival();
    leader.confirm(arrival);
    await leader.clock.advance(LEASE_MS / 4 + 1);
    leader.apply({});
    leader.versionChecks[0]?.answer('confirmed');
    await leader.clock.settle();
    expect(leader.confirm(arrival)).to.equal('suspended');
    await leader.clock.advance(LEASE_MS / 4 + 1);
    expect(leader.versionChecks.at(-1)?.version, 'asked again').to.equal(1);
    leader.versionChecks.at(-1)?.answer('confirmed');
    await leader.clock.settle();
    expect(leader.confirm(arrival)).to.equal('ready');
  });

  it('that finds another version makes the leader doubt itself', async () => {
    const leader = await led();
    leader.confirm();
    await leader.clock.advance(LEASE_MS / 4 + 1);
    leader.versionChecks[0]?.answer('changed');
    await leader.clock.settle();
    expect(leader.suspicions).to.equal(1);
  });

  it('is the only path below min.insync (R10)', async () => {
    const leader = await led();
    leader.apply({ isr: [asNodeId(1)], elr: [asNodeId(2)] });
    leader.echoAll(2, 3);
    const arrival = leader.newArrival();
    expect(leader.confirm(arrival), 'no lease counts').to.equal('suspended');
    await leader.clock.settle();
    expect(leader.versionChecks.length, 'asked at once').to.equal(1);
    leader.echoAll(2, 3);
    expect(leader.confirm(arrival), 'and no echo').to.equal('suspended');
    leader.versionChecks[0]?.answer('confirmed');
    await leader.clock.settle();
    expect(leader.confirm(arrival)).to.equal('ready');
  });
});

describe('a read that nobody confirms', () => {
  it('is refused after the deadline: never answered (L7)', async () => {
    const leader = await led();
    const arrival = leader.newArrival();
    expect(leader.confirm(arrival)).to.equal('suspended');
    await leader.clock.advance(TIMEOUT_MS - 10);
    expect(leader.confirm(arrival)).to.equal('suspended');
    const isWoken = woken(leader);
    await leader.clock.advance(20);
    expect(isWoken()).to.equal(true);
    expect(leader.confirm(arrival)).to.equal('tryAgain');
    expect(leader.partition.stats().reads).to.include({ refused: 1 });
    leader.echoAll(2, 3);
    expect(leader.confirm()).to.equal('ready');
  });

  it('below min.insync is refused as NOREPLICAS', async () => {
    const leader = await led();
    leader.apply({ isr: [asNodeId(1)] });
    const arrival = leader.newArrival();
    leader.confirm(arrival);
    await leader.clock.advance(TIMEOUT_MS + 10);
    expect(leader.confirm(arrival)).to.equal('notEnoughReplicas');
  });

  it('of a leader that was elected below min.insync is not answered on any path (R10)', async () => {
    const leader = await LeaderMachine.open({ isr: [1], elr: [2, 3] });
    leader.echoAll(2, 3);
    const arrival = leader.newArrival();
    expect(leader.confirm(arrival)).to.equal('suspended');
    await leader.clock.advance(LEASE_MS);
    for (const check of leader.versionChecks) check.answer('confirmed');
    await leader.clock.settle();
    expect(leader.confirm(arrival)).to.equal('suspended');
    await leader.clock.advance(TIMEOUT_MS);
    expect(leader.confirm(arrival)).to.equal('notEnoughReplicas');
  });
});

describe('expiry with followers (R4)', () => {
  it('of a due key waits for the commit of its tombstone, and below min.insync is refused', async () => {
    const leader = await led();
    await write(leader, 'due', leader.clock.wallMs() + 1000);
    leader.mayExpireNow = false;
    leader.clock.wallJump(1000);
    expect(leader.peek('due'), 'its tombstone is on the way').to.equal(undefined);
    await leader.clock.settle();
    await replicate(leader);
    expect(leader.peek('due')).to.equal(null);
  });

  it('of a due key below min.insync answers neither the value nor nil', async () => {
    const leader = await led();
    await write(leader, 'due', leader.clock.wallMs() + 1000);
    leader.apply({ isr: [asNodeId(1)] });
    leader.clock.wallJump(1000);
    expect(leader.peek('due')).to.equal('notEnoughReplicas');
  });

  it('is not done actively while the clocks of the cluster are apart', async () => {
    const leader = await led();
    for (const id of [2, 3]) leader.follower(id).isEager = true;
    await write(leader, 'due', leader.clock.wallMs() + 1000);
    leader.mayExpireNow = false;
    await leader.clock.advance(3000);
    expect(leader.partition.stats().expiredKeys).to.equal(0);
    leader.mayExpireNow = true;
    await leader.clock.advance(200);
    expect(leader.partition.stats().expiredKeys).to.equal(1);
  });
});
