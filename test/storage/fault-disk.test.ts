import { expect } from 'chai';
import { CaskadeError } from '../../src/model/errors.ts';
import { ExitCode } from '../../src/model/exit-codes.ts';
import { NodeClient } from '../support/node-client.ts';
import { NodeMachine, PARTITION_DIRECTORY } from '../support/node-machine.ts';

const ROOM_PROBE_MS = 500;
const LARGE = 'x'.repeat(100_000);

async function usedBytes(machine: NodeMachine): Promise<number> {
  return 2 ** 40 - (await freeBytes(machine));
}

/** Asked of a disk without a limit: what it says is free is what is not used of 2^40. */
async function freeBytes(machine: NodeMachine): Promise<number> {
  let used = 0;
  for (const directory of ['/data', PARTITION_DIRECTORY]) {
    for (const name of await machine.fileSystem.list(directory)) {
      if (name === 'partitions') continue;
      const handle = await machine.fileSystem.open(`${directory}/${name}`, 'read');
      used += await handle.size();
      await handle.close();
    }
  }
  return 2 ** 40 - used;
}

describe('a full disk', () => {
  it('refuses writes and deletes before they are appended, goes on reading, and takes writes again by itself', async () => {
    const machine = new NodeMachine({ settings: { 'storage.segmentBytesMax': '8388608' } });
    const client = await NodeClient.open(machine);
    expect(await client.set('before', 'value')).to.equal('ok');
    machine.disk.limitBytes((await usedBytes(machine)) + 1000);
    let outcome = await client.set('filler0', LARGE);
    for (let index = 1; outcome === 'ok' && index < 100; index += 1) {
      outcome = await client.set(`filler${index}`, LARGE);
    }
    // The write that met the end was not written: it is refused, not in doubt, and so is everything after it.
    expect(outcome).to.equal('diskFull');
    const refusal = client.partition.writeRefusal();
    expect(refusal?.respText).to.match(/^MISCONF cannot write .*ENOSPC/);
    expect(await client.set('more', 'value')).to.equal('diskFull');
    expect(await client.del('before')).to.equal('diskFull');
    expect(await client.value('before')).to.equal('value');
    expect(await client.value('filler0')).to.equal(LARGE);
    expect(await client.value('more')).to.equal(null);

    await machine.clock.advance(3 * ROOM_PROBE_MS);
    expect(client.partition.writeRefusal()?.code).to.equal('diskFull');
    machine.disk.limitBytes(2 ** 40);
    await machine.clock.advance(ROOM_PROBE_MS);
    expect(client.partition.writeRefusal()).to.equal(null);
    expect(await client.set('after', 'value')).to.equal('ok');
    expect(await client.del('before')).to.equal('ok');

    machine.nextLife({ policy: 'loseAll' });
    const restarted = await NodeClient.open(machine);
    expect(await restarted.value('after')).to.equal('value');
    expect(await restarted.value('before')).to.equal(null);
    expect(await restarted.value('filler0')).to.equal(LARGE);
    expect(await machine.disorder()).to.deep.equal([]);
  });

  it('a restart on a disk that is still full serves what is there or says what is wrong, and loses nothing', async () => {
    const machine = new NodeMachine({ settings: { 'storage.segmentBytesMax': '8388608' } });
    const client = await NodeClient.open(machine);
    expect(await client.set('key', 'value')).to.equal('ok');
    machine.disk.limitBytes(await usedBytes(machine));
    machine.nextLife({ policy: 'loseAll' });
    let failure: unknown = null;
    try {
      await machine.open();
    } catch (error) {
      failure = error;
    }
    expect(failure).to.be.instanceOf(CaskadeError).with.property('code', 'diskFull');
    expect((failure as CaskadeError).row.exitCode).to.equal(ExitCode.storage);
    machine.disk.limitBytes(2 ** 40);
    machine.nextProcess();
    expect(await (await NodeClient.open(machine)).value('key')).to.equal('value');
  });

  it('met while rolling: nothing acknowledged is lost, probes leave no files behind, writes go on when there is room', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    for (let index = 0; index < 3; index += 1) await client.set(`key${index}`, 'v'.repeat(1000));
    // Room for a part of the next segment only.
    machine.disk.limitBytes((await usedBytes(machine)) + 2000);
    const files = await machine.files();
    const value = 'w'.repeat(1500);
    expect(await client.set('rolls', value)).to.equal('diskFull');
    await machine.clock.advance(10 * ROOM_PROBE_MS);
    expect(client.partition.writeRefusal()?.code).to.equal('diskFull');
    expect(await machine.files()).to.deep.equal(files);
    for (let index = 0; index < 3; index += 1) {
      expect(await client.value(`key${index}`)).to.equal('v'.repeat(1000));
    }
    machine.disk.limitBytes(2 ** 40);
    await machine.clock.advance(ROOM_PROBE_MS);
    expect(await client.set('rolls', value)).to.equal('ok');
    machine.nextLife({ policy: 'loseAll' });
    const restarted = await NodeClient.open(machine);
    expect(await restarted.value('rolls')).to.equal(value);
    expect(await restarted.value('key0')).to.equal('v'.repeat(1000));
    expect(await machine.disorder()).to.deep.equal([]);
  });

  it('met while the manifest of a roll is written: a smaller write does not go past the zeros', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    for (let index = 0; index < 3; index += 1) await client.set(`key${index}`, 'v'.repeat(1000));
    machine.disk.arm({ operation: 'write', path: 'MANIFEST.tmp', errno: 'ENOSPC' });
    expect(await client.set('rolls', 'w'.repeat(1500))).to.equal('diskFull');
    await machine.clock.advance(ROOM_PROBE_MS);
    machine.disk.trace.clear();
    expect(await client.set('small', 'fits')).to.equal('ok');
    expect(await client.set('rolls', 'w'.repeat(1500))).to.equal('ok');
    machine.nextLife({ policy: 'random' });
    const restarted = await NodeClient.open(machine);
    expect(await restarted.value('small')).to.equal('fits');
    expect(await restarted.value('rolls')).to.equal('w'.repeat(1500));
    expect(await machine.disorder()).to.deep.equal([]);
  });

  it('met by a merge: the merge gives up, nothing is left behind, the log is whole', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 3; index += 1)
        await client.set(`key${index}`, `${round}${'v'.repeat(1000)}`);
    }
    await machine.clock.settle();
    const files = await machine.files();
    // The first write to a log file is that of the segment that the roll begins, the second that of the merge.
    machine.disk.arm({ operation: 'write', path: '.log', nth: 2, errno: 'ENOSPC' });
    let failure: unknown = null;
    try {
      await machine.clock.until(client.partition.mergeNow());
    } catch (error) {
      failure = error;
    }
    expect(failure).to.be.instanceOf(CaskadeError).with.property('code', 'diskFull');
    expect(await machine.disorder()).to.deep.equal([]);
    expect((await machine.files()).length).to.be.at.most(files.length + 2);
    for (let index = 0; index < 3; index += 1) {
      expect(await client.value(`key${index}`)).to.equal(`2${'v'.repeat(1000)}`);
    }
  });
});

