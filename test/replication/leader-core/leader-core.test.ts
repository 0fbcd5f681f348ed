import { expect } from 'chai';
import { InvariantError } from '../../../src/model/errors.ts';
import { asPartitionVersion } from '../../../src/model/numbers.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { at, EPOCH, LAG_MS, life, node, offset, stateOf } from '../rules/views.ts';
import { kinds, LEASE_MS, LeaderHarness, RETRY_MS } from './leader-harness.ts';

describe('a leader and the fetches of its followers', () => {
  it('serves what there is, parks what asks for more, and commits what all have', () => {
    const leader = new LeaderHarness();
    expect(kinds(leader.fetch(2, { offset: 4 }))).to.deep.equal(['serve']);
    expect(kinds(leader.fetch(2))).to.deep.equal(['park']);
    expect(leader.core.highWatermark).to.equal(0);
    expect(kinds(leader.fetch(3))).to.deep.equal(['park', 'commit']);
    expect(leader.core.highWatermark).to.equal(10);
  });

  it('R8: what is sealed and not on its own disk is served, and not committed', () => {
    const leader = new LeaderHarness();
    leader.fetch(2);
    leader.fetch(3);
    leader.append(15, 10);
    expect(kinds(leader.fetch(2, { offset: 10, log: { sealed: 15 } }))).to.deep.equal(['serve']);
    leader.fetch(2, { offset: 15 });
    leader.fetch(3, { offset: 15, durable: 13 });
    expect(leader.core.highWatermark).to.equal(10);
    expect(kinds(leader.append(15))).to.deep.equal(['commit']);
    expect(leader.core.highWatermark).to.equal(13);
    leader.told(3, 15);
    expect(leader.core.highWatermark).to.equal(15);
  });

  it('KAFKA-5036: one look at the log answers a fetch whole: nothing read later changes it', () => {
    const leader = new LeaderHarness();
    const effects = leader.fetch(2, { offset: 12, log: { end: 12, sealed: 12 } });
    expect(kinds(effects)).to.deep.equal(['park']);
    expect(leader.core.view.logEndOffset).to.equal(12);
  });

  it('2.6 step 4: a fetch that parts from its log is answered, and nothing is noted of it', () => {
    const leader = new LeaderHarness();
    const effects = leader.fetch(2, { offset: 12, durable: 12 });
    expect(effects.find(({ kind }) => kind === 'reply')).to.deep.include({
      outcome: { result: 'diverging', epoch: EPOCH, endOffset: 10 },
    });
    expect(leader.core.view.followers.get(node(2))).to.include({ fetchOffset: -1, durableOffset: -1 });
  });

  it('KAFKA-7164: a new epoch counts nothing of an older one, though the leader is the same: everybody fetches anew', () => {
    const leader = new LeaderHarness({ state: stateOf({ leaderEpoch: EPOCH + 1 }) });
    const log = { epochs: [[EPOCH + 1, 10]] as const };
    expect(kinds(leader.fetch(2, { log })), 'under the old epoch').to.deep.equal(['reply']);
    leader.told(2, 10);
    leader.told(2, 10, { leaderEpoch: EPOCH + 1 });
    expect(leader.core.view.followers.get(node(2))?.durableOffset).to.equal(-1);
    leader.fetch(2, { leaderEpoch: EPOCH + 1, lastEpoch: EPOCH + 1, log });
    expect(leader.core.view.followers.get(node(2))?.durableOffset).to.equal(10);
  });

  it('word of progress before an accepted fetch, of another life, directory, epoch or partition says nothing', () => {
    const leader = new LeaderHarness();
    leader.told(2, 10);
    expect(leader.core.view.followers.get(node(2))?.durableOffset).to.equal(-1);
    leader.fetch(2, { offset: 10, durable: 2 });
    for (const of of [
      { incarnation: life(9) },
      { directoryId: 'another' },
      { leaderEpoch: EPOCH - 1 },
      { uuid: 'another' },
    ]) {
      leader.told(2, 9, of);
      expect(leader.core.view.followers.get(node(2))?.durableOffset).to.equal(2);
    }
    leader.told(2, 9);
    expect(leader.core.view.followers.get(node(2))?.durableOffset).to.equal(9);
  });

  it('a fetch that comes late or twice does nothing', () => {
    const leader = new LeaderHarness();
    leader.fetch(2, { fetchId: 8 });
    expect(kinds(leader.fetch(2, { fetchId: 8, offset: 3 }))).to.deep.equal([]);
    expect(kinds(leader.fetch(2, { fetchId: 7, offset: 3 }))).to.deep.equal([]);
    expect(leader.core.view.followers.get(node(2))?.durableOffset).to.equal(10);
    expect(
      kinds(leader.fetch(2, { fetchId: 1, incarnation: life(3), offset: 3 })),
      'a new life counts anew',
    ).to.deep.equal(['serve']);
  });

  it('KIP-903, R5: a new life or directory begins with nothing', () => {
    const leader = new LeaderHarness();
    leader.fetch(2);
    leader.echo(2, 1);
    leader.fetch(2, { directoryId: 'fresh', offset: 10, durable: 3 });
    expect(leader.core.view.followers.get(node(2))).to.include({
      durableOffset: 3,
      leaseUntilMs: Number.NEGATIVE_INFINITY,
    });
    expect(leader.core.highWatermark).to.equal(0);
  });

  it('C6: a rebuild begins with nothing, pins the floor, and lets nobody join', () => {
    const leader = new LeaderHarness({ state: stateOf({ isr: [1, 2] }) });
    leader.fetch(2);
    const log = { floor: 5 };
    const rebuildId = 9;
    expect(kinds(leader.fetch(3, { rebuildId, offset: 0, lastEpoch: 0, log }))).to.deep.equal(['serve']);
    expect(leader.core.isFloorPinned(at(10))).to.equal(true);
    expect(leader.core.tombstoneRemoveOffset(at(10))).to.equal(0);
    leader.fetch(3, { rebuildId, offset: 10, log });
    expect(leader.core.view.followers.get(node(3))).to.include({ durableOffset: 10, isRebuilding: true });
    expect(leader.proposed).to.deep.equal([]);
    leader.fetch(3, { rebuildId: rebuildId + 1, offset: 0, lastEpoch: 0, log });
    expect(leader.core.view.followers.get(node(3))?.durableOffset, 'begun anew').to.equal(0);
    leader.fetch(3, { log });
    expect(leader.core.isFloorPinned(at(10))).to.equal(false);
    expect(leader.proposed).to.deep.equal([[1, 2, 3]]);
  });

  it('4.3-5: a newer epoch makes it drop its leases and read the metadata again', () => {
    for (const meet of [
      (leader: LeaderHarness) => leader.fetch(2, { leaderEpoch: EPOCH + 1 }),
      (leader: LeaderHarness) => leader.fetch(2, { lastEpoch: EPOCH + 1 }),
      (leader: LeaderHarness) => leader.echo(2, 2, 0, { leaderEpoch: EPOCH + 1 }),
      (leader: LeaderHarness) => leader.reply('ok', stateOf({ leaderEpoch: EPOCH + 1, version: 9 })),
    ]) {
      const leader = ledReads();
      expect(leader.core.leaseValid(at(1), 1001)).to.equal(true);
      expect(kinds(meet(leader))).to.include('suspectSelf');
      expect(leader.core.leaseValid(at(1), 1001)).to.equal(false);
    }
  });
});

