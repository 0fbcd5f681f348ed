import { expect } from 'chai';
import { RULES } from '../../../src/replication/rules/rules.ts';
import { at, life, node, progressOf, stateOf, type ViewOptions, viewOf } from './views.ts';

const D = 600;
const leased = (id: number, options: object = {}) =>
  progressOf(id, { leaseUntilMs: 500, clockGapMs: 1000, ...options });
const valid = (options: ViewOptions = {}, nowMs = 400, wallMs = nowMs + 1000): boolean =>
  RULES.leaseValid(viewOf({ followers: [leased(2), leased(3)], ...options }), at(nowMs), wallMs, RULES);

describe('a lease (L1 to L4)', () => {
  it('4.3-1: counts from the sending of the stamp, whenever the echo comes', () => {
    expect(RULES.leaseExpiry(at(1000), D, D)).to.equal(1000 + D * 0.95 - 10);
  });

  it('4.3-2: the promise counts from the receipt of the stamp, and so outlives the lease', () => {
    const sentAtMs = 1000;
    const receivedAtMs = 1000;
    for (const rate of [0.95, 1, 1.05]) {
      const promised = RULES.promiseUntil(at(0), at(receivedAtMs), D) - receivedAtMs;
      const lease = RULES.leaseExpiry(at(sentAtMs), D, D) - sentAtMs;
      expect(lease, `the leader’s clock runs at ${rate}`).to.be.lessThan(promised / rate + 1e-9);
    }
  });

  it('4.3-2: to echo an old stamp again extends nothing', () => {
    const untilMs = RULES.promiseUntil(at(0), at(100), D);
    expect(RULES.promiseUntil(untilMs, at(50), D)).to.equal(untilMs);
    expect(RULES.promiseUntil(untilMs, at(100), D)).to.equal(untilMs);
  });

  it('4.3-13: of two lengths the shorter counts, and a promise is never shortened', () => {
    expect(RULES.leaseExpiry(at(0), 600, 400)).to.equal(370);
    expect(RULES.leaseExpiry(at(0), 400, 600)).to.equal(370);
    expect(RULES.promiseUntil(at(700), at(0), 300)).to.equal(700);
  });

  it('L4: is valid while everybody of the lease set is bound', () => {
    expect(valid({}, 499)).to.equal(true);
    expect(valid({}, 500)).to.equal(false);
    expect(valid({ followers: [leased(2), leased(3, { leaseUntilMs: 399 })] })).to.equal(false);
    expect(valid({ followers: [leased(2)] }), 'nothing known of one').to.equal(false);
  });

  it('4.3-6: a member of the ELR must be bound too', () => {
    const state = stateOf({ isr: [1, 2], elr: [3] });
    expect(valid({ state, followers: [leased(2), progressOf(3)] })).to.equal(false);
    expect(valid({ state, followers: [leased(2), leased(3)] })).to.equal(true);
    expect(valid({ state: stateOf({ isr: [1, 2] }), followers: [leased(2), progressOf(3)] })).to.equal(true);
  });

  it('4.3-8: whoever is proposed must be bound from before the proposal is sent', () => {
    const state = stateOf({ isr: [1, 2] });
    expect(valid({ state, pending: [1, 2, 3], followers: [leased(2), progressOf(3)] })).to.equal(false);
    expect(
      valid({ state: stateOf(), pending: [1, 2], followers: [leased(2), progressOf(3)] }),
      'shrink',
    ).to.equal(false);
  });

  it('4.3-7: alone in its ISR, with nobody eligible, a leader needs no promise', () => {
    const state = stateOf({ replicas: [1], isr: [1] });
    expect(valid({ state, followers: [], minInsync: 1 }, 1e12)).to.equal(true);
  });

  it('4.3-9: is void when wall and monotonic clock part by more than 100 ms', () => {
    expect(valid({}, 400, 1500)).to.equal(true);
    expect(valid({}, 400, 1501)).to.equal(false);
    expect(valid({}, 400, 1299)).to.equal(false);
    expect([RULES.clockJumped(0, 100), RULES.clockJumped(0, -101)]).to.deep.equal([false, true]);
  });

  it('4.3-11, KAFKA-2334: nothing is read before what was inherited is committed', () => {
    expect(valid({ highWatermark: 3, epochStart: 4 })).to.equal(false);
    expect(valid({ highWatermark: 4, epochStart: 4 })).to.equal(true);
  });

  it('L5: nothing is read before the leader may act', () => {
    expect(valid({ mayActAtMs: 401 })).to.equal(false);
    expect(valid({ mayActAtMs: 400 })).to.equal(true);
  });

  it('R10: no lease below min.insync', () => {
    expect(valid({ state: stateOf({ isr: [1, 2] }), minInsync: 3 })).to.equal(false);
  });
});

