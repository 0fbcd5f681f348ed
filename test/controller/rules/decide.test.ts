import { expect } from 'chai';
import { DEAD_MEMBER, type Decision } from '../../../src/controller/rules/partition-world.ts';
import { CONTROLLER_RULES } from '../../../src/controller/rules/rules.ts';
import { asIncarnation, asLeaderEpoch, asOffset, asPartitionVersion } from '../../../src/model/numbers.ts';
import { directoryOf, node, nodes, partitionState } from '../../support/partition-states.ts';
import { alive, bounced, decide, reported, worldOf, written } from './world.ts';

const LATE = { waitedMs: 10_000 };
const all = { 1: reported(1), 2: reported(2), 3: reported(3) };

describe('decide: elections', () => {
  it('does nothing about a partition that is well', () => {
    expect(decide(partitionState(), worldOf(all))).to.deep.equal({ kind: 'nothing' });
  });

  it('4.3-16: waits for reports of everybody who lives, no longer than the bound', () => {
    const members = { 2: alive(2), 3: reported(3) };
    const decision = decide(partitionState(), worldOf(members));
    expect(decision).to.deep.equal({ kind: 'wait', purpose: 'election', ask: [2], forMs: 300 });
    const late = written(decide(partitionState(), worldOf(members, { waitedMs: 300 })));
    expect(late.next.leader).to.equal(3);
  });

  it('R17: writes nothing before so many have been heard in this reign that a lost state would have shown', () => {
    const members = { 2: alive(2), 3: reported(3) };
    const decision = decide(partitionState(), worldOf(members, { ...LATE, heard: [3] }));
    expect(decision).to.deep.equal({ kind: 'wait', purpose: 'election', ask: [2], forMs: null });
    expect(
      written(decide(partitionState(), worldOf(members, { ...LATE, heard: [1, 3] }))).next.leader,
    ).to.equal(3);
  });

  it('R17: how many are enough: one of them must have acknowledged under the newest state', () => {
    const five = { replicas: [1, 2, 3, 4, 5], isr: [1, 2, 3, 4, 5] };
    const isWitnessed = (
      state: Parameters<typeof partitionState>[0],
      minInsync: number,
      ...heard: number[]
    ): boolean => CONTROLLER_RULES.isWitnessed(partitionState(state), worldOf({}, { minInsync, heard }));
    expect([isWitnessed({}, 2, 1), isWitnessed({}, 2, 1, 3)]).to.deep.equal([false, true]);
    expect([isWitnessed({}, 1, 1), isWitnessed({}, 3, 1)]).to.deep.equal([true, true]);
    expect([isWitnessed(five, 3, 1, 2), isWitnessed(five, 3, 1, 2, 5)]).to.deep.equal([false, true]);
    expect([isWitnessed(five, 4, 1), isWitnessed(five, 4, 1, 2)]).to.deep.equal([false, true]);
    const growing = { replicas: [1, 2, 3, 4], adding: [4] };
    expect([isWitnessed(growing, 2, 2, 4), isWitnessed(growing, 2, 2, 3)]).to.deep.equal([false, true]);
    // The change from 3 to 2 may be what was forgotten of the state.
    const said = { ...partitionState(), minInsync: 3 };
    expect(CONTROLLER_RULES.isWitnessed(said, worldOf({}, { minInsync: 2, heard: [3] }))).to.equal(false);
  });

  it('R17: a member that returns is not let in again before that', () => {
    const members = { 1: alive(1), 2: bounced(2, {}), 3: DEAD_MEMBER };
    const waiting = decide(partitionState(), worldOf(members, { ...LATE, heard: [2] }));
    expect(waiting).to.deep.equal({ kind: 'wait', purpose: 'election', ask: [1], forMs: null });
    const { next } = written(decide(partitionState(), worldOf(members, { ...LATE, heard: [1, 2] })));
    expect(next.leaderEpoch).to.equal(6);
  });

  it('R7: the electing write removes the dead leader, and all who are dead with it', () => {
    const { next, reason } = written(decide(partitionState(), worldOf({ 2: reported(2) })));
    expect(reason).to.equal('leaderDead');
    expect(next).to.deep.include({ leader: 2, leaderEpoch: 6, isr: [2], elr: [1, 3], controllerEpoch: 3 });
  });

  it('2.7: the last member of the ISR is never removed', () => {
    const { next } = written(decide(partitionState({ isr: [1] }), worldOf({ 2: reported(2) })));
    expect(next).to.deep.include({ leader: null, isr: [1], elr: [] });
    expect(decide(next, worldOf({ 2: reported(2) }, LATE)).kind).to.equal('nothing');
  });

  it('Jepsen 2013: a replica outside ISR and ELR is not elected', () => {
    const state = partitionState({ isr: [1], elr: [], leader: null });
    expect(decide(state, worldOf({ 2: reported(2), 3: reported(3) }, LATE)).kind).to.equal('nothing');
  });

  it('KIP-966: an eligible replica is elected when the last of the ISR lost something', () => {
    const state = partitionState({ isr: [1], elr: [2] });
    const members = { 1: bounced(1, { verdict: 'lossy' }), 2: reported(2), 3: reported(3) };
    const { next } = written(decide(state, worldOf(members)));
    expect(next).to.deep.include({ leader: 2, isr: [2], elr: [] });
  });

  it('R6: a lossy last member is disowned for good', () => {
    const state = partitionState({ isr: [1] });
    const { next } = written(decide(state, worldOf({ 1: bounced(1, { verdict: 'lossy' }) })));
    expect(next).to.deep.include({ leader: null, isr: [1] });
    const again = worldOf({ 1: bounced(1, {}) }, LATE);
    expect(decide(next, again).kind).to.equal('nothing');
  });

  it('R24: a last member that is out of order in this life is not disowned: its next start decides', () => {
    const broken = reported(1, { verdict: 'lossy' });
    expect(decide(partitionState({ isr: [1] }), worldOf({ ...all, 1: broken })).kind).to.equal('nothing');
    expect(written(decide(partitionState(), worldOf({ ...all, 1: broken }))).next).to.deep.include({
      leader: 2,
      isr: [2, 3],
    });
    const orphan = partitionState({ leader: 2, isr: [1, 2] });
    const { next } = written(decide(orphan, worldOf({ 1: broken })));
    expect(next).to.deep.include({ leader: null, isr: [1, 2] });
    expect(next.directoryIds[1]).to.equal('directory-1');
  });

  it('KAFKA-7235, 4.3-17: a bounced leader leads on in a new epoch only, under its new life', () => {
    const members = { ...all, 1: bounced(1, { logEndOffset: asOffset(200) }) };
    const { next, reason } = written(decide(partitionState(), worldOf(members)));
    expect(reason).to.equal('leaderReturned');
    expect(next).to.deep.include({ leader: 1, leaderEpoch: 6, isr: [1, 2, 3] });
    expect(next.incarnations[1]).to.equal(101);
  });

  it('R6: a bounced follower keeps its place, in a new epoch under the same leader', () => {
    const members = { ...all, 3: bounced(3, {}) };
    const { next, reason } = written(decide(partitionState(), worldOf(members)));
    expect(reason).to.equal('memberReturned');
    expect(next).to.deep.include({ leader: 1, leaderEpoch: 6, isr: [1, 2, 3] });
    expect(next.incarnations[3]).to.equal(301);
  });

  it('R5, KAFKA-14139: a bounced follower with an emptied disk leaves the ISR', () => {
    const { next } = written(decide(partitionState(), worldOf({ ...all, 3: bounced(3, 'absent') })));
    expect(next).to.deep.include({ leader: 1, leaderEpoch: 5, isr: [1, 2] });
  });

  it('R6: all back at once: the greatest of the whole leads, the lossy one is out', () => {
    const members = {
      1: bounced(1, { verdict: 'lossy', logEndOffset: asOffset(300) }),
      2: bounced(2, { logEndOffset: asOffset(100) }),
      3: bounced(3, { logEndOffset: asOffset(120) }),
    };
    const { next } = written(decide(partitionState({ leader: null }), worldOf(members)));
    expect(next).to.deep.include({ leader: 3, isr: [2, 3], elr: [] });
  });

  it('R6: the first one back gives the others a moment', () => {
    const state = partitionState({ leader: null });
    const members = { 2: bounced(2, {}) };
    expect(decide(state, worldOf(members))).to.deep.include({ kind: 'wait', forMs: 300 });
    expect(written(decide(state, worldOf(members, LATE))).next.leader).to.equal(2);
  });

  it('R17: the next epoch is above every epoch reported', () => {
    const world = worldOf({ 2: reported(2), 3: reported(3) }, { leaderEpochMax: asLeaderEpoch(11) });
    expect(written(decide(partitionState(), world)).next.leaderEpoch).to.equal(12);
  });

  it('KAFKA-7837: a leader in trouble gives way and leaves ISR and ELR; alone it stays', () => {
    const trouble = reported(1, {}, { isTroubled: true });
    const { next, reason } = written(decide(partitionState(), worldOf({ ...all, 1: trouble })));
    expect(reason).to.equal('leaderTroubled');
    expect(next).to.deep.include({ leader: 2, isr: [2, 3], elr: [] });
    const alone = partitionState({ isr: [1] });
    expect(decide(alone, worldOf({ ...all, 1: trouble })).kind).to.equal('nothing');
  });

  it('R24: a leader without room gives way and stays a member; alone it stays', () => {
    const full = reported(1, {}, { isTroubled: true, staysMember: true });
    const { next, reason } = written(decide(partitionState(), worldOf({ ...all, 1: full })));
    expect(reason).to.equal('leaderTroubled');
    expect(next).to.deep.include({ leader: 2, isr: [1, 2, 3], elr: [] });
    const alone = partitionState({ isr: [1] });
    expect(decide(alone, worldOf({ ...all, 1: full })).kind).to.equal('nothing');
  });

  it('a follower in trouble leaves ISR and ELR', () => {
    const members = { ...all, 2: reported(2, {}, { isTroubled: true }) };
    const { next } = written(decide(partitionState({ isr: [1, 2] }), worldOf(members)));
    expect(next).to.deep.include({ leader: 1, leaderEpoch: 5, isr: [1], elr: [] });
  });

  it('KAFKA-13916, KIP-841: who shuts down hands over and leaves the ISR, but not below min', () => {
    const leaving = reported(1, {}, { isShuttingDown: true });
    const { next } = written(decide(partitionState(), worldOf({ ...all, 1: leaving })));
    expect(next).to.deep.include({ leader: 2, isr: [2, 3] });
    const two = written(decide(partitionState({ isr: [1, 2] }), worldOf({ ...all, 1: leaving })));
    expect(two.next).to.deep.include({ leader: 2, isr: [1, 2] });
    const follower = { ...all, 3: reported(3, {}, { isShuttingDown: true }) };
    expect(written(decide(partitionState(), worldOf(follower))).next).to.deep.include({
      leader: 1,
      isr: [1, 2],
    });
    expect(decide(partitionState({ isr: [1, 3] }), worldOf(follower)).kind).to.equal('nothing');
  });

  it('2.7: the preferred replica is elected when it is due and stands in the live ISR', () => {
    const state = partitionState({ leader: 2 });
    expect(decide(state, worldOf(all)).kind).to.equal('nothing');
    const due = { isPreferredDue: true };
    expect(written(decide(state, worldOf(all, due))).next).to.deep.include({
      leader: 1,
      isr: [1, 2, 3],
      leaderEpoch: 6,
    });
    const { 1: _dead, ...others } = all;
    expect(decide(state, worldOf(others, due)).kind).to.equal('nothing');
    expect(decide(partitionState({ leader: 2, isr: [2, 3] }), worldOf(all, due)).kind).to.equal('nothing');
  });
});

