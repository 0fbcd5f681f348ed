import { expect } from 'chai';
import { FaultyFileSystem, SimulatedCrash } from '../../src/env/faulty-file-system.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';
import { bytesOf, diskWithFile, expectCode, failure, filled, PATH } from './empty-disk.ts';

describe('a fault of the simulated disk', () => {
  it('fails the n-th sync, whose bytes are read until the power is cut and gone after it', async () => {
    for (const policy of ['loseAll', 'random'] as const) {
      const { disk, handle } = await diskWithFile(1);
      disk.arm({ operation: 'sync', nth: 2 });
      await handle.writeAt([filled(100, 1)], 0);
      await handle.sync();
      await handle.writeAt([filled(100, 2)], 0);
      await expectCode(handle.sync(), 'syncFailed');
      expect(await bytesOf(disk.fileSystem, PATH)).to.deep.equal(filled(100, 2));
      await expectCode(handle.sync(), 'syncFailed');
      await expectCode(handle.writeAt([filled(1, 1)], 0), 'syncFailed');
      const other = await disk.fileSystem.open(PATH, 'write');
      await other.sync();
      const bytes = await bytesOf(disk.crashAndRestart({ policy }), PATH);
      expect(bytes, policy).to.deep.equal(filled(100, 1));
    }
  });

  it('keeps what a failed sync dropped in the cache when only the process dies, and no later sync writes it', async () => {
    for (const isWrittenAgain of [false, true]) {
      const { disk, handle } = await diskWithFile(1);
      await handle.writeAt([filled(100, 1)], 0);
      await handle.sync();
      disk.arm({ operation: 'sync' });
      await handle.writeAt([filled(100, 2)], 50);
      await expectCode(handle.sync(), 'syncFailed');
      const next = disk.crashAndRestart({ policy: 'keepAll' });
      const cached = await bytesOf(next, PATH);
      expect(cached).to.deep.equal(Buffer.concat([filled(50, 1), filled(100, 2)]));
      const other = await next.open(PATH, 'write');
      if (isWrittenAgain) await other.writeAt([cached], 0);
      await other.sync();
      const lost = Buffer.concat([filled(100, 1), filled(50, 0)]);
      const after = await bytesOf(disk.crashAndRestart({ policy: 'loseAll' }), PATH);
      expect(after).to.deep.equal(isWrittenAgain ? cached : lost);
    }
  });

  it('tells every handle that was open of a failed sync, and none that was opened later', async () => {
    const { disk, handle } = await diskWithFile(1);
    const other = await disk.fileSystem.open(PATH, 'write');
    await handle.writeAt([filled(100, 1)], 0);
    disk.arm({ operation: 'sync' });
    await expectCode(other.sync(), 'syncFailed');
    await expectCode(handle.sync(), 'syncFailed');
    await (await disk.fileSystem.open(PATH, 'write')).sync();
  });

  it('fails the sync of a directory, whose names may be lost', async () => {
    const { disk } = await diskWithFile(1);
    await (await disk.fileSystem.open('/data/a', 'create')).close();
    disk.arm({ operation: 'syncDirectory' });
    await expectCode(disk.fileSystem.syncDirectory('/data'), 'syncFailed');
    expect(await disk.crashAndRestart({ policy: 'loseAll' }).list('/data')).to.deep.equal(['log']);
  });

  it('fills up at the limit, after writing what fits, and takes more once there is room', async () => {
    const { disk, handle } = await diskWithFile(1);
    disk.limitBytes(1000);
    expect(await disk.fileSystem.freeBytes('/data')).to.equal(1000);
    await handle.writeAt([filled(900, 1)], 0);
    await expectCode(handle.writeAt([filled(300, 2)], 900), 'diskFull');
    expect(await handle.size()).to.equal(1000);
    expect(await disk.fileSystem.freeBytes('/data')).to.equal(0);
    await expectCode(handle.truncate(1001), 'diskFull');
    await handle.writeAt([filled(1000, 3)], 0);
    await handle.truncate(500);
    await handle.writeAt([filled(500, 4)], 500);
  });

  it('fails reads, writes and names with the error asked for, where asked', async () => {
    const { disk, handle } = await diskWithFile(1);
    await handle.writeAt([filled(10, 1)], 0);
    disk.arm({ operation: 'read', path: 'log' });
    await expectCode(handle.readAt(filled(1, 0), 0), 'diskIo');
    expect(await handle.readAt(filled(1, 0), 0)).to.equal(1);
    disk.arm({ operation: 'write', path: 'other' });
    await handle.writeAt([filled(1, 1)], 0);
    disk.arm({ operation: 'write', errno: 'EROFS', times: 2 });
    for (const code of ['diskUnwritable', 'diskUnwritable'] as const) {
      await expectCode(handle.writeAt([filled(1, 1)], 0), code);
    }
    await handle.writeAt([filled(1, 1)], 0);
    disk.arm({ operation: 'rename' });
    await expectCode(disk.fileSystem.rename(PATH, '/data/x'), 'diskIo');
    expect(await disk.fileSystem.list('/data')).to.deep.equal(['log']);
  });

  it('flips a bit, synced or not', async () => {
    for (const synced of [true, false]) {
      const { disk, handle } = await diskWithFile(1);
      await handle.writeAt([filled(10, 0)], 0);
      if (synced) await handle.sync();
      disk.flipBit(PATH, 3, 5);
      expect([...(await bytesOf(disk.fileSystem, PATH))]).to.deep.equal([0, 0, 0, 32, 0, 0, 0, 0, 0, 0]);
      const after = await bytesOf(disk.crashAndRestart({ policy: 'keepAll' }), PATH);
      expect([...after]).to.deep.equal([0, 0, 0, 32, 0, 0, 0, 0, 0, 0]);
    }
  });

  it("loses files and ends of files behind everyone's back, whatever a crash keeps", async () => {
    const { disk, handle } = await diskWithFile(1);
    await handle.writeAt([filled(10, 7)], 0);
    expect(disk.bytesUsed).to.equal(10);
    disk.cutShort(PATH, 4);
    expect(disk.bytesUsed).to.equal(4);
    expect([...(await bytesOf(disk.crashAndRestart({ policy: 'loseAll' }), PATH))]).to.deep.equal([
      7, 7, 7, 7,
    ]);
    disk.lose(PATH);
    expect(await disk.crashAndRestart({ policy: 'keepAll' }).exists(PATH)).to.equal(false);
  });

  it('is slow by the clock, and a sync under way at the crash has synced nothing', async () => {
    const clock = new SimulatedClock();
    const disk = new FaultyFileSystem({ random: new SeededRandom(1), clock });
    const handle = await disk.fileSystem.open(PATH.slice(5), 'create');
    await disk.fileSystem.syncDirectory('/');
    disk.slow({ syncMs: 20, writeMs: 5 });
    let written = false;
    const write = handle.writeAt([filled(10, 1)], 0).then(() => {
      written = true;
    });
    await clock.advance(4);
    expect(written).to.equal(false);
    await clock.advance(1);
    await write;
    const sync = failure(handle.sync());
    await clock.advance(19);
    disk.crash({ policy: 'loseAll' });
    await clock.advance(1);
    expect(await sync).to.be.instanceOf(SimulatedCrash);
    expect((await bytesOf(disk.restart(), '/log')).length).to.equal(0);
  });
});
