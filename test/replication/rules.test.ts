import { expect } from 'chai';
import fc from 'fast-check';
import { LIMITS } from '../../src/model/limits.ts';
import { asOffset } from '../../src/model/numbers.ts';
import { ExpirySweeper, type ExpiryTarget } from '../../src/replication/leader/expiry-sweeper.ts';
import { ResolutionQueue } from '../../src/replication/leader/resolution-queue.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

describe('those who wait for an offset', () => {
  it('are resolved once everything up to it is, or it was given up, and not before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(12), { maxLength: 20 }),
        fc.nat(13),
        fc.nat(13),
        async (waited, below, from) => {
          const queue = new ResolutionQueue();
          const resolved: boolean[] = waited.map(() => false);
          for (const [index, offset] of waited.entries()) {
            void queue.wait(asOffset(offset)).then(() => {
              resolved[index] = true;
            });
          }
          queue.resolveBelow(asOffset(below));
          await Promise.resolve();
          await Promise.resolve();
          expect(resolved).to.deep.equal(waited.map((offset) => offset < below));
          queue.resolveFrom(asOffset(from));
          await Promise.resolve();
          await Promise.resolve();
          expect(resolved).to.deep.equal(waited.map((offset) => offset < below || offset >= from));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('share a promise when they wait for the same', () => {
    const queue = new ResolutionQueue();
    const first = queue.wait(asOffset(4));
    void queue.wait(asOffset(9));
    void queue.wait(asOffset(1));
    expect(queue.wait(asOffset(4))).to.equal(first);
  });
});

/** Due times; a key that was expired is gone at once. */
class FakeTarget implements ExpiryTarget {
  readonly sweeps: { readonly atMs: number; readonly count: number }[] = [];
  isBusy = false;
  dueMs: number[] = [];

  nextDueMs(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.dueMs);
  }

  expireDue(nowMs: number, countMax: number): number {
    const due = this.dueMs.filter((at) => at <= nowMs).slice(0, countMax);
    for (const at of due) this.dueMs.splice(this.dueMs.indexOf(at), 1);
    this.sweeps.push({ atMs: nowMs, count: due.length });
    return due.length;
  }
}

describe('the expiry sweeper (R4)', () => {
  function setUp(...inMs: readonly number[]) {
    const clock = new SimulatedClock();
    const target = new FakeTarget();
    const startMs: number = clock.wallMs();
    target.dueMs = inMs.map((ms) => startMs + ms);
    const sweeper = new ExpirySweeper(clock, target);
    const swept = (): [number, number][] => target.sweeps.map(({ atMs, count }) => [atMs - startMs, count]);
    return { clock, target, sweeper, startMs, swept };
  }

  it('sweeps when a key is due, not before and not later, with one timer', async () => {
    const { clock, sweeper, swept } = setUp(100, 250, 250);
    sweeper.look();
    sweeper.look();
    expect(clock.timerCount).to.equal(1);
    await clock.advance(99);
    expect(swept()).to.deep.equal([]);
    await clock.advance(1);
    expect(swept()).to.deep.equal([[100, 1]]);
    await clock.advance(1000);
    expect(swept()).to.deep.equal([
      [100, 1],
      [250, 2],
    ]);
    expect(clock.timerCount, 'nothing is due any more').to.equal(0);
    expect(sweeper.lagMs).to.equal(0);
  });

  it('takes an earlier key that came later first', async () => {
    const { clock, target, sweeper, startMs, swept } = setUp(500);
    sweeper.look();
    target.dueMs.push(startMs + 50);
    sweeper.look();
    expect(clock.timerCount).to.equal(1);
    await clock.advance(60);
    expect(swept()).to.deep.equal([[50, 1]]);
    await clock.advance(500);
    expect(swept()[1]).to.deep.equal([500, 1]);
  });

  it('works a long row off in slices, a turn apart', async () => {
    const count = LIMITS.expiriesPerSlice * 2 + 10;
    const { clock, sweeper, swept } = setUp(...Array.from({ length: count }, () => 10));
    sweeper.look();
    await clock.advance(10);
    expect(swept().map(([, swept]) => swept)).to.deep.equal([
      LIMITS.expiriesPerSlice,
      LIMITS.expiriesPerSlice,
      10,
    ]);
  });

  it('lets other turns run between two slices', async () => {
    const { clock, sweeper, swept } = setUp(...Array.from({ length: LIMITS.expiriesPerSlice + 1 }, () => -5));
    sweeper.look();
    const advanced = clock.advance(1);
    await advanced;
    expect(swept()).to.have.length(2);
    expect(sweeper.lagMs, 'how late the last one was').to.equal(6);
  });

  it('tries again soon while it cannot append', async () => {
    const { clock, target, sweeper, swept } = setUp(100);
    target.isBusy = true;
    sweeper.look();
    await clock.advance(500);
    expect(swept()).to.deep.equal([]);
    expect(clock.timerCount).to.equal(1);
    target.isBusy = false;
    await clock.advance(50);
    expect(swept()).to.have.length(1);
    expect(sweeper.lagMs).to.be.within(400, 450);
  });

  it('reaches a key that is due much later than it sets a timer', async () => {
    const far = 3 * 3600 * 1000;
    const { clock, sweeper, swept } = setUp(far);
    sweeper.look();
    await clock.advance(far - 1);
    expect(swept().reduce((sum, [, count]) => sum + count, 0)).to.equal(0);
    expect(swept().length, 'the timer is renewed, not spun').to.be.lessThan(200);
    await clock.advance(1);
    expect(swept().at(-1)).to.deep.equal([far, 1]);
  });

  it('sets no timer where nothing expires, and none once it is stopped', async () => {
    const { clock, target, sweeper, startMs, swept } = setUp();
    sweeper.look();
    expect(clock.timerCount).to.equal(0);
    target.dueMs = [startMs + 10];
    sweeper.look();
    sweeper.stop();
    expect(clock.timerCount).to.equal(0);
    sweeper.look();
    await clock.advance(100);
    expect(swept()).to.deep.equal([]);
  });
});
