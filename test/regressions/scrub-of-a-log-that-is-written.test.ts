import { expect } from 'chai';
import { Scrub } from '../../src/storage/scrub.ts';
import { StoreMachine } from '../support/store-fixture.ts';

/**
 * The scrub compared where it had ended with the length that the active segment had by then: a write meanwhile was taken for rot. A healthy leader gave its
 * leadership up and built its replica anew.
 */
describe('a scrub of a log that is being written', () => {
  it('finds nothing bad where nothing is', async () => {
    const machine = new StoreMachine();
    const store = await machine.openStore();
    await store.commit({ a: '1', b: '2' });
    const settings = { bytesPerSecondMax: 0, isCancelled: () => false };
    const running = new Scrub(store.store, machine.clock, settings).run();
    await store.commit({ c: '3' });
    const outcome = await machine.clock.until(running);
    expect(outcome).to.include({ result: 'whole', records: 2 });
  });
});
