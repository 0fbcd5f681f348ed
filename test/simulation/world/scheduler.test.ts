import { expect } from 'chai';
import { Life } from './life.ts';
import { NodeClock, WallClock } from './node-clock.ts';
import { Scheduler } from './scheduler.ts';

function lifeOn(scheduler: Scheduler): Life {
  return new Life(scheduler, (error) => {
    throw error;
  });
}

function clockOn(scheduler: Scheduler, life: Life, rate = 1): NodeClock {
  return new NodeClock(scheduler, life, new WallClock(scheduler, 0), { monotonicMs: 77, rate });
}

describe('the scheduler of a simulated world', () => {
  it('runs events by time, and those of one time in the order they were given', async () => {
    const scheduler = new Scheduler();
    const seen: string[] = [];
    for (const [atMs, name] of [
      [5, 'c'],
      [1, 'a'],
      [5, 'd'],
      [2, 'b'],
    ] as const) {
      scheduler.at(atMs, null, () => seen.push(`${name}${scheduler.nowMs}`));
    }
    await scheduler.run(4);
    expect(seen).to.deep.equal(['a1', 'b2']);
    expect(scheduler.nowMs).to.equal(4);
    await scheduler.run(10);
    expect(seen).to.deep.equal(['a1', 'b2', 'c5', 'd5']);
  });

  it('lets every promise run that an event woke, however long the chain, before the next event', async () => {
    const scheduler = new Scheduler();
    const seen: string[] = [];
    const chain = async (): Promise<void> => {
      for (let step = 0; step < 100; step += 1) await Promise.resolve();
      seen.push('chain');
    };
    scheduler.at(1, null, () => void chain());
    scheduler.at(1, null, () => seen.push('next'));
    await scheduler.run(1);
    expect(seen).to.deep.equal(['chain', 'next']);
  });

  it('says so when something wakes itself for ever at one instant', async () => {
    const scheduler = new Scheduler();
    const again = (): void => void scheduler.after(0, null, again);
    again();
    let said = '';
    await scheduler.run(1).catch((error: unknown) => {
      said = String(error);
    });
    expect(said).to.contain('wakes itself for ever');
  });
});

describe('the clock of one life', () => {
  it('counts at its own rate, and fires a timer not before its own time is up', async () => {
    const scheduler = new Scheduler();
    const clock = clockOn(scheduler, lifeOn(scheduler), 0.5);
    const firedAt: number[] = [];
    clock.setTimer(10, () => firedAt.push(clock.monotonicMs()));
    await scheduler.run(19.9);
    expect(firedAt).to.deep.equal([]);
    await scheduler.run(21);
    expect(firedAt[0]).to.be.within(87, 87.01);
  });

  it('keeps its promise to a timer when the rate changes meanwhile', async () => {
    const scheduler = new Scheduler();
    const clock = clockOn(scheduler, lifeOn(scheduler), 1);
    const firedAt: number[] = [];
    clock.setTimer(10, () => firedAt.push(clock.monotonicMs()));
    await scheduler.run(5);
    clock.setRate(0.5);
    await scheduler.run(14);
    expect(firedAt).to.deep.equal([]);
    await scheduler.run(16);
    expect(firedAt[0]).to.be.within(87, 87.01);
  });

  it('jumps by the wall alone', async () => {
    const scheduler = new Scheduler();
    const wall = new WallClock(scheduler, 0);
    const clock = new NodeClock(scheduler, lifeOn(scheduler), wall, { monotonicMs: 77, rate: 1 });
    const before = clock.wallMs();
    wall.offsetMs += 5000;
    wall.offsetMs -= 1000;
    expect(clock.wallMs() - before).to.equal(4000);
    expect(clock.monotonicMs()).to.equal(77);
    expect(wall.offsetMsMax).to.equal(5000);
  });
});

describe('a life', () => {
  it('does late and in order what came due while its event loop stood still', async () => {
    const scheduler = new Scheduler();
    const life = lifeOn(scheduler);
    const clock = clockOn(scheduler, life);
    const seen: string[] = [];
    for (const ms of [30, 10, 20])
      clock.setTimer(ms, () => seen.push(`${ms} at ${Math.round(scheduler.nowMs)}`));
    life.stall(25, false);
    await scheduler.run(24);
    expect(seen).to.deep.equal([]);
    expect(life.isStalled).to.equal(true);
    await scheduler.run(40);
    expect(seen).to.deep.equal(['10 at 25', '20 at 25', '30 at 30']);
  });

  it('runs its timers before its messages when it was stopped and goes on', async () => {
    const scheduler = new Scheduler();
    const life = lifeOn(scheduler);
    const seen: string[] = [];
    scheduler.at(5, life, () => seen.push('message'));
    clockOn(scheduler, life).setTimer(6, () => seen.push('timer'));
    life.stall(10, true);
    await scheduler.run(10);
    expect(seen).to.deep.equal(['timer', 'message']);
  });

  it('does not cancel in vain while it stands still', async () => {
    const scheduler = new Scheduler();
    const life = lifeOn(scheduler);
    const clock = clockOn(scheduler, life);
    const seen: string[] = [];
    const second = clock.setTimer(6, () => seen.push('second'));
    clock.setTimer(5, () => second.cancel());
    life.stall(10, false);
    await scheduler.run(20);
    expect(seen).to.deep.equal([]);
  });

  it('does nothing any more once it has ended, not even what was begun', async () => {
    const scheduler = new Scheduler();
    const life = lifeOn(scheduler);
    const clock = clockOn(scheduler, life);
    const seen: string[] = [];
    const work = async (): Promise<void> => {
      seen.push('begun');
      await clock.sleep(5);
      seen.push('ended');
    };
    void work();
    await scheduler.run(1);
    life.end();
    await scheduler.run(100);
    expect(seen).to.deep.equal(['begun']);
  });
});