/** Everything committed, everybody bound from 0 on. */
function ledReads(): LeaderHarness {
  const leader = new LeaderHarness();
  for (const id of [2, 3]) {
    leader.fetch(id);
    leader.echo(id, 1);
  }
  return leader.forget();
}

describe('a leader and its ISR', () => {
  it('lets in who has caught up: it counts at once, and is a member with the next state', () => {
    const leader = new LeaderHarness({ state: stateOf({ isr: [1, 2] }) });
    leader.fetch(2);
    leader.fetch(3);
    expect(leader.proposed).to.deep.equal([[1, 2, 3]]);
    expect(leader.core.isr).to.deep.equal([1, 2]);
    expect(leader.core.leaseSet).to.have.members([1, 2, 3]);
    leader.append(15);
    leader.fetch(2, { offset: 15 });
    expect(leader.core.highWatermark, 'it waits for who joins').to.equal(10);
    leader.fetch(3, { offset: 15 });
    expect(leader.core.highWatermark).to.equal(15);
    const joined = stateOf({ version: 8 });
    expect(kinds(leader.reply('ok', joined))).to.deep.equal(['adopt']);
    expect(leader.core.view.pending, 'not before its version is durable').to.not.equal(null);
    expect(kinds(leader.apply(joined))).to.deep.equal(['wakeParked']);
    expect(leader.core.view.pending).to.equal(null);
    expect(leader.core.isr).to.deep.equal([1, 2, 3]);
  });

  it('R17: after a change of version nothing is committed before all members acknowledge it', () => {
    const leader = ledReads();
    leader.apply(stateOf({ version: 8 }));
    leader.append(15);
    leader.fetch(2, { offset: 15, version: 8 });
    leader.fetch(3, { offset: 15, version: 7 });
    expect(leader.core.highWatermark).to.equal(10);
    leader.told(3, 15, { version: 8 });
    expect(leader.core.highWatermark).to.equal(15);
  });

  it('takes out who is silent, with one proposal, and commits without it only after the commit of that', () => {
    const leader = ledReads();
    leader.append(15);
    leader.advance(LAG_MS + 100, [2]);
    expect(leader.proposed).to.include.deep.members([[1, 2]]);
    expect(new Set(leader.of('propose').map(({ proposal }) => proposal.proposalId)).size).to.equal(1);
    expect(leader.core.highWatermark).to.equal(10);
    leader.apply(stateOf({ isr: [1, 2], version: 8 }));
    leader.fetch(2, { version: 8 });
    expect(leader.core.highWatermark).to.equal(15);
  });

  it('sends a proposal again, unchanged, until something is answered', () => {
    const leader = new LeaderHarness({ state: stateOf({ isr: [1, 2] }) });
    leader.fetch(2);
    leader.fetch(3);
    leader.advance(RETRY_MS * 3 + 50, [2, 3]);
    const proposals = leader.of('propose').map(({ proposal }) => proposal);
    expect(proposals).to.have.length(4);
    for (const proposal of proposals) expect(proposal).to.deep.equal(proposals[0]);
    leader.forget().reply('notController');
    leader.advance(RETRY_MS, [2, 3]);
    expect(leader.of('propose')[0]?.proposal).to.deep.equal(proposals[0]);
  });

  it('KAFKA-2729: fenced, it drops its leases and does not propose anew', () => {
    const leader = new LeaderHarness({ state: stateOf({ isr: [1, 2] }) });
    leader.fetch(2);
    leader.echo(2, 1);
    leader.fetch(3);
    leader.echo(3, 1);
    expect(leader.core.leaseValid(at(1), 1001)).to.equal(true);
    expect(kinds(leader.reply('fencedEpoch'))).to.deep.equal(['suspectSelf']);
    expect(leader.core.leaseValid(at(1), 1001)).to.equal(false);
    expect(leader.core.view.pending).to.not.equal(null);
    expect(kinds(leader.reply('invalidVersion'))).to.deep.equal(['suspectSelf']);
  });

  it('KAFKA-14140: who was called ineligible is not proposed again for a while, and still counts until the version moved', () => {
    const leader = new LeaderHarness({ state: stateOf({ isr: [1, 2] }) });
    leader.fetch(2);
    leader.fetch(3);
    leader.forget();
    const refused = stateOf({ isr: [1, 2], version: 8 });
    expect(kinds(leader.reply('ineligible', refused))).to.deep.equal(['adopt']);
    expect(RULES.maximalIsr(leader.core.view)).to.include(3);
    leader.apply(refused);
    expect(RULES.maximalIsr(leader.core.view)).to.not.include(3);
    for (const id of [2, 3]) leader.fetch(id, { version: 8 });
    leader.advance(LAG_MS - 100, [2, 3]);
    expect(leader.proposed).to.deep.equal([]);
    leader.advance(200, [2, 3]);
    expect(leader.proposed[0]).to.deep.equal([1, 2, 3]);
  });

  it('rolls back what was refused by the version that the refusal moved on, and commits without it (ADR 6)', () => {
    const state = stateOf({ isr: [1, 2] });
    const leader = new LeaderHarness({ state });
    leader.fetch(3);
    leader.append(15);
    leader.fetch(2, { offset: 15 });
    leader.setLive(1, 2);
    leader.apply(state);
    leader.reply('ineligible', state);
    expect(leader.core.highWatermark, 'a double may still add it').to.equal(10);
    leader.apply({ ...state, version: asPartitionVersion(state.version + 1) });
    expect(leader.core.view.pending).to.equal(null);
    leader.fetch(2, { offset: 15, version: state.version + 1 });
    expect(leader.core.highWatermark).to.equal(15);
  });

  it('proposes nothing, commits nothing and reads nothing before it may act (4.3-3, L5)', () => {
    const leader = new LeaderHarness({ state: stateOf({ isr: [1, 2] }), mayActAtMs: 300 });
    for (const id of [2, 3]) {
      leader.fetch(id);
      leader.echo(id, 1);
    }
    expect(leader.core.acceptsAppends, 'deferred commit').to.equal(true);
    expect([leader.core.highWatermark, leader.proposed.length]).to.deep.equal([0, 0]);
    expect(leader.core.servesReads(at(299))).to.equal(false);
    leader.advance(300, [2, 3]);
    expect([leader.core.highWatermark, leader.proposed.length]).to.deep.equal([10, 1]);
    expect(leader.core.servesReads(at(300))).to.equal(true);
  });

  it('L9: acts at once when the promises it waited for are released', () => {
    const leader = new LeaderHarness({ mayActAtMs: 5000 });
    leader.fetch(2);
    leader.fetch(3);
    leader.nowMs = 20;
    expect(kinds(leader.step({ kind: 'mayAct', mayActAtMs: at(20), nowMs: at(20) }))).to.deep.equal([
      'commit',
    ]);
  });

  it('R1: below min.insync it refuses appends and commits nothing, until enough are back by a committed state', () => {
    const leader = ledReads();
    expect(kinds(leader.apply(stateOf({ isr: [1], elr: [2, 3], version: 8 })))).to.include('appends');
    expect(leader.core.acceptsAppends).to.equal(false);
    leader.append(15);
    for (const id of [2, 3]) leader.fetch(id, { version: 8 });
    expect(leader.core.highWatermark).to.equal(10);
    expect(leader.core.view.pending, 'an expansion is proposed').to.not.equal(null);
    leader.forget().apply(stateOf({ version: 9 }));
    expect(leader.of('appends')).to.deep.equal([{ kind: 'appends', accepted: true }]);
    for (const id of [2, 3]) leader.fetch(id, { version: 9 });
    expect(leader.core.highWatermark).to.equal(15);
  });

  it('R2: min.insync is that of the state it came with', () => {
    const leader = ledReads();
    leader.apply(stateOf({ version: 8 }), 4);
    expect(leader.core.acceptsAppends).to.equal(false);
    leader.apply(stateOf({ version: 8 }), 2);
    expect(leader.core.acceptsAppends, 'new facts of the same version').to.equal(true);
  });

  it('an older state changes nothing, one of another leadership is a bug', () => {
    const leader = ledReads();
    leader.apply(stateOf({ isr: [1], version: 6 }));
    expect(leader.core.isr).to.have.length(3);
    expect(() => leader.apply(stateOf({ version: 9, leaderEpoch: EPOCH + 1 }))).to.throw(InvariantError);
  });

  it('KAFKA-8733: after a pause of its own it does not shrink to itself', () => {
    const leader = ledReads();
    leader.nowMs = LAG_MS * 3;
    leader.tick();
    expect(leader.proposed).to.deep.equal([]);
    leader.advance(LAG_MS * 2, [2]);
    expect(leader.proposed[0]).to.deep.equal([1, 2]);
  });

  it('KAFKA-15021: the high watermark stops waiting for one that fell behind, by a timer', () => {
    const leader = new LeaderHarness({ state: stateOf({ replicas: [1, 2, 3, 4], isr: [1, 2] }) });
    for (const id of [2, 3, 4]) leader.fetch(id);
    expect(leader.proposed, 'node 4 will be the next').to.deep.equal([[1, 2, 3]]);
    leader.append(15);
    leader.advance(LAG_MS / 2, [2, 3]);
    expect(leader.core.highWatermark).to.equal(10);
    leader.advance(LAG_MS, [2, 3]);
    expect(leader.core.highWatermark).to.equal(15);
  });

  it('proposes again, at once and unchanged, to a controller that is new', () => {
    const leader = ledReads();
    leader.step({ kind: 'controllerChanged', nowMs: at(4) });
    expect(leader.of('propose'), 'nothing is proposed').to.deep.equal([]);
    leader.step({ kind: 'peerRefused', node: node(3), nowMs: at(5) });
    leader.step({ kind: 'controllerChanged', nowMs: at(6) });
    const [first, second, ...more] = leader.of('propose').map(({ proposal }) => proposal);
    expect(second).to.deep.equal(first);
    expect(more).to.deep.equal([]);
  });

  it('R9: a refused connection shrinks at once, and an accepted fetch takes that back', () => {
    const leader = ledReads();
    leader.step({ kind: 'peerRefused', node: node(3), nowMs: at(5) });
    expect(leader.proposed).to.deep.equal([[1, 2]]);
    leader.fetch(3);
    expect(leader.core.view.refused.size).to.equal(0);
  });

  it('forgets who is no longer assigned, and watches who is now', () => {
    const leader = ledReads();
    leader.apply(stateOf({ replicas: [1, 2, 4], isr: [1, 2], version: 8 }));
    expect([...leader.core.view.followers.keys()]).to.deep.equal([2, 4]);
  });
});

