import { expect } from 'chai';
import type { Decision, MemberView } from '../../../src/controller/rules/partition-world.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { nodes, partitionState } from '../../support/partition-states.ts';
import { alive, bounced, decide, reported, type WorldChoice, worldOf, written } from './world.ts';

const all = { 1: reported(1), 2: reported(2), 3: reported(3) };
const NOT_ASKED = { handOver: { isReady: false, waitedMs: 0 } } as const;
const WAITING = { handOver: { isReady: false, waitedMs: 999 } } as const;
const OVER = { handOver: { isReady: false, waitedMs: 1_000 } } as const;
const READY = { handOver: { isReady: true, waitedMs: 3 } } as const;

interface Planned {
  readonly what: string;
  readonly state: PartitionState;
  readonly members?: Readonly<Record<number, MemberView>>;
  readonly choice?: WorldChoice;
  readonly reason: string;
}

const PLANNED: readonly Planned[] = [
  {
    what: 'a leader that shuts down',
    state: partitionState(),
    members: { ...all, 1: reported(1, {}, { isShuttingDown: true }) },
    reason: 'leaderShutsDown',
  },
  {
    what: 'a leader in trouble',
    state: partitionState(),
    members: { ...all, 1: reported(1, {}, { isTroubled: true }) },
    reason: 'leaderTroubled',
  },
  {
    what: 'a leader that found out in this life that its log is not whole',
    state: partitionState(),
    members: { ...all, 1: reported(1, { verdict: 'lossy' }) },
    reason: 'leaderLost',
  },
  {
    what: 'the preferred replica',
    state: partitionState({ leader: nodes(2)[0]! }),
    choice: { isPreferredDue: true },
    reason: 'preferred',
  },
  {
    what: 'the end of a reassignment that takes the leader away',
    state: partitionState({ replicas: nodes(2, 3, 1), removing: nodes(1) }),
    reason: 'reassignDone',
  },
  {
    what: 'the end of a reassignment that leaves the leader',
    state: partitionState({ removing: nodes(3) }),
    reason: 'reassignDone',
  },
];

const HASTY: readonly Planned[] = [
  {
    what: 'a dead leader',
    state: partitionState(),
    members: { 2: reported(2), 3: reported(3) },
    reason: 'leaderDead',
  },
  {
    what: 'a leader in a new life',
    state: partitionState(),
    members: { ...all, 1: bounced(1, {}) },
    reason: 'leaderReturned',
  },
  {
    what: 'a follower in a new life, for which the leader would wait in vain',
    state: partitionState(),
    members: { ...all, 3: bounced(3, {}) },
    reason: 'memberReturned',
  },
];

const decideOf = ({ state, members = all, choice }: Planned, said: WorldChoice): Decision =>
  decide(state, worldOf(members, { ...choice, ...said }));

describe('decide: a planned election waits for the leader to hand over (L9)', () => {
  for (const planned of PLANNED) {
    it(planned.what, () => {
      const { leader } = planned.state;
      const asked = { kind: 'handOver', leader, forMs: 1_000 };
      expect(decideOf(planned, NOT_ASKED)).to.deep.equal(asked);
      expect(decideOf(planned, WAITING)).to.deep.equal(asked);
      const ready = written(decideOf(planned, READY));
      expect(ready.reason).to.equal(planned.reason);
      expect(ready.next.leaderEpoch).to.equal(6);
      expect(written(decideOf(planned, OVER)), 'after its time, without').to.deep.equal(ready);
    });
  }

  for (const hasty of HASTY) {
    it(`not so ${hasty.what}`, () => {
      expect(written(decideOf(hasty, NOT_ASKED)).reason).to.equal(hasty.reason);
    });
  }

  it('nor a leader that shuts down alone: it leads on', () => {
    const members = { 1: reported(1, {}, { isShuttingDown: true }) };
    expect(decide(partitionState({ isr: nodes(1) }), worldOf(members, NOT_ASKED)).kind).to.equal('nothing');
  });
});

describe('decide: who has handed over leads no more in that epoch (L9)', () => {
  it('though nobody wants it any more: somebody is elected, it too', () => {
    const { next, reason } = written(decide(partitionState(), worldOf(all, READY)));
    expect(reason).to.equal('leaderHandedOver');
    expect(next).to.deep.include({ leader: 1, leaderEpoch: 6, isr: nodes(1, 2, 3) });
  });

  it('waits for reports as every election does', () => {
    const members = { 1: alive(1), 2: reported(2), 3: reported(3) };
    expect(decide(partitionState(), worldOf(members, READY))).to.deep.equal({
      kind: 'wait',
      purpose: 'election',
      ask: [1],
      forMs: 300,
    });
  });

  it('leads in the next epoch though it shuts down or is in trouble, if nobody else can', () => {
    for (const trouble of [{ isShuttingDown: true }, { isTroubled: true }]) {
      const members = { 1: reported(1, {}, trouble) };
      const { next } = written(decide(partitionState({ isr: nodes(1) }), worldOf(members, READY)));
      expect(next).to.deep.include({ leader: 1, leaderEpoch: 6, isr: nodes(1) });
    }
  });

  it('before a reassignment begins', () => {
    const wishes = { reassign: nodes(2, 3, 4), unclean: null };
    const { reason, next } = written(decide(partitionState(), worldOf(all, { ...READY, wishes })));
    expect(reason).to.equal('leaderHandedOver');
    const begun = written(decide(next, worldOf(all, { ...NOT_ASKED, wishes })));
    expect(begun.reason).to.equal('reassignBegun');
  });

  it('R17: not where the coordinator lost writes: all replicas decide that', () => {
    const world = worldOf({ ...all, 3: alive(3) }, { ...READY, isRegressed: true });
    expect(decide(partitionState(), world)).to.deep.include({ kind: 'wait', purpose: 'regressed' });
  });
});
