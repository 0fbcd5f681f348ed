import { expect } from 'chai';
import type { FileSystem } from '../../src/env/file-system.ts';
import { droppingDirectorySyncs, droppingSyncs } from '../support/dropping-file-system.ts';
import { ModelledStore, ModelViolation } from '../support/modelled-store.ts';
import { NodeMachine } from '../support/node-machine.ts';
import { StoreModel } from '../support/store-model.ts';

/** Writes ten answered batches, cuts the power, starts again; the failure of the restart, or null. */
async function failureAfterPowerCut(wrap?: (fileSystem: FileSystem) => FileSystem): Promise<unknown> {
  const machine = new NodeMachine(wrap === undefined ? {} : { wrap });
  const model = new StoreModel();
  const store = await ModelledStore.recover(machine, model);
  for (let round = 0; round < 10; round += 1) {
    store.put(`key${round}`, 'v'.repeat(500));
    await store.answered();
  }
  expect(model.acknowledged).to.equal(10);
  machine.nextLife({ policy: 'loseAll' });
  try {
    const after = await ModelledStore.recover(machine, model);
    await after.check(Array.from({ length: 10 }, (_, round) => `key${round}`));
    return null;
  } catch (error) {
    return error;
  }
}

describe('the crash tests themselves', () => {
  it('find nothing on a disk that keeps its word', async () => {
    expect(await failureAfterPowerCut()).to.equal(null);
  });

  it('find lost writes when file syncs are dropped', async () => {
    expect(await failureAfterPowerCut(droppingSyncs)).to.be.instanceOf(Error);
  });

  it('find lost writes when only the syncs of the log are dropped once the store runs', async () => {
    let dropped = false;
    const machine = new NodeMachine({
      settings: { 'storage.segmentBytesMax': '65536' },
      wrap: (fileSystem) => ({
        ...droppingDirectorySyncs(fileSystem),
        syncDirectory: (path) => fileSystem.syncDirectory(path),
        open: async (path, mode) => {
          const handle = await fileSystem.open(path, mode);
          return {
            path: handle.path,
            size: () => handle.size(),
            readAt: (target, position) => handle.readAt(target, position),
            writeAt: (chunks, position) => handle.writeAt(chunks, position),
            sync: () => (dropped && path.endsWith('.log') ? Promise.resolve() : handle.sync()),
            truncate: (length) => handle.truncate(length),
            close: () => handle.close(),
          };
        },
      }),
    });
    const model = new StoreModel();
    const store = await ModelledStore.recover(machine, model);
    dropped = true;
    store.put('key', 'value');
    await store.answered();
    expect(model.acknowledged).to.equal(1);
    machine.nextLife({ policy: 'loseAll' });
    let failure: unknown = null;
    try {
      await ModelledStore.recover(machine, model);
    } catch (error) {
      failure = error;
    }
    expect(failure).to.be.instanceOf(ModelViolation);
    expect(String(failure)).to.contain('writes are lost');
  });

  it('find lost writes when directory syncs are dropped', async () => {
    expect(await failureAfterPowerCut(droppingDirectorySyncs)).to.be.instanceOf(Error);
  });
});
