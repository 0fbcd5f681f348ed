import { expect } from 'chai';
import fc from 'fast-check';
import { asOffset } from '../../src/model/numbers.ts';
import { HoldRing } from '../../src/network/hold-ring.ts';

const partition = (highWatermark = 0) => ({ highWatermark: asOffset(highWatermark) });

describe('HoldRing', () => {
  it('holds everything from the first unresolved reply on', () => {
    const ring = new HoldRing();
    const left = partition();
    const right = partition();
    ring.add(0, 5, left, asOffset(0), true);
    ring.add(10, 15, right, asOffset(7), true);
    expect(ring.release(20)).to.equal(0);
    right.highWatermark = asOffset(8);
    expect(ring.release(20)).to.equal(0);
    left.highWatermark = asOffset(1);
    expect(ring.release(20)).to.equal(20);
    expect(ring.isEmpty).to.equal(true);
  });

  it('releases only what lies strictly below the high watermark', () => {
    const ring = new HoldRing();
    const only = partition(5);
    ring.add(0, 5, only, asOffset(5), true);
    expect(ring.release(5)).to.equal(0);
    only.highWatermark = asOffset(6);
    expect(ring.release(5)).to.equal(5);
  });

  it('waits for every entry of a reply', () => {
    const ring = new HoldRing();
    const left = partition();
    const right = partition();
    ring.add(3, 9, left, asOffset(0), true);
    ring.add(3, 9, right, asOffset(0), true);
    left.highWatermark = asOffset(1);
    expect(ring.release(9)).to.equal(3);
    right.highWatermark = asOffset(1);
    expect(ring.release(9)).to.equal(9);
  });

  it('fails the holds of one partition from an offset on', () => {
    const ring = new HoldRing();
    const left = partition(1);
    const right = partition();
    for (const [index, owner] of [left, right, left, left].entries()) {
      ring.add(index * 5, index * 5 + 5, owner, asOffset(index), index !== 3);
    }
    const failed: [number, boolean][] = [];
    ring.fail(left, asOffset(2), (hold) => {
      failed.push([hold.start, hold.own]);
      return true;
    });
    expect(failed).to.deep.equal([
      [10, true],
      [15, false],
    ]);
    expect(ring.release(20)).to.equal(5);
    right.highWatermark = asOffset(2);
    expect(ring.release(20)).to.equal(20);
  });

  it('releases like a plain list would, however commits and additions mix', () => {
    const step = fc.record({ which: fc.nat(2), adds: fc.nat(40), commits: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const ring = new HoldRing();
        const partitions = [partition(), partition(), partition()];
        const next = [0, 0, 0];
        const list: { start: number; which: number; offset: number }[] = [];
        let position = 0;
        for (const { which, adds, commits } of steps) {
          const owner = partitions[which] as { highWatermark: ReturnType<typeof asOffset> };
          for (let count = 0; count < adds; count += 1) {
            const offset = next[which] as number;
            next[which] = offset + 1;
            ring.add(position, position + 5, owner, asOffset(offset), true);
            list.push({ start: position, which, offset });
            position += 5;
          }
          owner.highWatermark = asOffset(Math.min(owner.highWatermark + commits, next[which] as number));
          const first = list.find((hold) => hold.offset >= (partitions[hold.which]?.highWatermark ?? 0));
          expect(ring.release(position)).to.equal(first?.start ?? position);
        }
      }),
    );
  });
});