describe('decide: new partitions', () => {
  const state = partitionState({ leader: null, leaderEpoch: 0, version: 0, isr: [] });
  const empty = { logEndOffset: asOffset(0), lastEpoch: asLeaderEpoch(0) };
  const fresh = { leaderEpochMax: asLeaderEpoch(0), versionMax: asPartitionVersion(0) };

  it('waits for all, then makes all of them the ISR, with their directories', () => {
    const two = { 1: reported(1, empty), 2: reported(2, empty), 3: alive(3) };
    expect(decide(state, worldOf(two, fresh))).to.deep.include({ kind: 'wait', ask: [3], forMs: 2_000 });
    const { next } = written(decide(state, worldOf({ ...two, 3: reported(3, empty) }, fresh)));
    expect(next).to.deep.include({ leader: 1, leaderEpoch: 1, isr: [1, 2, 3] });
    expect(next.directoryIds).to.deep.equal({ 1: 'directory-1', 2: 'directory-2', 3: 'directory-3' });
  });

  it('goes on without the missing after a while, with at least min.insync', () => {
    const late = { ...fresh, ...LATE };
    const { next } = written(decide(state, worldOf({ 2: reported(2, empty), 3: reported(3, empty) }, late)));
    expect(next).to.deep.include({ leader: 2, isr: [2, 3] });
    expect(decide(state, worldOf({ 2: reported(2, empty) }, late)).kind).to.equal('wait');
  });
});