describe('read-index (4.2-2)', () => {
  const echoed = (second: number, third: number, sequence: number, options: ViewOptions = {}) => {
    const followers = [progressOf(2, { sequence: second }), progressOf(3, { sequence: third })];
    return RULES.readIndexConfirmed(viewOf({ followers, ...options }), sequence, at(0), RULES);
  };

  it('every member of the lease set echoed a stamp sent after the read came: a majority is not enough', () => {
    for (const second of [4, 5, 6]) {
      for (const third of [4, 5, 6]) expect(echoed(second, third, 5)).to.equal(second >= 5 && third >= 5);
    }
  });

  it('R10: not below min.insync, and not before what was inherited is committed', () => {
    expect(echoed(5, 5, 5, { minInsync: 4 })).to.equal(false);
    expect(echoed(5, 5, 5, { epochStart: 1 })).to.equal(false);
    expect(echoed(5, 5, 5, { mayActAtMs: 1 })).to.equal(false);
  });
});

describe('the version check (R9, R10)', () => {
  const confirms = (version: number, options: ViewOptions = {}) =>
    RULES.versionCheckConfirms(viewOf(options), version, at(0), RULES);

  it('confirms for the version that the leader leads by, also below min.insync', () => {
    expect(confirms(7)).to.equal(true);
    expect(confirms(6)).to.equal(false);
    expect(confirms(7, { minInsync: 4 })).to.equal(true);
  });

  it('R10: a leader elected into too small an ISR serves nothing', () => {
    expect(confirms(7, { hasHadMinInsync: false })).to.equal(false);
    expect(confirms(7, { isEpochKnown: false }), 'R17').to.equal(false);
    expect(confirms(7, { epochStart: 1 })).to.equal(false);
  });
});

describe('when a leader may act (L5, R20)', () => {
  const self = { node: node(1), incarnation: life(1) };
  const promise = (leader: number, untilMs: number, incarnation = life(leader)) => ({
    leader: node(leader),
    incarnation,
    untilMs: at(untilMs),
  });
  const from = (promises: readonly ReturnType<typeof promise>[], bootMs = Number.NEGATIVE_INFINITY): number =>
    RULES.mayActAt(promises, self, at(bootMs));

  it('4.3-15: when every promise to others is over', () => {
    expect(from([])).to.equal(Number.NEGATIVE_INFINITY);
    expect(from([promise(2, 300), promise(3, 200)])).to.equal(300);
  });

  it('R20: a promise to itself does not bind, one to an earlier life of anybody does', () => {
    expect(from([promise(1, 900)])).to.equal(Number.NEGATIVE_INFINITY);
    expect(from([promise(1, 900, life(4))])).to.equal(900);
  });

  it('4.3-4: a restarted node waits as long as it ever promised', () => {
    expect(from([promise(2, 300)], RULES.bootWaitUntil(at(50), 600))).to.equal(650);
    expect(RULES.bootWaitUntil(at(50), 0), 'it never promised').to.equal(Number.NEGATIVE_INFINITY);
  });

  it('from that instant on', () => {
    expect([RULES.mayAct(at(5), at(4)), RULES.mayAct(at(5), at(5))]).to.deep.equal([false, true]);
  });
});

describe('the gap in which reads have the third path alone (R9)', () => {
  it('is what of lag and long poll the lease does not outlast', () => {
    expect(RULES.readGapMs(600, 1500, 150)).to.equal(1080);
    expect(RULES.readGapMs(2000, 1500, 150)).to.equal(0);
    for (const leaseMs of [100, 1000, 1700, 1800, 5000]) {
      const hasGap = leaseMs * 0.95 < 1650;
      expect(RULES.readGapMs(leaseMs, 1500, 150) > 0).to.equal(hasGap);
    }
  });
});
