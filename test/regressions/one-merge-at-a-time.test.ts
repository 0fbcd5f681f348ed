import { expect } from 'chai';
import { DIRECTORY, StoreMachine } from '../support/store-fixture.ts';

/**
 * Two merges by hand both waited for the round that ran, and then ran beside each other over the same segments: the second came to
 * commit over segments that were gone, failed, and left its output behind.
 */
describe('one merge at a time', () => {
  it('merges by hand that come together run one after the other', async () => {
    const machine = new StoreMachine({ segmentBytesMax: 4096 });
    const test = await machine.openPartition();
    for (let n = 0; n < 20; n += 1) {
      test.put(`k${n % 5}`, `${n}`.repeat(300));
      await machine.clock.settle();
    }
    const { partition } = test;
    await machine.clock.until(
      Promise.all([partition.mergeNow(), partition.mergeNow(), partition.mergeNow()]),
    );
    expect(machine.logger.texts('error')).to.deep.equal([]);
    for (let n = 15; n < 20; n += 1) expect(await test.get(`k${n % 5}`)).to.equal(`${n}`.repeat(300));
    const logs = (await machine.fileSystem.list(DIRECTORY)).filter((name) => name.endsWith('.log'));
    expect(logs).to.have.length(test.store.log.segments.length);
    expect(test.store.log.opened).to.have.length(test.store.log.segments.length);
    await test.close();
  });

  /** What was asked for during a merge by hand was forgotten: the hint came with the roll after the next only. */
  it('what is asked for during a merge by hand is done after it', async () => {
    const machine = new StoreMachine({ segmentBytesMax: 4096, maintenance: { bytesPerSecondMax: 100_000 } });
    const test = await machine.openPartition();
    for (let n = 0; n < 4; n += 1) {
      test.put(`k${n}`, 'v'.repeat(1500));
      await machine.clock.settle();
    }
    const merged = test.partition.mergeNow();
    await machine.clock.settle();
    for (let n = 4; n < 8; n += 1) {
      test.put(`k${n}`, 'v'.repeat(1500));
      await machine.clock.settle();
    }
    const count = test.store.log.segments.length;
    await machine.clock.advance(1000);
    await machine.clock.until(merged);
    await machine.clock.settle();
    const sealed = test.store.log.segments.slice(0, -1);
    expect(count).to.be.greaterThan(3);
    expect(sealed.map((segment) => segment.hasHint)).to.not.include(false);
    await test.close();
  });
});
