import { expect } from 'chai';
import { FaultyFileSystem } from '../../src/env/faulty-file-system.ts';
import { ForgetfulFileSystem } from '../../src/env/forgetful-file-system.ts';
import { MemoryFileSystem } from '../../src/env/memory-file-system.ts';
import { readWholeFile } from '../../src/env/replace-file.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('the forgetful file system', () => {
  it('hands on what is synced and nothing else', async () => {
    const base = new MemoryFileSystem();
    const forgetful = new ForgetfulFileSystem(base);
    const handle = await forgetful.open('/log', 'create');
    await handle.writeAt([bytes(1, 2, 3, 4)], 0);
    expect(await readWholeFile(base, '/log', 10)).to.deep.equal(bytes());
    await handle.truncate(3);
    await handle.sync();
    await handle.writeAt([bytes(9)], 0);
    await handle.truncate(1);
    expect(await readWholeFile(base, '/log', 10)).to.deep.equal(bytes(1, 2, 3));
    expect(await readWholeFile(forgetful, '/log', 10)).to.deep.equal(bytes(9));
  });

  it('keeps what is not synced over close, open and rename', async () => {
    const base = new MemoryFileSystem();
    const forgetful = new ForgetfulFileSystem(base);
    await forgetful.makeDirectory('/a');
    const handle = await forgetful.open('/a/log', 'create');
    await handle.writeAt([bytes(1)], 0);
    await handle.close();
    await forgetful.rename('/a', '/b');
    const again = await forgetful.open('/b/log', 'write');
    expect(await readWholeFile(forgetful, '/b/log', 10)).to.deep.equal(bytes(1));
    await again.sync();
    expect(await readWholeFile(base, '/b/log', 10)).to.deep.equal(bytes(1));
  });

  it('begins a file anew that was removed or replaced', async () => {
    const forgetful = new ForgetfulFileSystem(new MemoryFileSystem());
    await (await forgetful.open('/log', 'create')).writeAt([bytes(1)], 0);
    await forgetful.unlink('/log');
    await (await forgetful.open('/log', 'create')).close();
    expect(await readWholeFile(forgetful, '/log', 10)).to.deep.equal(bytes());
  });

  it('reports the failed sync of the disk below, to each sync that depends on it', async () => {
    const disk = new FaultyFileSystem({ random: new SeededRandom(1) });
    const handle = await new ForgetfulFileSystem(disk.fileSystem).open('/log', 'create');
    await handle.writeAt([bytes(1)], 0);
    disk.arm({ operation: 'sync' });
    const outcomes = await Promise.allSettled([handle.sync(), handle.sync()]);
    for (const outcome of outcomes) {
      expect(outcome.status).to.equal('rejected');
      if (outcome.status !== 'rejected') continue;
      expect(outcome.reason).to.be.instanceOf(CaskadeError).with.property('code', 'syncFailed');
    }
  });
});
