import { expect } from 'chai';
import { LIMITS } from '../../src/model/limits.ts';
import { type Flushable, FlushScheduler } from '../../src/storage/flush-scheduler.ts';
import { planMerge, type SegmentShape } from '../../src/storage/merge-policy.ts';
import { SerialQueue } from '../../src/storage/serial-queue.ts';
import { Slices } from '../../src/storage/slices.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { failureOf } from '../support/store-fixture.ts';

describe('the serial queue', () => {
  it('runs tasks in order, never two at once, and goes on after a failure', async () => {
    const queue = new SerialQueue();
    const events: string[] = [];
    const release: (() => void)[] = [];
    const task = (name: string, fails = false): Promise<string> =>
      queue.run(async () => {
        events.push(`${name} begins`);
        await new Promise<void>((resolve) => release.push(resolve));
        events.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      });
    const first = task('a');
    const second = failureOf(() => task('b', true));
    const third = task('c');
    let idle = false;
    void queue.idle.then(() => {
      idle = true;
    });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    for (let round = 0; round < 3; round += 1) {
      await turn();
      expect(release).to.have.length(1);
      expect(idle).to.equal(false);
      release.pop()?.();
    }
    expect(await first).to.equal('a');
    expect(await second).to.be.instanceOf(Error);
    expect(await third).to.equal('c');
    await queue.idle;
    expect(events).to.deep.equal(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });
});

describe('slices of long work', () => {
  it('end after their time, looked at every 256 units, and begin anew after the rest', async () => {
    const clock = new SimulatedClock();
    const slices = new Slices(clock);
    const spentIn = (units: number): number => {
      let spent = 0;
      for (let n = 0; n < units; n += 1) if (slices.isSpent) spent += 1;
      return spent;
    };
    expect(spentIn(2560), 'no time has passed').to.equal(0);
    await clock.advance(LIMITS.sliceMsMax);
    expect(spentIn(255), 'the clock was not read').to.equal(0);
    expect(spentIn(1)).to.equal(1);
    const rest = slices.rest();
    expect(clock.turnEndCount).to.equal(1);
    await clock.until(rest);
    expect(spentIn(2560)).to.equal(0);
  });
});

class FakeLog implements Flushable {
  unflushed = 0;
  running = 0;
  flushed: number[] = [];
  #finish: (() => void) | null = null;
  readonly #others: { active: number; activeMax: number };

  constructor(others: { active: number; activeMax: number }) {
    this.#others = others;
  }

  get hasUnflushed(): boolean {
    return this.unflushed > 0;
  }

  async flushOne(): Promise<void> {
    this.running += 1;
    this.#others.active += 1;
    this.#others.activeMax = Math.max(this.#others.activeMax, this.#others.active);
    expect(this.running, 'flushes of one log at a time').to.equal(1);
    this.flushed.push(this.unflushed);
    this.unflushed = 0;
    await new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    this.running -= 1;
    this.#others.active -= 1;
  }

  finish(): void {
    this.#finish?.();
    this.#finish = null;
  }
}

describe('the flush scheduler', () => {
  const newLogs = (count: number) => {
    const others = { active: 0, activeMax: 0 };
    return { others, logs: Array.from({ length: count }, () => new FakeLog(others)) };
  };

  it('flushes at the end of the turn, once for all that was appended in it', async () => {
    const clock = new SimulatedClock();
    const scheduler = new FlushScheduler(clock, 4);
    const { logs } = newLogs(1);
    const [log] = logs as [FakeLog];
    for (let n = 0; n < 5; n += 1) {
      log.unflushed += 1;
      scheduler.request(log);
    }
    expect(log.flushed).to.deep.equal([]);
    expect(clock.turnEndCount).to.equal(1);
    await clock.runTurn();
    expect(log.flushed).to.deep.equal([5]);
  });

  it('never flushes a log twice at a time; what comes meanwhile goes together afterwards', async () => {
    const clock = new SimulatedClock();
    const scheduler = new FlushScheduler(clock, 4);
    const { logs } = newLogs(1);
    const [log] = logs as [FakeLog];
    log.unflushed = 1;
    scheduler.request(log);
    await clock.runTurn();
    for (let n = 0; n < 3; n += 1) {
      log.unflushed += 1;
      scheduler.request(log);
      await clock.runTurn();
    }
    expect(log.flushed).to.deep.equal([1]);
    log.finish();
    await clock.settle();
    expect(log.flushed).to.deep.equal([1, 3]);
    log.finish();
    await clock.settle();
    expect(log.running).to.equal(0);
    expect(scheduler.flushes).to.equal(2);
    log.unflushed = 1;
    scheduler.request(log);
    await clock.settle();
    expect(log.flushed).to.deep.equal([1, 3, 1]);
  });

  it('runs at most so many at once and takes the logs in the order they asked', async () => {
    const clock = new SimulatedClock();
    const scheduler = new FlushScheduler(clock, 2);
    const { logs, others } = newLogs(5);
    for (const log of logs) {
      log.unflushed = 1;
      scheduler.request(log);
    }
    await clock.settle();
    const started = (): number[] => logs.flatMap((log, index) => (log.flushed.length > 0 ? [index] : []));
    expect(started()).to.deep.equal([0, 1]);
    logs[1]?.finish();
    await clock.settle();
    expect(started()).to.deep.equal([0, 1, 2]);
    (logs[0] as FakeLog).unflushed = 1;
    logs[0]?.finish();
    await clock.settle();
    expect(started(), 'who was first waits behind the others').to.deep.equal([0, 1, 2, 3]);
    expect(logs[0]?.flushed).to.deep.equal([1]);
    for (let round = 0; round < 4; round += 1) {
      for (const log of logs) log.finish();
      await clock.settle();
    }
    expect(logs.map((log) => log.flushed.length)).to.deep.equal([2, 1, 1, 1, 1]);
    expect(others).to.deep.equal({ active: 0, activeMax: 2 });
  });
});

describe('the choice of what to merge', () => {
  const policy = { deadRatioMin: 0.5, segmentBytesMax: 1000 };
  const shape = (length: number, deadBytes: number, tombstoneBytes = 0): SegmentShape => ({
    length,
    deadBytes,
    tombstoneBytes,
  });
  const full = shape(1000, 0);
  const cases: readonly [string, readonly SegmentShape[], ReturnType<typeof planMerge>][] = [
    ['nothing of nothing', [], null],
    ['nothing where nothing is dead', [full, full, full], null],
    ['nothing below the ratio', [shape(1000, 499), shape(1000, 499)], null],
    ['a segment at the ratio', [full, full, shape(1000, 500), full], { first: 2, count: 1 }],
    [
      'the shortest prefix that gives back enough',
      [shape(1000, 600), shape(1000, 600)],
      { first: 0, count: 1 },
    ],
    ['a longer prefix if it takes one', [shape(1000, 400), shape(1000, 700), full], { first: 0, count: 2 }],
    [
      'the longest run elsewhere',
      [full, full, full, shape(1000, 500), full, shape(1000, 600), shape(1000, 500)],
      { first: 5, count: 2 },
    ],
    ['tombstones of a prefix', [shape(1000, 100, 400), full], { first: 0, count: 1 }],
    ['no tombstones elsewhere (C4a)', [full, full, full, shape(1000, 100, 800)], null],
    ['two small neighbours', [full, shape(200, 0), shape(300, 0), full], { first: 1, count: 2 }],
    ['no neighbours that fill more than half a file', [full, shape(200, 0), shape(301, 0), full], null],
    ['no empty prefix', [shape(1000, 0), full], null],
  ];
  for (const [name, segments, expected] of cases) {
    it(`takes ${name}`, () => {
      expect(planMerge(segments, policy)).to.deep.equal(expected);
    });
  }

  it('comes to an end: a merge of what it chose leaves less to do', () => {
    let segments = Array.from({ length: 12 }, (_, n) => shape(100 + n * 70, (n * 37) % 100, (n * 11) % 40));
    for (let round = 0; round < 100; round += 1) {
      const plan = planMerge(segments, policy);
      if (plan === null) return;
      const inputs = segments.slice(plan.first, plan.first + plan.count);
      const tombstones = plan.first === 0 ? 0 : inputs.reduce((sum, each) => sum + each.tombstoneBytes, 0);
      const dropped = plan.first === 0 ? inputs.reduce((sum, each) => sum + each.tombstoneBytes, 0) : 0;
      const length = inputs.reduce((sum, each) => sum + each.length - each.deadBytes, 0) - dropped;
      segments = segments.toSpliced(plan.first, plan.count, shape(length, 0, tombstones));
    }
    expect.fail('it merges for ever');
  });
});
