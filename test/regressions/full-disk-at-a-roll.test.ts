import { expect } from 'chai';
import { DIRECTORY, expectCode, StoreMachine, type TestStore } from '../support/store-fixture.ts';

const SEGMENT_BYTES = 16 * 1024;

/** A store whose next roll meets a full disk. */
async function storeBeforeRoll(): Promise<{ machine: StoreMachine; test: TestStore; names: string[] }> {
  const machine = new StoreMachine({ segmentBytesMax: SEGMENT_BYTES });
  const test = await machine.openStore();
  await test.commit({ a: 'x'.repeat(9000) });
  const names = await machine.fileSystem.list(DIRECTORY);
  return { machine, test, names };
}

async function bytesUsed(machine: StoreMachine): Promise<number> {
  const { fileSystem, disk } = machine;
  disk.limitBytes(2 ** 30);
  return 2 ** 30 - (await fileSystem.freeBytes(DIRECTORY));
}

/** A roll that met a full disk left its half-made segment behind, at every try another one: the disk filled up by itself. */
describe('a roll on a full disk (fails before anything is written)', () => {
  it('leaves no file behind, however often it is tried', async () => {
    const { machine, test, names } = await storeBeforeRoll();
    const used = await bytesUsed(machine);
    machine.disk.limitBytes(used + 5000);
    for (let round = 0; round < 3; round += 1) {
      await expectCode(() => test.store.log.reserve(9000, test.store.durableOffset), 'diskFull');
      expect(await machine.fileSystem.list(DIRECTORY)).to.deep.equal(names);
    }
    machine.disk.clearFaults();
    await test.commit({ b: 'y'.repeat(9000) });
    expect(test.store.log.segments).to.have.length(2);
    const again = await test.reopen();
    expect(await again.get('a')).to.equal('x'.repeat(9000));
    expect(await again.get('b')).to.equal('y'.repeat(9000));
  });

  it('leaves no file behind when there is no room for the manifest', async () => {
    const { machine, test, names } = await storeBeforeRoll();
    for (let round = 0; round < 3; round += 1) {
      machine.disk.arm({ operation: 'write', path: 'MANIFEST', errno: 'ENOSPC' });
      await expectCode(() => test.store.log.reserve(9000, test.store.durableOffset), 'diskFull');
    }
    const left = (await machine.fileSystem.list(DIRECTORY)).filter((name) => name.endsWith('.log'));
    expect(left).to.deep.equal(names.filter((name) => name.endsWith('.log')));
    expect(test.store.log.opened).to.have.length(1);
  });

  /** The old segment had been cut to its last batch already, but was still believed to have zeros ahead (R19). */
  it('leaves a segment that still has zeros ahead of every batch', async () => {
    const { machine, test } = await storeBeforeRoll();
    machine.disk.arm({ operation: 'write', path: 'MANIFEST', errno: 'ENOSPC' });
    await expectCode(() => test.store.log.reserve(9000, test.store.durableOffset), 'diskFull');
    const { active } = test.store.log;
    machine.disk.trace.clear();
    await test.commit({ small: 'z' });
    const writes = machine.disk.trace.operations.filter(
      (each) => each.kind === 'write' && each.path === active.path,
    );
    expect(writes.length, 'zeros, then the batch').to.be.greaterThan(1);
    expect(test.store.log.active).to.equal(active);
    expect(await (await test.reopen()).get('small')).to.equal('z');
  });
});
