import { expect } from 'chai';
import { WriteGroup } from '../../../src/replication/follower/write-group.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';

interface Write {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

describe('a group of writes', () => {
  const bench = () => {
    const clock = new SimulatedClock();
    const group = new WriteGroup(clock);
    const told: string[] = [];
    const begin = (name: string): Write => {
      let ends: Write = { resolve: () => {}, reject: () => {} };
      const write = new Promise<void>((resolve, reject) => {
        ends = { resolve, reject };
      });
      group
        .run(() => write)
        .then(
          () => told.push(name),
          (error: Error) => told.push(`${name}: ${error.message}`),
        );
      return ends;
    };
    return { clock, told, begin };
  };

  it('tells of those that began in one turn together, of later ones apart', async () => {
    const { clock, told, begin } = bench();
    const [a, b] = [begin('a'), begin('b')];
    await clock.settle();
    const c = begin('c');
    await clock.settle();
    a.resolve();
    await clock.settle();
    expect(told).to.deep.equal([]);
    c.resolve();
    await clock.settle();
    expect(told).to.deep.equal(['c']);
    b.resolve();
    await clock.settle();
    expect(told.slice(1).toSorted()).to.deep.equal(['a', 'b']);
  });

  it('waits no longer than 2 ms for one that takes longer', async () => {
    const { clock, told, begin } = bench();
    const [a, b] = [begin('a'), begin('b')];
    a.resolve();
    await clock.advance(1.9);
    expect(told).to.deep.equal([]);
    await clock.advance(0.2);
    expect(told).to.deep.equal(['a']);
    b.resolve();
    await clock.settle();
    expect(told).to.deep.equal(['a', 'b']);
    expect(clock.timerCount).to.equal(0);
  });

  it('tells each of its own failure, and holds up nobody by it', async () => {
    const { clock, told, begin } = bench();
    const [a, b] = [begin('a'), begin('b')];
    a.reject(new Error('torn'));
    await clock.settle();
    expect(told, 'no failure goes unhandled meanwhile').to.deep.equal([]);
    b.resolve();
    await clock.settle();
    expect(told.toSorted()).to.deep.equal(['a: torn', 'b']);
  });
});