describe('decide: reassignment', () => {
  const wish = { wishes: { reassign: nodes(4, 2, 3), unclean: null } };
  const four = { ...all, 4: reported(4) };

  it('grows to the union, target first', () => {
    const { next } = written(decide(partitionState(), worldOf(four, wish)));
    expect(next).to.deep.include({
      replicas: [4, 2, 3, 1],
      adding: [4],
      removing: [1],
      leader: 1,
      leaderEpoch: 5,
    });
  });

  it('KAFKA-15665, 9672: shrinks only when every target is in the ISR', () => {
    const growing = { replicas: [4, 2, 3, 1], adding: [4], removing: [1] };
    const waiting = partitionState({ ...growing, isr: [1, 2, 3] });
    expect(decide(waiting, worldOf(four)).kind).to.equal('nothing');
    const ready = partitionState({ ...growing, isr: [1, 2, 3, 4] });
    const { next, reason } = written(decide(ready, worldOf(four)));
    expect(reason).to.equal('reassignDone');
    expect(next).to.deep.include({
      replicas: [4, 2, 3],
      adding: [],
      removing: [],
      isr: [4, 2, 3],
      leader: 4,
    });
    expect(next.leaderEpoch).to.equal(6);
    const { 3: _dead, ...others } = four;
    expect(decide(ready, worldOf(others)).kind).to.equal('nothing');
  });

  it('KAFKA-15665: does not shrink below min.insync', () => {
    const state = partitionState({ replicas: [1, 2], removing: [2], isr: [1, 2] });
    expect(decide(state, worldOf(all)).kind).to.equal('nothing');
  });

  it('is taken back by a wish for what was before', () => {
    const growing = partitionState({ replicas: [4, 2, 3, 1], adding: [4], removing: [1] });
    const back = { wishes: { reassign: nodes(1, 2, 3), unclean: null } };
    const { next } = written(decide(growing, worldOf(four, back)));
    expect(next).to.deep.include({ replicas: [1, 2, 3, 4], adding: [], removing: [4] });
    expect(written(decide(next, worldOf(four))).next).to.deep.include({ replicas: [1, 2, 3], removing: [] });
  });

  it('changes the order alone', () => {
    const order = { wishes: { reassign: nodes(3, 2, 1), unclean: null } };
    const { next } = written(decide(partitionState(), worldOf(all, order)));
    expect(next).to.deep.include({ replicas: [3, 2, 1], adding: [], removing: [] });
  });
});

