import { expect } from 'chai';
import { BlockCache } from '../../src/storage/block-cache.ts';
import { RecordReader } from '../../src/storage/record-reader.ts';
import type { Segment } from '../../src/storage/segment.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

const BLOCK = 16 * 1024;
/** More than what stays in memory for a while after it was loaded. */
const ROUNDS = 150;

describe('readers that miss all the time', () => {
  it('are each woken when their own block is there, and what was loaded for them is let go', async () => {
    const clock = new SimulatedClock();
    const waiting: { readonly index: number; readonly resolve: () => void }[] = [];
    const segment = {
      cacheId: 1,
      tailBlock: () => null,
      block: () => undefined,
      loadBlock: async (index: number) => {
        await new Promise<void>((resolve) => waiting.push({ index, resolve }));
        return { bytes: Buffer.alloc(BLOCK, index), trusted: true };
      },
    } as unknown as Segment;
    const reader = new RecordReader(new BlockCache(0), clock);
    const woken: number[] = [];
    let next = 0;
    const read = (): void => {
      const index = next;
      next += 1;
      expect(reader.find(segment, index * BLOCK, 10)).to.equal(false);
      void reader.loaded.then(() => {
        woken.push(index);
        expect(reader.find(segment, index * BLOCK, 10)).to.equal(true);
      });
    };
    // There is always one more load on its way when one arrives.
    read();
    for (let round = 0; round < ROUNDS; round += 1) {
      await clock.settle();
      const loaded = waiting.shift();
      if (round < ROUNDS - 1) {
        loaded?.resolve();
        await Promise.resolve();
        await Promise.resolve();
      }
      read();
      await clock.settle();
    }
    expect(woken.length).to.be.greaterThan(40);
    // A block of the beginning is gone: it has to be loaded again.
    expect(reader.find(segment, 0, 10)).to.equal(false);
  });
});
