import { expect } from 'chai';
import { cutFile, expectCode, StoreMachine } from '../support/store-fixture.ts';

/**
 * R19: only zeros of the preallocation prove a torn write. Every batch overwrites zeros that were laid and synced before it, so no
 * crash leaves a file that ends inside a batch: somebody cut it, and the batch may have been acknowledged. It was taken for torn,
 * and the write was silently gone.
 */
describe('a log file that ends inside its last batch (R19)', () => {
  it('refuses to start at any length but that of whole batches, unless the loss is accepted', async () => {
    for (const part of [0.1, 0.5, 0.9]) {
      const machine = new StoreMachine();
      const test = await machine.openStore();
      await test.commit({ kept: 'yes' });
      const kept = test.store.log.active.length;
      await test.commit({ last: 'x'.repeat(500) });
      const { path, length } = test.store.log.active;
      machine.powerCut();
      await cutFile(machine.fileSystem, path, Math.floor(kept + (length - kept) * part));
      const error = await expectCode(() => machine.openStore(), 'tornTailRefused');
      expect(error.message).to.contain(`position ${kept}:`);
      const accepted = await machine.openStore({ acceptTornTail: true });
      expect(accepted.store.report.verdict).to.equal('lossy');
      expect(await accepted.get('kept')).to.equal('yes');
      expect(await accepted.get('last')).to.equal(null);
      await accepted.commit({ next: 'n' });
      expect(await (await accepted.reopen()).get('next')).to.equal('n');
    }
  });
});
