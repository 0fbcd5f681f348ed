import { expect } from 'chai';
import { Alarm } from '../../src/env/alarm.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

describe('an alarm', () => {
  const bench = () => {
    const clock = new SimulatedClock();
    const rang: number[] = [];
    const alarm = new Alarm(clock, () => rang.push(clock.monotonicMs()));
    const startedAtMs = clock.monotonicMs();
    return { clock, alarm, rang, at: (ms: number) => startedAtMs + ms };
  };

  it('rings once, not before its moment', async () => {
    const { clock, alarm, rang, at } = bench();
    alarm.set(at(10));
    await clock.advance(9);
    expect(rang).to.deep.equal([]);
    await clock.advance(1);
    await clock.advance(100);
    expect(rang).to.deep.equal([at(10)]);
    expect(clock.timerCount).to.equal(0);
  });

  it('that is put off rings at the last moment that it was set to, and touches no timer for that', async () => {
    const { clock, alarm, rang, at } = bench();
    alarm.set(at(10));
    await clock.advance(5);
    alarm.set(at(25));
    expect(clock.timerCount).to.equal(1);
    await clock.advance(10);
    expect(rang).to.deep.equal([]);
    await clock.advance(10);
    expect(rang).to.deep.equal([at(25)]);
  });

  it('that is set to an earlier moment rings then', async () => {
    const { clock, alarm, rang, at } = bench();
    alarm.set(at(100));
    alarm.set(at(10));
    await clock.advance(10);
    expect(rang).to.deep.equal([at(10)]);
    await clock.advance(200);
    expect(rang.length).to.equal(1);
  });

  it('may be set again while it rings', async () => {
    const clock = new SimulatedClock();
    let rings = 0;
    const alarm: Alarm = new Alarm(clock, () => {
      rings += 1;
      if (rings < 3) alarm.set(clock.monotonicMs() + 10);
    });
    alarm.set(clock.monotonicMs() + 10);
    await clock.advance(100);
    expect(rings).to.equal(3);
  });

  it('waits whole milliseconds: a moment between two rings at the second', async () => {
    const { clock, alarm, rang, at } = bench();
    alarm.set(at(10.25));
    await clock.advance(10);
    expect(rang).to.deep.equal([]);
    await clock.advance(1);
    expect(rang).to.deep.equal([at(11)]);
  });

  it('that is cancelled leaves no timer', async () => {
    const { clock, alarm, rang, at } = bench();
    alarm.set(at(10));
    alarm.cancel();
    expect(clock.timerCount).to.equal(0);
    await clock.advance(100);
    expect(rang).to.deep.equal([]);
    alarm.set(at(200));
    await clock.advance(100);
    expect(rang).to.deep.equal([at(200)]);
  });
});
