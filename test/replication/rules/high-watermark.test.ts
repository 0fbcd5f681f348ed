import { expect } from 'chai';
import { RULES } from '../../../src/replication/rules/rules.ts';
import type { LeaderView } from '../../../src/replication/rules/types.ts';
import { at, LAG_MS, life, offset, progressOf, stateOf, viewOf } from './views.ts';

const NOW = at(100);
const highWatermark = (view: LeaderView, nowMs = NOW): number => RULES.highWatermark(view, nowMs, RULES);

const RANGE = [-1, 0, 1, 2, 3];
const SUBSETS = [[], [2], [3], [2, 3]];

describe('the high watermark of a leader (2.5, R1, I3, I5)', () => {
  it('over all small sets is the smallest durable offset over the maximal ISR, never goes back, and stands below min.insync', () => {
    let cases = 0;
    for (const followers of SUBSETS) {
      for (const added of SUBSETS) {
        for (const second of RANGE) {
          for (const third of RANGE) {
            for (const own of [0, 1, 2, 3]) {
              for (const current of [0, 1, 2]) {
                for (const minInsync of [1, 2, 3]) {
                  const isr = [1, ...followers];
                  const view = viewOf({
                    state: stateOf({ isr }),
                    pending: [...new Set([...isr, ...added])],
                    // Not alive: nobody but members is waited for.
                    live: {},
                    followers: [progressOf(2, { durable: second }), progressOf(3, { durable: third })],
                    durable: own,
                    logEnd: 3,
                    highWatermark: current,
                    minInsync,
                  });
                  const found = highWatermark(view);
                  const durable = [own];
                  if (followers.includes(2) || added.includes(2)) durable.push(second);
                  if (followers.includes(3) || added.includes(3)) durable.push(third);
                  const moved = Math.max(current, Math.min(...durable));
                  expect(found).to.equal(isr.length < minInsync ? current : moved);
                  cases += 1;
                }
              }
            }
          }
        }
      }
    }
    expect(cases).to.equal(4 * 4 * 25 * 4 * 3 * 3);
  });

  it('R17: an epoch is known when so many have fetched in it, the leader included, that no controller can miss it', () => {
    const isKnown = (minInsync: number, fetched: readonly number[], replicas = [1, 2, 3]): boolean =>
      RULES.isEpochKnown(
        viewOf({
          state: stateOf({ replicas }),
          minInsync,
          followers: [2, 3].map((id) => progressOf(id, { fetched: fetched.includes(id) ? 0 : -1 })),
        }),
      );
    expect([isKnown(2, []), isKnown(2, [3]), isKnown(3, [3]), isKnown(3, [2, 3])]).to.deep.equal([
      false,
      true,
      false,
      true,
    ]);
    expect([isKnown(1, []), isKnown(2, [], [1])]).to.deep.equal([true, true]);
    const adding = viewOf({
      state: stateOf({ isr: [1, 2], adding: [3] }),
      minInsync: 2,
      followers: [progressOf(3)],
    });
    expect(RULES.isEpochKnown(adding), 'a controller would not count it').to.equal(false);
  });

  it('R1: a pending expansion does not make up for a committed ISR below min.insync', () => {
    const view = viewOf({ state: stateOf({ isr: [1] }), pending: [1, 2, 3] });
    expect(RULES.acceptsAppends(view)).to.equal(false);
    expect(highWatermark(view)).to.equal(0);
  });

  it('KAFKA-15583: the last replica standing commits nothing', () => {
    expect(highWatermark(viewOf({ state: stateOf({ isr: [1], elr: [2, 3] }) }))).to.equal(0);
  });

  it('Jepsen 2013: a leader whose followers were all removed takes no writes', () => {
    expect(RULES.acceptsAppends(viewOf({ state: stateOf({ isr: [1] }), minInsync: 2 }))).to.equal(false);
    expect(RULES.acceptsAppends(viewOf({ state: stateOf({ isr: [1, 2] }), minInsync: 2 }))).to.equal(true);
  });

  it('one node alone commits what is on its disk', () => {
    const state = stateOf({ replicas: [1], isr: [1] });
    expect(highWatermark(viewOf({ state, followers: [], minInsync: 1, durable: 4 }))).to.equal(4);
  });

  it('KAFKA-15489: stands while a member has not fetched in this epoch', () => {
    expect(highWatermark(viewOf({ followers: [progressOf(2), progressOf(3, { fetched: -1 })] }))).to.equal(0);
    expect(highWatermark(viewOf({ followers: [progressOf(2)] })), 'nothing known').to.equal(0);
  });

  it('KAFKA-14139: a member counts under its committed life and directory only', () => {
    const other = (options: object) =>
      highWatermark(viewOf({ followers: [progressOf(2), progressOf(3, options)] }));
    expect(other({ incarnation: life(4) })).to.equal(0);
    expect(other({ directoryId: 'another' })).to.equal(0);
    expect(other({})).to.equal(10);
  });

  it('R17: a member counts once it has acknowledged the version that the leader counts by', () => {
    const acked = (version: number) =>
      highWatermark(viewOf({ followers: [progressOf(2), progressOf(3, { version })] }));
    expect(acked(6)).to.equal(0);
    expect(acked(7)).to.equal(10);
    expect(acked(8)).to.equal(10);
  });

  it('R8: what was fetched and is not on disk does not count', () => {
    const ahead = progressOf(3, { fetched: 10, durable: 4 });
    expect(highWatermark(viewOf({ followers: [progressOf(2), ahead] }))).to.equal(4);
  });

  it('a member that is added counts under the life and directory of the proposal', () => {
    const state = stateOf({ isr: [1, 2] });
    const pending = [1, 2, 3];
    const joining = (options: object) =>
      highWatermark(viewOf({ state, pending, followers: [progressOf(2), progressOf(3, options)] }));
    expect(joining({ durable: 6 })).to.equal(6);
    expect(joining({ durable: 6, directoryId: 'another' })).to.equal(0);
  });

  it('a shrink that is proposed changes nothing: who is to leave counts until the commit (2.4)', () => {
    const followers = [progressOf(2), progressOf(3, { durable: 4 })];
    expect(highWatermark(viewOf({ pending: [1, 2], followers }))).to.equal(4);
  });

  it('4.3-3, L5: stands until the leader may act', () => {
    const view = viewOf({ mayActAtMs: 200 });
    expect(highWatermark(view, at(199))).to.equal(0);
    expect(highWatermark(view, at(200))).to.equal(10);
  });

  it('2.5: waits for a replica that is caught up and may join', () => {
    const state = stateOf({ isr: [1, 2] });
    const followers = [progressOf(2), progressOf(3, { durable: 4, caughtUpAtMs: 0 })];
    expect(highWatermark(viewOf({ state, followers }), at(LAG_MS))).to.equal(4);
    expect(highWatermark(viewOf({ state, followers }), at(LAG_MS + 1)), 'it fell behind').to.equal(10);
  });

  it('KAFKA-15021: does not wait for a replica that is caught up and may not join', () => {
    const state = stateOf({ isr: [1, 2] });
    const waiting = (options: object, more: object = {}) =>
      highWatermark(
        viewOf({ state, followers: [progressOf(2), progressOf(3, { durable: 4, ...options })], ...more }),
      );
    expect(waiting({})).to.equal(4);
    expect(waiting({ incarnation: life(4) }), 'not the life that is alive').to.equal(10);
    expect(waiting({ fetched: -1 }), 'not fetched in this epoch').to.equal(10);
    expect(waiting({ isRebuilding: true }), 'still rebuilding').to.equal(10);
    expect(waiting({}, { live: { 2: life(2) } }), 'dead').to.equal(10);
    expect(waiting({}, { barred: [3] }), 'refused by the controller').to.equal(10);
    expect(waiting({}, { state: stateOf({ replicas: [1, 2], isr: [1, 2] }) }), 'not assigned').to.equal(10);
  });
});

describe('the high watermark of a follower (2.5)', () => {
  const follow = (current: number, logEnd: number, leader: number): number =>
    RULES.followerHighWatermark({
      current: offset(current),
      logEndOffset: offset(logEnd),
      outcome: { result: 'data', highWatermark: offset(leader) },
    });

  it('over all small sets is min(own log end, the leader’s), and never goes back', () => {
    for (const current of [0, 1, 2]) {
      for (const logEnd of [2, 3]) {
        for (const leader of [0, 1, 2, 3, 4]) {
          expect(follow(current, logEnd, leader)).to.equal(Math.max(current, Math.min(logEnd, leader)));
        }
      }
    }
  });

  it('KAFKA-14704: a diverging reply never moves it', () => {
    for (const result of [
      'diverging',
      'resync',
      'fenced',
      'unknownEpoch',
      'notLeader',
      'outOfRange',
    ] as const) {
      const outcome = { result, highWatermark: offset(9) };
      expect(RULES.followerHighWatermark({ current: offset(1), logEndOffset: offset(9), outcome })).to.equal(
        1,
      );
    }
  });
});
