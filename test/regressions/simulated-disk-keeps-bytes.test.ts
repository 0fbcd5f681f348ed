import { expect } from 'chai';
import { FaultyFileSystem } from '../../src/env/faulty-file-system.ts';
import { ForgetfulFileSystem } from '../../src/env/forgetful-file-system.ts';
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { readFileBytes } from '../support/store-fixture.ts';

/** They kept a view of the caller's buffer (a Buffer's slice is no copy): used again before the sync, it changed what was written. */
describe('file systems that remember writes until the sync', () => {
  it('(the simulated disk) keep the bytes as they were when they were written, until they are synced', async () => {
    const disk = new FaultyFileSystem({ random: new SeededRandom(1) });
    const handle = await disk.fileSystem.open('/file', 'create');
    await disk.fileSystem.syncDirectory('/');
    const buffer = Buffer.from('first');
    await handle.writeAt([buffer], 0);
    buffer.write('other');
    await handle.writeAt([buffer], 5);
    await handle.sync();
    const survivors = disk.crashAndRestart({ policy: 'loseAll' });
    expect((await readFileBytes(survivors, '/file')).toString()).to.equal('firstother');
  });

  it('(the forgetful file system) keep the bytes as they were when they were written', async () => {
    const base = new MemoryFileSystem();
    const handle = await new ForgetfulFileSystem(base).open('/file', 'create');
    const buffer = Buffer.from('first');
    await handle.writeAt([buffer], 0);
    buffer.write('other');
    await handle.sync();
    expect((await readFileBytes(base, '/file')).toString()).to.equal('first');
  });
});
