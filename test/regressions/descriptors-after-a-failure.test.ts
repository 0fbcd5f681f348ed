import { expect } from 'chai';
import type { Fault } from '../../src/env/fault-plan.ts';
import { openHandles } from '../support/open-handles.ts';
import { failureOf, StoreMachine } from '../support/store-fixture.ts';

/** A close that could not sync or write META left the log's files open, and a roll that failed the file it had made. */
describe('the descriptors of a log', () => {
  const faults: Readonly<Record<string, Fault>> = {
    'the log not synced': { operation: 'sync', path: '.log' },
    'META not written': { operation: 'write', path: 'META' },
  };
  for (const [what, fault] of Object.entries(faults)) {
    it(`are closed by a close that fails: ${what}`, async () => {
      const machine = new StoreMachine();
      const handles = openHandles(machine.fileSystem);
      const test = await machine.openStore();
      await test.commit({ a: '1' });
      await test.roll();
      await test.commit({ b: '2' });
      machine.disk.arm(fault);
      await failureOf(() => test.store.close());
      expect([...handles].map(({ path }) => path)).to.deep.equal([]);
    });
  }

  const rolls: Readonly<Record<string, Fault>> = {
    'the old segment not cut': { operation: 'truncate', path: '.log' },
    'the old segment not synced': { operation: 'sync', path: '.log', nth: 2 },
    'the manifest not written': { operation: 'write', path: 'MANIFEST' },
    'the manifest not durable': { operation: 'syncDirectory', nth: 2 },
  };
  for (const [what, fault] of Object.entries(rolls)) {
    it(`are as before after a roll that fails: ${what}`, async () => {
      const machine = new StoreMachine();
      const handles = openHandles(machine.fileSystem);
      const test = await machine.openStore();
      await test.commit({ a: '1' });
      const before = handles.size;
      machine.disk.arm(fault);
      await failureOf(() => test.store.rollNow());
      expect(handles.size).to.be.at.most(before);
      expect(test.store.log.opened).to.have.length(1);
      await test.store.abandon();
      expect(handles.size).to.equal(0);
      machine.disk.crashAndRestart({ policy: 'keepAll' });
      expect(await (await machine.openStore()).get('a')).to.equal('1');
    });
  }
});