describe('decide: by command only', () => {
  const wishes = { reassign: null, unclean: node(3) };

  it('2.7: an unclean election makes one node the ISR and marks the epoch', () => {
    const state = partitionState({ isr: [1], elr: [2], leader: null });
    const { next, reason } = written(
      decide(state, worldOf({ 3: bounced(3, { directoryId: 'new' }) }, { wishes })),
    );
    expect(reason).to.equal('unclean');
    expect(next).to.deep.include({ leader: 3, isr: [3], elr: [], recovery: 'unclean', leaderEpoch: 6 });
    expect(next.incarnations).to.deep.equal({ 3: asIncarnation(301) });
    expect(next.directoryIds).to.deep.equal({ 3: 'new' });
  });

  it('2.7: nothing unclean while a member is sound, or may say in time that it is', () => {
    const led = partitionState({ isr: [1, 2], leader: null });
    expect(
      written(decide(led, worldOf({ 2: reported(2), 3: reported(3) }, { wishes, ...LATE }))).next,
    ).to.include({
      leader: 2,
      recovery: 'clean',
    });
    const unheard = { 2: bounced(2, null), 3: reported(3) };
    expect(decide(led, worldOf(unheard, { wishes }))).to.deep.include({ kind: 'wait', purpose: 'election' });
    expect(written(decide(led, worldOf(unheard, { wishes, ...LATE }))).reason).to.equal('unclean');
  });

  it('2.7: who is wished for and hung does not keep a sound member that came back from leading', () => {
    const led = partitionState({ isr: [1], elr: [2], leader: null });
    const hung = { 3: alive(3) };
    const waiting = decide(led, worldOf(hung, { wishes, ...LATE }));
    expect(waiting).to.deep.equal({ kind: 'wait', purpose: 'election', ask: [3], forMs: null });
    const { next } = written(decide(led, worldOf({ ...hung, 1: bounced(1, {}) }, { wishes, ...LATE })));
    expect(next).to.include({ leader: 1, recovery: 'clean' });
  });

  it('R17: takes a last survivor whom nobody else can vouch for', () => {
    const alone = worldOf({ 3: reported(3) }, { wishes, ...LATE, heard: [3] });
    expect(written(decide(partitionState(), alone)).next).to.include({ leader: 3, recovery: 'unclean' });
  });

  it('does nothing unclean while the leader is well', () => {
    expect(decide(partitionState(), worldOf(all, { wishes })).kind).to.equal('nothing');
  });

  it('the next clean election takes the mark away', () => {
    const state = { ...partitionState({ leader: 3, isr: [2, 3] }), recovery: 'unclean' as const };
    expect(written(decide(state, worldOf({ 2: reported(2) }))).next.recovery).to.equal('clean');
  });
});

