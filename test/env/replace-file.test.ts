import { expect } from 'chai';
import { FaultyFileSystem, SimulatedCrash } from '../../src/env/faulty-file-system.ts';
import { readWholeFile, replaceFile, TEMPORARY_SUFFIX } from '../../src/env/replace-file.ts';
import { CaskadeError } from '../../src/model/errors.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const PATH = '/data/META';
const BEFORE = new Uint8Array(1500).fill(1);
const AFTER = new Uint8Array(2500).fill(2);

async function diskWithFile(seed: number): Promise<FaultyFileSystem> {
  const disk = new FaultyFileSystem({ random: new SeededRandom(seed) });
  await disk.fileSystem.makeDirectory('/data');
  await disk.fileSystem.syncDirectory('/');
  await replaceFile(disk.fileSystem, PATH, BEFORE);
  return disk;
}

async function outcomeOf(action: Promise<unknown>): Promise<unknown> {
  return action.then(
    () => 'done',
    (error: unknown) => error,
  );
}

describe('the replacement of a file', () => {
  it('syncs the bytes before the rename and the directory after it', async () => {
    const disk = await diskWithFile(1);
    disk.trace.clear();
    await replaceFile(disk.fileSystem, PATH, AFTER);
    expect(disk.trace.lines()).to.deep.equal([
      `create ${PATH}.tmp`,
      `write ${PATH}.tmp 0 2500`,
      `sync ${PATH}.tmp`,
      `rename ${PATH}.tmp ${PATH}`,
      'syncDirectory /data',
    ]);
  });

  it('is the old file or the new one, whole, after a crash at any point; the new one once it resolved', async () => {
    const counting = await diskWithFile(1);
    const operationsBefore = counting.operationCount;
    await replaceFile(counting.fileSystem, PATH, AFTER);
    const points = counting.operationCount - operationsBefore;
    const seen = { old: 0, new: 0 };
    for (const progress of ['before', 'partly', 'after'] as const) {
      for (let point = 1; point <= points + 1; point += 1) {
        for (let seed = 0; seed < 20; seed += 1) {
          const disk = await diskWithFile(seed);
          disk.failAtOperation(point, { progress });
          const outcome = await outcomeOf(replaceFile(disk.fileSystem, PATH, AFTER));
          if (outcome === 'done') disk.crash();
          else expect(outcome).to.be.instanceOf(SimulatedCrash);
          const fileSystem = disk.restart();
          const bytes = await readWholeFile(fileSystem, PATH, 10_000);
          const isNew = bytes.length === AFTER.length;
          expect(bytes, `point ${point} seed ${seed}`).to.deep.equal(isNew ? AFTER : BEFORE);
          if (outcome === 'done') expect(isNew).to.equal(true);
          seen[isNew ? 'new' : 'old'] += 1;
          await replaceFile(fileSystem, PATH, AFTER);
          expect(await fileSystem.list('/data')).to.deep.equal(['META']);
        }
      }
    }
    expect(seen.old).to.be.greaterThan(20);
    expect(seen.new).to.be.greaterThan(20);
  });

  it('leaves the old file when the disk is full, and works again when there is room', async () => {
    const disk = await diskWithFile(1);
    disk.limitBytes(BEFORE.length + 100);
    const error = await outcomeOf(replaceFile(disk.fileSystem, PATH, AFTER));
    expect(error).to.be.instanceOf(CaskadeError).with.property('code', 'diskFull');
    expect(await readWholeFile(disk.fileSystem, PATH, 10_000)).to.deep.equal(BEFORE);
    expect(await disk.fileSystem.exists(PATH + TEMPORARY_SUFFIX)).to.equal(true);
    disk.clearFaults();
    await replaceFile(disk.fileSystem, PATH, AFTER);
    expect(await readWholeFile(disk.fileSystem, PATH, 10_000)).to.deep.equal(AFTER);
    expect(await disk.fileSystem.list('/data')).to.deep.equal(['META']);
  });
});

describe('the reading of a whole file', () => {
  it('refuses one that is larger than it may be, and one that is not there', async () => {
    const disk = await diskWithFile(1);
    const error = await outcomeOf(readWholeFile(disk.fileSystem, PATH, 1499));
    expect(error).to.be.instanceOf(CaskadeError).with.property('code', 'corruptMetadata');
    expect(String(error)).to.contain(PATH).and.to.contain('1500').and.to.contain('1499');
    expect((await readWholeFile(disk.fileSystem, PATH, 1500)).length).to.equal(1500);
    const missing = await outcomeOf(readWholeFile(disk.fileSystem, '/data/none', 10));
    expect(missing).to.be.instanceOf(CaskadeError).with.property('code', 'notFound');
  });
});
