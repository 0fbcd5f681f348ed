import { expect } from 'chai';
import { FaultyFileSystem } from '../../src/env/faulty-file-system.ts';
import { makeDirectoryDurably } from '../../src/env/make-directory.ts';
import { SeededRandom } from '../support/seeded-random.ts';

describe('a directory that is there already', () => {
  it('is made durable all the same: the process that made it may have been killed before that', async () => {
    for (let killedAt = 1; killedAt <= 6; killedAt += 1) {
      const disk = new FaultyFileSystem({ random: new SeededRandom(killedAt) });
      disk.arm({ operation: 'syncDirectory', nth: killedAt });
      await makeDirectoryDurably(disk.fileSystem, '/data/partitions/0').catch((error: unknown) => error);
      disk.clearFaults();
      const next = disk.crashAndRestart({ policy: 'keepAll' });
      await makeDirectoryDurably(next, '/data/partitions/0');
      const last = disk.crashAndRestart({ policy: 'loseAll' });
      expect(await last.exists('/data/partitions/0'), `sync ${killedAt}`).to.equal(true);
    }
  });

  it('may lie in one that this process must not read', async () => {
    const disk = new FaultyFileSystem({ random: new SeededRandom(1) });
    await makeDirectoryDurably(disk.fileSystem, '/data');
    disk.arm({ operation: 'syncDirectory', errno: 'EACCES' });
    await makeDirectoryDurably(disk.fileSystem, '/data');
  });
});