describe('decide: R17, a coordinator that lost writes', () => {
  const lost = { isRegressed: true, versionMax: asPartitionVersion(12), leaderEpochMax: asLeaderEpoch(8) };

  it('R17: nothing is written in the epoch of a leader that has not said in this reign what it knows', () => {
    const wishes = { reassign: nodes(2, 1, 3), unclean: null };
    const heardOf = (...heard: number[]): Decision =>
      decide(partitionState(), worldOf({ ...all, 1: alive(1) }, { heard, wishes }));
    expect(heardOf(2, 3)).to.deep.equal({ kind: 'wait', purpose: 'witness', ask: [1], forMs: null });
    expect(heardOf(1, 3).kind).to.equal('write');
    const { 1: _dead, ...two } = all;
    expect(decide(partitionState(), worldOf(two, { heard: [2, 3] })).kind, 'a new epoch').to.equal('write');
  });

  it('waits until every assigned replica has reported, whatever the ISR says', () => {
    const decision = decide(
      partitionState({ isr: [1] }),
      worldOf({ ...all, 3: alive(3) }, { ...lost, ...LATE }),
    );
    expect(decision).to.deep.equal({ kind: 'wait', purpose: 'regressed', ask: [3], forMs: null });
    const { 3: _dead, ...two } = all;
    expect(decide(partitionState({ isr: [1] }), worldOf(two, { ...lost, ...LATE })).kind).to.equal('nothing');
  });

  it('first begins an epoch that nobody leads, above every epoch and version seen: what is compared must stand still', () => {
    const { next, versionAbove, reason } = written(decide(partitionState({ isr: [1] }), worldOf(all, lost)));
    expect(reason).to.equal('regressed');
    expect(next).to.deep.include({
      leader: null,
      leaderEpoch: 9,
      recovery: 'regressed',
      isr: [1, 2, 3],
      elr: [],
    });
    expect(versionAbove).to.equal(12);
  });

  it('begins it also where the coordinator has forgotten that anybody ever led', () => {
    const state = partitionState({ leader: null, leaderEpoch: 0, isr: [] });
    const { next } = written(decide(state, worldOf(all, lost)));
    expect(next).to.deep.include({ leader: null, leaderEpoch: 9, recovery: 'regressed', isr: [1, 2, 3] });
  });

  const fence = {
    ...partitionState({ leader: null, leaderEpoch: 9 }),
    recovery: 'regressed' as const,
  };
  const still = { leaderEpochMax: asLeaderEpoch(9) };
  const compared = { ...lost, leaderEpochMax: asLeaderEpoch(9) };

  it('then waits until everybody is in that epoch', () => {
    const members = { 1: reported(1, still), 2: reported(2, still), 3: reported(3) };
    const decision = decide(fence, worldOf(members, { ...compared, ...LATE }));
    expect(decision).to.deep.equal({ kind: 'wait', purpose: 'regressed', ask: [3], forMs: null });
  });

  it('elects the greatest of all assigned', () => {
    const members = {
      1: reported(1, still),
      2: reported(2, { ...still, lastEpoch: asLeaderEpoch(7) }),
      3: reported(3, still),
    };
    const { next, reason } = written(decide(fence, worldOf(members, compared)));
    expect(reason).to.equal('coordinatorLostWrites');
    expect(next).to.deep.include({ leader: 2, isr: [2], elr: [], leaderEpoch: 10, recovery: 'clean' });
  });

  it('begins such an epoch again if the coordinator has forgotten that one too', () => {
    const { next } = written(decide(fence, worldOf(all, { ...compared, leaderEpochMax: asLeaderEpoch(12) })));
    expect(next).to.deep.include({ leader: null, leaderEpoch: 13, recovery: 'regressed' });
  });

  it('waits for an operator when as many as min.insync lost something, or have another directory than they said at first', () => {
    const emptied = { ...still, directoryId: 'new', logEndOffset: asOffset(0) };
    const one = { 1: reported(1, still), 2: reported(2, still), 3: reported(3, emptied) };
    expect(decide(fence, worldOf(one, compared)).kind).to.equal('write');
    for (const lack of [{ verdict: 'lossy' as const }, { directoryId: 'new' }]) {
      const two = { 1: reported(1, still), 2: reported(2, { ...still, ...lack }), 3: reported(3, emptied) };
      expect(decide(fence, worldOf(two, compared)).kind).to.equal('nothing');
    }
  });

  it('names the directories that are compared, and none of who holds nothing, or was never in sync', () => {
    const members = { ...all, 2: reported(2, { directoryId: 'other' }), 3: bounced(3, 'absent') };
    const growing = partitionState({ isr: [1], replicas: [1, 2, 3, 4], adding: [4] });
    const { next } = written(decide(growing, worldOf({ ...members, 4: reported(4) }, lost)));
    expect(next.isr).to.deep.equal([1, 2, 3]);
    expect(next.directoryIds).to.deep.equal({ 1: directoryOf(1), 2: 'other' });
  });

  it('R18, R17: the operator may still elect', () => {
    const wishes = { reassign: null, unclean: node(2) };
    const members = { 2: reported(2), 3: DEAD_MEMBER };
    const { next, versionAbove } = written(decide(partitionState(), worldOf(members, { ...lost, wishes })));
    expect(next).to.deep.include({ leader: 2, recovery: 'unclean', leaderEpoch: 9 });
    expect(versionAbove).to.equal(12);
  });
});