describe('a failed sync', () => {
  it('answers in doubt, fences the partition, and never shows the batch; a restart decides', async () => {
    for (const survives of ['keepAll', 'loseAll'] as const) {
      const machine = new NodeMachine();
      const client = await NodeClient.open(machine);
      await client.set('key', 'old');
      machine.disk.arm({ operation: 'sync', path: '.log' });
      const failing = client.put('key', 'new');
      const queued = client.put('other', 'behind it');
      expect(await machine.clock.until(failing)).to.equal('inDoubt');
      // In the same batch: in doubt as well.
      expect(await machine.clock.until(queued)).to.equal('inDoubt');
      const refusal = client.partition.writeRefusal();
      expect(refusal?.code).to.equal('partitionFenced');
      expect(refusal?.respText).to.match(/^MISCONF Partition 0 takes no writes: cannot sync .*\.log/);
      expect(await client.set('key', 'newer')).to.equal('partitionFenced');
      expect(await client.del('key')).to.equal('partitionFenced');
      expect(await client.value('key')).to.equal('old');
      expect(client.keyCount()).to.equal(1);
      expect(client.partition.stats().fencedReason).to.contain('cannot sync');
      // Never by itself, however long it waits.
      await machine.clock.advance(60_000);
      expect(await client.set('key', 'newer')).to.equal('partitionFenced');

      machine.nextLife({ policy: survives });
      const restarted = await NodeClient.open(machine);
      // Where the machine lived on, the page cache still has the batch, and the start makes it durable; else it is gone.
      const decided = survives === 'keepAll' ? 'new' : 'old';
      expect(await restarted.value('key')).to.equal(decided);
      machine.nextLife({ policy: 'loseAll' });
      const last = await NodeClient.open(machine);
      expect(await last.value('key')).to.equal(decided);
      expect(await last.set('key', 'after')).to.equal('ok');
    }
  });

  it('what was appended behind the failing batch is refused, not in doubt: nothing of it was written', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    machine.disk.slow({ syncMs: 10 });
    machine.disk.arm({ operation: 'sync', path: '.log' });
    const failing = client.put('first', 'value');
    await machine.clock.runTurn();
    const behind = client.put('second', 'value');
    await machine.clock.advance(100);
    expect(await failing).to.equal('inDoubt');
    expect(await behind).to.equal('partitionFenced');
    expect(await client.value('first')).to.equal(null);
    expect(await client.value('second')).to.equal(null);
  });

  it('of a fenced partition the node closes without the clean marker', async () => {
    const machine = new NodeMachine();
    const node = await machine.open();
    const client = new NodeClient(machine, node);
    machine.disk.arm({ operation: 'sync', path: '.log' });
    await client.set('key', 'value');
    await machine.clock.until(node.close());
    expect(await machine.fileSystem.exists('/data/CLEAN')).to.equal(false);
    machine.nextProcess();
    expect((await machine.open()).coordinator.wasClean).to.equal(false);
  });

  it('of the manifest, the directory or META while starting: the start fails and names it; the next one is well', async () => {
    for (const fault of [
      { operation: 'sync', path: 'NODE' },
      { operation: 'sync', path: 'EPOCHS' },
      { operation: 'syncDirectory', path: 'partitions/0' },
      { operation: 'sync', path: '.log' },
    ] as const) {
      const machine = new NodeMachine();
      await (await NodeClient.open(machine)).set('key', 'value');
      machine.nextLife({ policy: 'loseAll' });
      machine.disk.arm(fault);
      let failure: unknown = null;
      try {
        await machine.open();
      } catch (error) {
        failure = error;
      }
      expect(failure, fault.path).to.be.instanceOf(CaskadeError).with.property('code', 'syncFailed');
      expect((failure as CaskadeError).message).to.contain(fault.path);
      machine.nextLife({ policy: 'random' });
      expect(await (await NodeClient.open(machine)).value('key')).to.equal('value');
    }
  });
});

