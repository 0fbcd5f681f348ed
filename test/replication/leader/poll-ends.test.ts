import { expect } from 'chai';
import { PollEnds } from '../../../src/replication/leader/poll-ends.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

const POLL_MS = 150;

describe('the moments at which polls end', () => {
  it('are the same for all who wait, and told to all in one turn', async () => {
    const clock = new SimulatedClock({ monotonicMs: 1000.25 });
    const pollEnds = new PollEnds(clock, POLL_MS);
    const told: string[] = [];
    const atMs: number[] = [];
    const wait = (name: string): void => {
      atMs.push(
        pollEnds.await(() => {
          told.push(`${name} ${clock.monotonicMs() >= 1050}`);
          clock.atTurnEnd(() => told.push('turn'));
        }),
      );
    };
    wait('first');
    await clock.advance(20);
    wait('second');
    await clock.advance(29);
    expect(told).to.deep.equal([]);
    await clock.advance(2);
    expect(atMs).to.deep.equal([1050, 1050]);
    expect(told).to.deep.equal(['first true', 'second true', 'turn', 'turn']);
  });

  it('come once to each, and not to who no longer waits', async () => {
    const clock = new SimulatedClock({ monotonicMs: 0 });
    const pollEnds = new PollEnds(clock, POLL_MS);
    const told: number[] = [];
    const one = (): number => told.push(1);
    const two = (): number => told.push(2);
    pollEnds.await(one);
    pollEnds.await(one);
    pollEnds.await(two);
    pollEnds.forget(two);
    await clock.advance(2 * POLL_MS + 1);
    expect(told).to.deep.equal([1]);
    pollEnds.await(two);
    pollEnds.forget(two);
    expect(clock.timerCount).to.equal(0);
  });

  it('never come later than the poll may take, nor at once', () => {
    for (const monotonicMs of [0, 0.5, 149.999, 150, 1_000_000.25]) {
      const clock = new SimulatedClock({ monotonicMs });
      const waitMs = new PollEnds(clock, POLL_MS).await(() => {}) - monotonicMs;
      expect(waitMs).to.be.within(Number.MIN_VALUE, POLL_MS);
    }
  });
});