describe('a leader and its reads', () => {
  it('L4: the lease lasts as long as the shortest', () => {
    const leader = ledReads();
    expect(leader.core.leaseUntilMs).to.equal(LEASE_MS * 0.95 - 10);
    leader.nowMs = 100;
    leader.echo(2, 2);
    expect(leader.core.leaseUntilMs).to.equal(LEASE_MS * 0.95 - 10);
    leader.echo(3, 2);
    expect(leader.core.leaseUntilMs).to.equal(100 + LEASE_MS * 0.95 - 10);
  });

  it('4.3-10: validity is asked at an instant, no flag outlives it', () => {
    const leader = ledReads();
    const until = leader.core.leaseUntilMs;
    expect(leader.core.leaseValid(at(until - 1), until + 999)).to.equal(true);
    expect(leader.core.leaseValid(at(until), until + 1000), 'though no timer ran').to.equal(false);
  });

  it('4.3-12: an echo of an older life of a follower, or of another partition, gives nothing', () => {
    const leader = new LeaderHarness();
    for (const id of [2, 3]) leader.fetch(id);
    leader.echo(2, 1);
    leader.echo(3, 1, 0, { fromIncarnation: life(1) });
    leader.echo(3, 1, 0, { uuid: 'another' });
    leader.echo(3, 1, 0, { leaderEpoch: EPOCH - 1 });
    expect(leader.core.leaseUntilMs).to.equal(Number.NEGATIVE_INFINITY);
  });

  it('4.3-13: it counts on the shorter of both lengths', () => {
    const leader = ledReads();
    leader.nowMs = 100;
    leader.echo(2, 2, 100, { leaseMs: 300 });
    leader.echo(3, 2, 100);
    expect(leader.core.leaseUntilMs, 'the longer one of node 2 still holds').to.equal(LEASE_MS * 0.95 - 10);
  });

  it('4.2-2: read-index needs an echo of everybody', () => {
    const leader = ledReads();
    leader.echo(2, 5);
    expect(leader.core.readIndexConfirmed(5, at(1))).to.equal(false);
    leader.echo(3, 6);
    expect(leader.core.readIndexConfirmed(5, at(1))).to.equal(true);
    expect(leader.core.readIndexConfirmed(6, at(1))).to.equal(false);
  });

  it('R9: a confirmed version answers the reads that came before the check', () => {
    const leader = ledReads();
    expect(leader.versionChecked('confirmed')).to.deep.include({ kind: 'readsConfirmed', upTo: 3 });
    expect(kinds(leader.versionChecked('unknown'))).to.deep.equal([]);
    expect(kinds(leader.versionChecked('changed'))).to.deep.equal(['suspectSelf']);
    expect(kinds(leader.versionChecked('confirmed', 3, 6)), 'of an older version').to.deep.equal([]);
  });

  it('R10: elected into too small an ISR it serves nothing, even if all is committed', () => {
    const leader = new LeaderHarness({ state: stateOf({ isr: [1] }), highWatermark: 10 });
    expect(leader.core.servesReads(at(0))).to.equal(false);
    expect(kinds(leader.versionChecked('confirmed'))).to.deep.equal([]);
  });

  it('R10: fallen below min.insync it reads by the version check only', () => {
    const leader = ledReads();
    leader.apply(stateOf({ isr: [1], elr: [2, 3], version: 8 }));
    expect(leader.core.leaseValid(at(1), 1001)).to.equal(false);
    expect(leader.core.readIndexConfirmed(1, at(1))).to.equal(false);
    expect(kinds(leader.versionChecked('confirmed', 3, 8))).to.deep.equal(['readsConfirmed']);
  });
});

