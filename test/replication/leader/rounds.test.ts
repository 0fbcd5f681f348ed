import { expect } from 'chai';
import { type RoundSide, Rounds } from '../../../src/replication/leader/rounds.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

/** A partition whose batches the test commits. */
class Side implements RoundSide {
  unsealedCount = 0;
  started = 0;
  readonly #rounds: Rounds;

  constructor(rounds: Rounds) {
    this.#rounds = rounds;
  }

  append(count = 1): void {
    this.unsealedCount += count;
    this.#rounds.ask(this);
  }

  startRound(): void {
    this.started += 1;
    this.#rounds.began(this, this.unsealedCount);
    this.unsealedCount = 0;
  }

  commit(): void {
    this.#rounds.ended(this);
    if (this.unsealedCount > 0) this.#rounds.ask(this);
  }
}

describe('the rounds of a node', () => {
  const bench = () => {
    const clock = new SimulatedClock();
    const rounds = new Rounds(clock);
    return { clock, rounds, a: new Side(rounds), b: new Side(rounds) };
  };

  /** The round of `a` runs, and `b` waits for its end. */
  const waiting = async () => {
    const all = bench();
    all.a.append();
    await all.clock.settle();
    all.b.append();
    await all.clock.settle();
    return all;
  };

  it('begin at the end of the turn for every partition that has something, where nobody waits', async () => {
    const { clock, a, b } = bench();
    a.append();
    a.append();
    b.append();
    expect([a.started, b.started]).to.deep.equal([0, 0]);
    await clock.runTurn();
    expect([a.started, b.started]).to.deep.equal([1, 1]);
    expect(clock.timerCount).to.equal(0);
  });

  it('begin for a partition only when those of all others are over', async () => {
    const { clock, a, b } = bench();
    a.append();
    await clock.runTurn();
    b.append();
    await clock.settle();
    expect(b.started, 'a runs').to.equal(0);
    a.commit();
    await clock.settle();
    expect(b.started).to.equal(1);
    expect(clock.timerCount).to.equal(0);
  });

  it('gather as many records as were answered, and no longer than it took to answer them', async () => {
    const { clock, a, b } = bench();
    a.append(3);
    b.append(2);
    await clock.advance(2);
    a.commit();
    b.commit();
    a.append(4);
    await clock.settle();
    expect(a.started, 'one is missing').to.equal(1);
    b.append(1);
    await clock.settle();
    expect([a.started, b.started], 'all are there').to.deep.equal([2, 2]);
    await clock.advance(1);
    a.commit();
    b.commit();
    a.append(1);
    await clock.advance(0.9);
    expect(a.started).to.equal(2);
    await clock.advance(0.2);
    expect(a.started, 'the others do not come').to.equal(3);
  });

  it('never gather for longer than 4 ms', async () => {
    const { clock, a } = bench();
    a.append(2);
    await clock.advance(50);
    a.commit();
    a.append(1);
    await clock.advance(3.9);
    expect(a.started).to.equal(1);
    await clock.advance(0.2);
    expect(a.started).to.equal(2);
  });

  it('wait for nobody who was answered long ago', async () => {
    const { clock, a } = bench();
    a.append(50);
    await clock.advance(2);
    a.commit();
    await clock.advance(3);
    a.append();
    await clock.runTurn();
    expect(a.started).to.equal(2);
    expect(clock.timerCount).to.equal(0);
  });

  it('are held up for 5 ms at most by a partition that cannot commit', async () => {
    const { clock, a, b } = bench();
    a.append();
    await clock.settle();
    b.append();
    await clock.advance(4.9);
    expect(b.started).to.equal(0);
    await clock.advance(0.2);
    expect(b.started).to.equal(1);
    b.commit();
    b.append();
    await clock.settle();
    expect(b.started, 'a is waited for no more').to.equal(2);
    b.append();
    a.commit();
    await clock.settle();
    expect(b.started, 'b runs still').to.equal(2);
  });

  it('do not begin again for a partition that has gone before its round', async () => {
    const { clock, a, b } = await waiting();
    // In a hurry: it waits for no round.
    b.startRound();
    a.commit();
    await clock.settle();
    expect(b.started).to.equal(1);
  });

  it('leave no timer behind a partition whose role ends', async () => {
    const { clock, rounds, a, b } = await waiting();
    expect(clock.timerCount).to.equal(1);
    rounds.ended(b);
    expect(clock.timerCount).to.equal(0);
    rounds.ended(a);
    await clock.settle();
    expect(b.started).to.equal(0);
  });
});
