import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { cutFile, StoreMachine } from '../support/store-fixture.ts';

/** A value over two blocks, of which the file no longer had the first whole, ended the process with a RangeError. */
describe('a read from a log file that somebody cut while it was open', () => {
  it('is refused as corrupt, whatever is missing; the partition goes on', async () => {
    for (const length of [50, 12_000, 16_384, 20_000, 40_000]) {
      const machine = new StoreMachine({ segmentBytesMax: 2 ** 20, cacheBytesMax: 0 });
      const writer = await machine.openPartition();
      for (let n = 0; n < 6; n += 1) {
        writer.put(`k${n}`, `${n}`.repeat(15_000));
        await machine.clock.settle();
      }
      await writer.close();
      const test = await machine.openPartition();
      await cutFile(machine.fileSystem, test.store.log.active.path, length);
      const outcomes = new Set<string>();
      for (let n = 0; n < 6; n += 1) {
        const found = await test.get(`k${n}`).catch((error: unknown) => error);
        if (found === `${n}`.repeat(15_000)) outcomes.add('found');
        else if (found instanceof CaskadeError) outcomes.add(found.code);
        else expect.fail(`k${n}, cut at ${length}: ${String(found)}`);
      }
      expect(outcomes).to.include('corruptSegment');
      expect(test.partition.writeRefusal()).to.equal(null);
    }
  });
});