describe('a leader of one node', () => {
  const alone = () =>
    new LeaderHarness({
      state: stateOf({ replicas: [1], isr: [1] }),
      minInsync: 1,
      highWatermark: 10,
    }).forget();

  it('commits each batch with one effect, and asks for no timer', () => {
    const leader = alone();
    for (let end = 11; end < 50; end += 1) {
      expect(leader.append(end)).to.deep.equal([{ kind: 'commit', highWatermark: end }]);
    }
    expect(leader.append(49), 'nothing new').to.deep.equal([]);
    expect(leader.of('wakeAt')).to.deep.equal([]);
  });

  it('reads without a promise of anybody', () => {
    expect(alone().core.leaseValid(at(1e9), 1e12)).to.equal(true);
  });
});

describe('what a leader asserts whatever its rules say (2.10)', () => {
  const withRule = (rules: Partial<typeof RULES>) => () => {
    const leader = new LeaderHarness({ rules });
    leader.fetch(2);
    leader.append(20);
    leader.advance(LAG_MS * 2, [2]);
  };

  it('I3: the high watermark never goes back, and is never above the log', () => {
    expect(withRule({ highWatermark: () => offset(-1) })).to.throw(InvariantError, 'I3');
    expect(withRule({ highWatermark: () => offset(99) })).to.throw(InvariantError, 'I3');
  });

  it('I5: nothing is committed that a member does not have', () => {
    expect(withRule({ highWatermark: () => offset(5) })).to.throw(InvariantError, 'I5');
  });

  it('I7: nobody is proposed who may not be, and never without the leader', () => {
    const proposing = (...ids: readonly number[]) =>
      withRule({
        nextIsr: () => ids.map((id) => ({ node: node(id), incarnation: life(id), directoryId: '' })),
      });
    expect(proposing(2)).to.throw(InvariantError, 'I7');
    expect(proposing(1, 4)).to.throw(InvariantError, 'I7');
    expect(() => {
      const leader = new LeaderHarness({
        state: stateOf({ isr: [1, 2] }),
        rules: {
          nextIsr: () => [1, 3].map((id) => ({ node: node(id), incarnation: life(1), directoryId: '' })),
        },
      });
      leader.fetch(3);
    }).to.throw(InvariantError, 'I7');
  });

  it('a leader that is not named in the state is none', () => {
    expect(() => new LeaderHarness({ state: { ...stateOf(), leader: node(2) } })).to.throw(InvariantError);
  });
});
