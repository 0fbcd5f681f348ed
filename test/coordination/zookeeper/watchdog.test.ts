import { expect } from 'chai';
import { judge, type Vitals, Watchdog } from '../../../src/coordination/zookeeper/watchdog.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

/** T. */
const SESSION_MS = 6_000;
const NOW = 1_000_000;

const well: Vitals = {
  nowMs: NOW,
  timeoutMs: SESSION_MS,
  serverCount: 3,
  isConnected: true,
  attemptSinceMs: null,
  oldestSentMs: null,
  lastSentMs: NOW,
  lastReplyMs: NOW,
  unservedMs: 0,
  isOurStall: false,
};

describe('the watchdog of a ZooKeeper session', () => {
  const actions = (changed: Partial<Vitals>): string[] => [...judge({ ...well, ...changed })].sort();

  it('does nothing while all is well', () => {
    expect(actions({})).to.deep.equal([]);
  });

  it('suspends after a third of T without an answer, connected or not (W12)', () => {
    expect(actions({ lastReplyMs: NOW - SESSION_MS / 3 })).to.deep.equal([]);
    expect(actions({ lastReplyMs: NOW - SESSION_MS / 3 - 1 })).to.deep.equal(['suspend']);
    expect(actions({ lastReplyMs: NOW - SESSION_MS / 3 - 1, isConnected: false })).to.deep.equal(['suspend']);
  });

  it('drops a connection whose oldest request waits for more than half of T (H1)', () => {
    expect(actions({ oldestSentMs: NOW - SESSION_MS / 2 })).to.deep.equal([]);
    expect(actions({ oldestSentMs: NOW - SESSION_MS / 2 - 1 })).to.deep.equal(['dropSilent']);
  });

  it('asks for a sign of life before a quarter of T, though much may arrive (H12)', () => {
    expect(actions({ lastSentMs: NOW - SESSION_MS / 5 + 1 })).to.deep.equal([]);
    expect(actions({ lastSentMs: NOW - SESSION_MS / 5 })).to.deep.equal(['beat']);
    expect(actions({ lastSentMs: NOW - SESSION_MS, oldestSentMs: NOW - 10 })).to.deep.equal([]);
    expect(actions({ lastSentMs: NOW - SESSION_MS, isConnected: false })).to.deep.equal([]);
  });

  it('gives up an attempt after its share of T, and at least a second (H2)', () => {
    const attempt = (ms: number, changed: Partial<Vitals> = {}): string[] =>
      actions({ isConnected: false, attemptSinceMs: NOW - ms, ...changed });
    expect(attempt(2_000)).to.deep.equal([]);
    expect(attempt(2_001)).to.deep.equal(['dropWedged']);
    expect(attempt(1_000, { timeoutMs: 900 })).to.deep.equal([]);
    expect(attempt(1_001, { timeoutMs: 900 })).to.deep.equal(['dropWedged']);
  });

  // A ZooKeeper alone came back, took the connection while it was starting, and never answered: the session was over
  // before the second attempt.
  it('gives up an attempt at the only server while the session still lasts', () => {
    const attempt = (ms: number): string[] =>
      actions({ isConnected: false, attemptSinceMs: NOW - ms, serverCount: 1 });
    expect(attempt(2_000)).to.deep.equal([]);
    expect(attempt(2_001)).to.deep.equal(['dropWedged']);
  });

  it('gives up the session after three T, and at least a minute, at servers that do not serve it (W14)', () => {
    const unserved = (ms: number, changed: Partial<Vitals> = {}): string[] =>
      actions({ isConnected: false, unservedMs: ms, ...changed });
    expect(unserved(60_000)).to.deep.equal([]);
    expect(unserved(60_001)).to.deep.equal(['abandon']);
    expect(unserved(90_000, { timeoutMs: 30_000 })).to.deep.equal([]);
    expect(unserved(90_001, { timeoutMs: 30_000 })).to.deep.equal(['abandon']);
    expect(unserved(90_001, { isConnected: true })).to.deep.equal([]);
    // Nobody there at all proves nothing (W12).
    expect(unserved(0, { lastReplyMs: NOW - 3_600_000 })).to.deep.equal(['suspend']);
  });

  it('after a stall of its own it only suspends (H14)', () => {
    const longAgo = NOW - 100_000;
    const stalled = { lastReplyMs: longAgo, unservedMs: 100_000, isOurStall: true };
    expect(actions({ ...stalled, oldestSentMs: longAgo })).to.deep.equal(['suspend']);
    expect(actions({ ...stalled, isConnected: false, attemptSinceMs: longAgo })).to.deep.equal(['suspend']);
  });

  it('ticks every tenth of T until it is stopped', async () => {
    const clock = new SimulatedClock();
    const ticks: boolean[] = [];
    const watchdog = new Watchdog(
      clock,
      () => SESSION_MS,
      (isLate) => ticks.push(isLate),
    );
    watchdog.start();
    await clock.advance(SESSION_MS);
    expect(ticks).to.deep.equal(Array.from({ length: 10 }, () => false));
    watchdog.stop();
    await clock.advance(SESSION_MS);
    expect(ticks).to.have.lengthOf(10);
    expect(clock.timerCount).to.equal(0);
  });
});