describe('a failed write', () => {
  it('to the log answers in doubt and fences', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    await client.set('key', 'old');
    machine.disk.arm({ operation: 'write', path: '.log' });
    expect(await client.set('key', 'new')).to.equal('inDoubt');
    expect(await client.set('key', 'newer')).to.equal('partitionFenced');
    expect(await client.value('key')).to.equal('old');
    machine.nextLife({ policy: 'loseAll' });
    expect(await (await NodeClient.open(machine)).value('key')).to.equal('old');
  });

  it('to a directory that became read-only is refused with its reason', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    for (let index = 0; index < 3; index += 1) await client.set(`key${index}`, 'v'.repeat(1000));
    machine.disk.arm({ operation: 'create', errno: 'EROFS', times: 100 });
    expect(await client.set('rolls', 'w'.repeat(1500))).to.equal('partitionFenced');
    expect(client.partition.writeRefusal()?.message).to.match(/EROFS.*read-only/);
    expect(await client.value('key0')).to.equal('v'.repeat(1000));
  });

  it('at the start names the directory and ends with the exit code of storage', async () => {
    for (const errno of ['EACCES', 'EROFS', 'EPERM']) {
      const machine = new NodeMachine();
      machine.disk.arm({ operation: 'makeDirectory', errno });
      let failure: unknown = null;
      try {
        await machine.open();
      } catch (error) {
        failure = error;
      }
      expect(failure).to.be.instanceOf(CaskadeError).with.property('code', 'diskUnwritable');
      expect((failure as CaskadeError).message)
        .to.contain('/data')
        .and.contain(errno);
      expect((failure as CaskadeError).row.exitCode).to.equal(ExitCode.storage);
    }
  });
});

describe('a failed read', () => {
  it('fails that GET only; the next one finds the value', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    for (let index = 0; index < 12; index += 1)
      await client.set(`key${index}`, `${index}:${'v'.repeat(1000)}`);
    await machine.clock.settle();
    machine.disk.arm({ operation: 'read', path: '.log' });
    const failed = await client.get('key0');
    expect(failed).to.be.instanceOf(CaskadeError).with.property('code', 'diskIo');
    expect((failed as CaskadeError).respText).to.match(/^MISCONF cannot read .*\.log/);
    expect(await client.value('key0')).to.equal(`0:${'v'.repeat(1000)}`);
    expect(await client.set('key0', 'still writable')).to.equal('ok');
  });

  it('at the start names the file; a hint that cannot be read is no reason to stop', async () => {
    const machine = new NodeMachine();
    const client = await NodeClient.open(machine);
    for (let index = 0; index < 8; index += 1) await client.set(`key${index}`, 'v'.repeat(1000));
    await machine.clock.settle();
    machine.nextLife({ policy: 'loseAll' });
    for (const path of ['META', 'MANIFEST', 'EPOCHS', 'NODE', '.log']) {
      machine.disk.arm({ operation: 'read', path });
      let failure: unknown = null;
      try {
        await machine.open();
      } catch (error) {
        failure = error;
      }
      expect(failure, path).to.be.instanceOf(CaskadeError).with.property('code', 'diskIo');
      expect((failure as CaskadeError).message).to.contain(path);
      machine.nextProcess();
    }
    machine.disk.arm({ operation: 'read', path: '.hint' });
    const restarted = await NodeClient.open(machine);
    expect(await restarted.value('key0')).to.equal('v'.repeat(1000));
  });
});
