import { expect } from 'chai';
import type { IsrProposalReply, ProposalResult } from '../../../src/model/control-messages.ts';
import { asControllerEpoch, asLeaderEpoch, asPartitionId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { at, EPOCH, LAG_MS, life, progressOf, stateOf, viewOf } from './views.ts';

const NOW = at(100);
const LATE = at(LAG_MS + 1);

describe('the maximal ISR and the lease set (2.4, 4.3-6, 4.3-8)', () => {
  const SETS = [[1], [1, 2], [1, 3], [1, 2, 3]];

  it('over all small sets: an expansion counts at once, a shrink only after its commit', () => {
    for (const isr of SETS) {
      for (const pending of [undefined, ...SETS]) {
        const view = viewOf({ state: stateOf({ isr }), ...(pending && { pending }) });
        const expected = new Set([...isr, ...(pending ?? [])]);
        expect(RULES.maximalIsr(view)).to.have.members([...expected]);
      }
    }
  });

  it('4.3-6: the lease set holds whoever could be elected: maximal ISR, pending members and ELR', () => {
    const view = viewOf({ state: stateOf({ isr: [1], elr: [2] }), pending: [1, 3] });
    expect(RULES.leaseSet(view, RULES)).to.have.members([1, 2, 3]);
  });

  it('4.3-7: with an ISR of the leader alone and no ELR nobody else is in it', () => {
    expect(RULES.leaseSet(viewOf({ state: stateOf({ isr: [1] }) }), RULES)).to.deep.equal([1]);
  });
});

describe('who may join the ISR (2.4)', () => {
  const state = stateOf({ isr: [1, 2] });
  const joins = (options: object, view: object = {}, nowMs = NOW): boolean => {
    const progress = progressOf(3, options);
    return RULES.mayJoinIsr(
      viewOf({ state, followers: [progressOf(2), progress], ...view }),
      progress,
      nowMs,
      RULES,
    );
  };

  it('over all small sets: durable at or above both the high watermark and the start of the epoch', () => {
    for (const durable of [0, 1, 2, 3]) {
      for (const highWatermark of [0, 1, 2, 3]) {
        for (const epochStart of [0, 1, 2, 3]) {
          const expected = durable >= highWatermark && durable >= epochStart;
          expect(joins({ durable }, { highWatermark, epochStart, logEnd: 3 })).to.equal(expected);
        }
      }
    }
  });

  it('KAFKA-7128: a follower below the epoch start does not join', () => {
    expect(joins({ durable: 9 }, { highWatermark: 4, epochStart: 10 })).to.equal(false);
    expect(joins({ durable: 10 }, { highWatermark: 4, epochStart: 10 })).to.equal(true);
  });

  it('R8: a follower that fetched everything and has not written it does not join', () => {
    expect(joins({ fetched: 10, durable: 5 }, { highWatermark: 8 })).to.equal(false);
  });

  it('KIP-966: a follower that has not fetched in this epoch does not join, whatever it has', () => {
    expect(joins({ fetched: -1, durable: 10 })).to.equal(false);
  });

  it('KAFKA-13916: one that is dead, or that the controller refused, does not join', () => {
    expect(joins({}, { live: { 2: life(2) } })).to.equal(false);
    expect(joins({}, { barred: [3] })).to.equal(false);
    expect(joins({}, { refused: [3] })).to.equal(false);
  });

  it('KAFKA-14139: the fetch of a previous life lets nobody in', () => {
    expect(joins({ incarnation: life(2) })).to.equal(false);
  });

  it('R17: one that has not acknowledged the version that may have dropped it does not join, and is not waited for', () => {
    for (const version of [5, 6, 7, 8]) {
      const progress = progressOf(3, { version });
      const view = viewOf({ state, followers: [progressOf(2), progress] });
      expect(state.version).to.equal(7);
      expect(joins({ version })).to.equal(version >= 7);
      expect(RULES.isWaitedFor(view, progress, NOW, RULES)).to.equal(version >= 7);
    }
  });

  it('C6: one that rebuilds does not join before its directory is swapped in', () => {
    expect(joins({ isRebuilding: true })).to.equal(false);
  });

  it('one that is not assigned does not join', () => {
    expect(joins({}, { state: stateOf({ replicas: [1, 2], isr: [1, 2] }) })).to.equal(false);
  });

  it('one that would be removed at once does not join', () => {
    expect(joins({}, {}, LATE), 'silent').to.equal(false);
    expect(
      joins({ durable: 5, fetchedAtMs: 900, caughtUpAtMs: 0 }, { highWatermark: 3 }, LATE),
      'lags',
    ).to.equal(false);
  });
});

describe('who must leave the ISR (2.4)', () => {
  const leaving = (third: object, nowMs: number, view: object = {}): readonly number[] => {
    const followers = [progressOf(2, { fetchedAtMs: nowMs }), progressOf(3, third)];
    return RULES.membersToRemove(viewOf({ followers, ...view }), at(nowMs), RULES);
  };

  it('one that has everything and fetches stays for ever', () => {
    expect(leaving({ fetchedAtMs: 99_900, caughtUpAtMs: 0 }, 100_000)).to.deep.equal([]);
  });

  it('KAFKA-7152 turned round: one that has everything and is silent leaves after lagMsMax', () => {
    expect(leaving({}, LAG_MS)).to.deep.equal([]);
    expect(leaving({}, LAG_MS + 1)).to.deep.equal([3]);
  });

  it('one that fetches and lags leaves after lagMsMax', () => {
    expect(leaving({ durable: 5, fetchedAtMs: 1000, caughtUpAtMs: 0 }, LAG_MS)).to.deep.equal([]);
    expect(leaving({ durable: 5, fetchedAtMs: 1000, caughtUpAtMs: 0 }, LAG_MS + 1)).to.deep.equal([3]);
  });

  it('KAFKA-8733: nothing is held against it for lagMsMax after the leader began or woke', () => {
    const silent = { fetched: -1, durable: -1, fetchedAtMs: Number.NEGATIVE_INFINITY };
    expect(leaving(silent, 5000, { listeningSinceMs: 4500 })).to.deep.equal([]);
    expect(leaving({ ...silent, sinceMs: 4500 }, 5000)).to.deep.equal([]);
    expect(leaving(silent, 5501, { listeningSinceMs: 4500 })).to.deep.equal([3]);
    expect(
      leaving({ durable: 5, fetchedAtMs: 5000, caughtUpAtMs: 0 }, 5000, { listeningSinceMs: 4500 }),
    ).to.deep.equal([]);
  });

  it('one that is known under another life only leaves after lagMsMax', () => {
    const other = { incarnation: life(9), fetchedAtMs: 1000 };
    expect(leaving(other, LAG_MS)).to.deep.equal([]);
    expect(leaving(other, LAG_MS + 1)).to.deep.equal([3]);
  });

  it('one that nothing is known of leaves after lagMsMax', () => {
    const view = viewOf({ followers: [progressOf(2, { fetchedAtMs: 900 })] });
    expect(RULES.membersToRemove(view, LATE, RULES)).to.deep.equal([3]);
  });

  it('the leader never leaves, and the ISR may fall below min.insync', () => {
    const followers = [progressOf(2), progressOf(3)];
    expect(RULES.membersToRemove(viewOf({ followers }), LATE, RULES)).to.deep.equal([2, 3]);
  });

  it('R9: one whose process refuses connections leaves at once, unless too few would be left', () => {
    expect(leaving({}, 10, { refused: [3] })).to.deep.equal([3]);
    expect(leaving({}, 10, { refused: [2, 3] }), 'two of three stay').to.have.length(1);
    expect(leaving({}, 10, { refused: [3], minInsync: 3 })).to.deep.equal([]);
    expect(leaving({}, LAG_MS + 1, { refused: [3], minInsync: 3 }), 'but not for ever').to.deep.equal([3]);
  });
});

describe('the ISR that is proposed (2.3, I7)', () => {
  const proposed = (view: object, nowMs = NOW) =>
    RULES.nextIsr(viewOf(view), nowMs, RULES)?.map((member) => member.node) ?? null;

  it('is none while nothing changes, and none while one is in flight', () => {
    expect(proposed({})).to.equal(null);
    expect(proposed({ state: stateOf({ isr: [1, 2] }), pending: [1, 2, 3] })).to.equal(null);
  });

  it('takes out first, and lets in with the next one', () => {
    const followers = [progressOf(2), progressOf(3, { fetchedAtMs: LATE })];
    const state = stateOf({ isr: [1, 2] });
    expect(proposed({ state, followers }, LATE)).to.deep.equal([1]);
    expect(proposed({ state: stateOf({ isr: [1] }), followers }, LATE)).to.deep.equal([1, 3]);
  });

  it('KIP-903: names the life and directory of each member', () => {
    const third = progressOf(3, { incarnation: life(7), directoryId: 'fresh' });
    const view = viewOf({
      state: stateOf({ isr: [1, 2] }),
      followers: [progressOf(2), third],
      live: { 2: life(2), 3: life(7) },
    });
    expect(RULES.nextIsr(view, NOW, RULES)).to.deep.equal([
      { node: 1, incarnation: life(1), directoryId: 'd1' },
      { node: 2, incarnation: life(2), directoryId: 'd2' },
      { node: 3, incarnation: life(7), directoryId: 'fresh' },
    ]);
  });
});

describe('the answer to a proposal (2.3)', () => {
  const state = stateOf({ isr: [1, 2] });
  const view = viewOf({ state, pending: [1, 2, 3] });
  const reply = (
    result: ProposalResult,
    told: PartitionState | null = null,
    proposalId = 1,
  ): IsrProposalReply => ({
    kind: 'isrProposalReply',
    proposalId,
    partition: asPartitionId(0),
    leaderEpoch: asLeaderEpoch(EPOCH),
    controllerEpoch: asControllerEpoch(1),
    result,
    state: told,
  });
  const decide = (...of: Parameters<typeof reply>) => RULES.applyProposalReply(view, reply(...of)).kind;

  it('a state of this epoch and newer is adopted, whatever is said with it', () => {
    const newer = stateOf({ isr: [1, 2, 3], version: 8 });
    for (const result of ['ok', 'ineligible', 'invalidVersion'] as const) {
      expect(decide(result, newer)).to.equal('adopt');
      expect(decide(result, newer, 99), 'a late answer').to.equal('adopt');
    }
  });

  it('KAFKA-12686: a late ok never brings back an older state, or one of another epoch', () => {
    expect(decide('ok', stateOf({ version: 7 }))).to.equal('keep');
    expect(decide('ok', stateOf({ version: 6 }))).to.equal('keep');
    expect(decide('ok', stateOf({ version: 9, leaderEpoch: EPOCH + 1 }))).to.equal('keep');
    expect(decide('ok', stateOf({ version: 9, leaderEpoch: EPOCH - 1 }))).to.equal('keep');
    expect(decide('ok', { ...stateOf({ version: 9 }), uuid: 'another' })).to.equal('keep');
  });

  it('KAFKA-12751: an answer to something else changes nothing', () => {
    expect(decide('fencedEpoch', null, 2)).to.equal('ignore');
    expect(RULES.applyProposalReply({ ...view, pending: null }, reply('ok')).kind).to.equal('ignore');
  });

  it('KAFKA-2729: fenced, stale or unknown: it stays pending until new metadata comes', () => {
    for (const result of ['fencedEpoch', 'invalidVersion', 'unknownPartition'] as const) {
      expect(decide(result)).to.equal('keep');
    }
  });

  it('ineligible: rolled back by the newer version that comes with it, and by nothing else: a double may be on its way (ADR 6)', () => {
    expect(decide('ineligible', stateOf({ isr: [1, 2], version: 8 }))).to.equal('adopt');
    expect(decide('ineligible', state)).to.equal('keep');
    const over = viewOf({ state, pending: [1, 2, 3], live: { 2: life(2) } });
    expect(RULES.applyProposalReply(over, reply('ineligible', state)).kind).to.equal('keep');
  });

  it('not the controller: the identical proposal is sent again', () => {
    expect(decide('notController')).to.equal('retry');
  });
});
