import { expect } from 'chai';
import { asOffset } from '../../src/model/numbers.ts';
import { Scrub } from '../../src/storage/scrub.ts';
import { ReplicaMachine } from '../support/replica-machine.ts';

/** Where the high watermark lay in a gap, the pass needed the batch behind it to know that it was done; that batch was cut off, and the replica called bad. */
describe('a scrub of a log that is cut meanwhile', () => {
  it('finds nothing bad where nothing is', async () => {
    const lead = await new ReplicaMachine({ node: 9 }).lead(1);
    for (let n = 0; n < 6; n += 1) await lead.write([`k${n}`, `${n}`]);
    const machine = new ReplicaMachine();
    const { store } = await machine.open();
    for (const offset of [0, 5]) {
      const { bytes, nextOffset, epochs } = await lead.read(offset, 1);
      await store.appendFetched(bytes, nextOffset, { epochs });
    }
    await store.commitTo(asOffset(3));
    expect(store.committedOffset, 'in the gap').to.equal(3);
    machine.disk.slow({ readMs: 50 });
    const scrub = new Scrub(store, machine.clock, { bytesPerSecondMax: 0, isCancelled: () => false });
    const running = scrub.run();
    const cutting = store.truncateTo(asOffset(3));
    await machine.clock.advance(2000);
    await cutting;
    expect(await running).to.include({ result: 'whole', end: 3 });
  });
});
