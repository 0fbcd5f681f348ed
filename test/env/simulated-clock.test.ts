import { expect } from 'chai';
import { SimulatedClock } from '../support/simulated-clock.ts';

describe('the simulated clock', () => {
  it('stands until it is moved, and keeps wall and monotonic time apart', async () => {
    const clock = new SimulatedClock({ wallMs: 1000, monotonicMs: 7 });
    await clock.settle();
    expect([clock.wallMs(), clock.monotonicMs()]).to.deep.equal([1000, 7]);
    await clock.advance(5);
    expect([clock.wallMs(), clock.monotonicMs()]).to.deep.equal([1005, 12]);
    clock.wallJump(-500);
    expect([clock.wallMs(), clock.monotonicMs()]).to.deep.equal([505, 12]);
  });

  it('fires timers at their time and in their order, those set on the way included', async () => {
    const clock = new SimulatedClock({ monotonicMs: 0 });
    const fired: string[] = [];
    const note = (name: string): void => void fired.push(`${name}@${clock.monotonicMs()}`);
    clock.setTimer(20, () => note('late'));
    clock.setTimer(10, () => {
      note('early');
      clock.setTimer(5, () => note('nested'));
    });
    clock.setTimer(10, () => note('same'));
    clock.setTimer(10, () => note('cancelled')).cancel();
    clock.setTimer(31, () => note('future'));
    await clock.advance(30);
    expect(fired).to.deep.equal(['early@10', 'same@10', 'nested@15', 'late@20']);
    expect(clock.timerCount).to.equal(1);
  });

  it('does not fire a timer of a wall jump', async () => {
    const clock = new SimulatedClock();
    let fired = false;
    clock.setTimer(10, () => {
      fired = true;
    });
    clock.wallJump(60_000);
    await clock.settle();
    expect(fired).to.equal(false);
  });

  it('wakes a sleeper, whose next sleep counts from then', async () => {
    const clock = new SimulatedClock({ monotonicMs: 0 });
    const woken: number[] = [];
    const sleeper = (async () => {
      for (let round = 0; round < 3; round += 1) {
        await clock.sleep(10);
        woken.push(clock.monotonicMs());
      }
    })();
    await clock.advance(100);
    await sleeper;
    expect(woken).to.deep.equal([10, 20, 30]);
  });

  it('runs the end of one turn at a time', async () => {
    const clock = new SimulatedClock();
    const ran: string[] = [];
    clock.atTurnEnd(() => {
      ran.push('first');
      clock.atTurnEnd(() => ran.push('next turn'));
    });
    clock.atTurnEnd(() => ran.push('second'));
    expect(ran).to.deep.equal([]);
    await clock.runTurn();
    expect(ran).to.deep.equal(['first', 'second']);
    expect(clock.turnEndCount).to.equal(1);
    await clock.runTurn();
    expect(ran).to.deep.equal(['first', 'second', 'next turn']);
  });

  it('settles when nothing waits for a turn any more', async () => {
    const clock = new SimulatedClock();
    let turns = 0;
    const worker = (async () => {
      for (; turns < 50; turns += 1) await clock.yieldTurn();
    })();
    await clock.settle();
    expect(turns).to.equal(50);
    await worker;
  });

  it('settles also what real callbacks set off', async () => {
    const clock = new SimulatedClock();
    let done = false;
    setImmediate(() =>
      clock.atTurnEnd(() => {
        done = true;
      }),
    );
    await clock.settle();
    expect(done).to.equal(true);
  });

  it('says so when parts wake each other for ever', async () => {
    const clock = new SimulatedClock();
    let stopped = false;
    const again = (): void => {
      if (!stopped) clock.atTurnEnd(again);
    };
    again();
    const error = await clock.settle().catch((reason: unknown) => reason);
    stopped = true;
    expect(String(error)).to.contain('not quiet');
  });

  it('runs turns until a promise is settled, and hands on its outcome', async () => {
    const clock = new SimulatedClock();
    const work = async (): Promise<number> => {
      for (let turn = 0; turn < 5; turn += 1) await clock.yieldTurn();
      return 42;
    };
    expect(await clock.until(work())).to.equal(42);
    const failed = await clock.until(Promise.reject(new Error('no'))).catch((reason: unknown) => reason);
    expect(String(failed)).to.contain('no');
  });
});
