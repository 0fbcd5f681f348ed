import { expect } from 'chai';
import { CaskadeError, type ErrorCode } from '../../src/model/errors.ts';
import { ExitCode } from '../../src/model/exit-codes.ts';
import { asDatabaseId } from '../../src/model/numbers.ts';
import { EntryView, ReadOutcome } from '../../src/replication/leader-partition.ts';
import type { StoreNode } from '../../src/server/store-node.ts';
import { batchesOf, type PlacedBatch } from '../support/durability-order.ts';
import { ModelledStore, viewOf } from '../support/modelled-store.ts';
import { NodeMachine, PARTITION_DIRECTORY } from '../support/node-machine.ts';
import { StoreModel } from '../support/store-model.ts';

const NODE_FILES = '/data';
const VALUE = 'v'.repeat(1000);

/** A node with `count` batches of one key each, over several segments of 4 KiB, closed by a power cut. */
async function written(count: number, settings: Readonly<Record<string, string>> = {}): Promise<NodeMachine> {
  const machine = new NodeMachine({ settings });
  const store = await ModelledStore.recover(machine, new StoreModel());
  for (let index = 0; index < count; index += 1) {
    store.put(`key${index}`, `${index}:${VALUE}`);
    await store.answered();
  }
  await store.settle();
  machine.nextLife({ policy: 'loseAll' });
  return machine;
}

async function batches(machine: NodeMachine): Promise<PlacedBatch[]> {
  return batchesOf(machine.fileSystem, PARTITION_DIRECTORY);
}

async function refusedStart(
  machine: NodeMachine,
  code: ErrorCode,
  names: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  let failure: unknown = null;
  try {
    await machine.open(settings);
  } catch (error) {
    failure = error;
  }
  expect(failure).to.be.instanceOf(CaskadeError);
  const error = failure as CaskadeError;
  expect(error.code).to.equal(code);
  expect(error.row.exitCode).to.equal(ExitCode.storage);
  for (const name of names) expect(error.message).to.contain(name);
  machine.nextProcess();
}

/** The value, or the error's code. */
async function get(machine: NodeMachine, node: StoreNode, key: string): Promise<string | null> {
  const partition = node.partitions[0];
  if (partition === undefined) throw new Error('no partition');
  const entry = new EntryView();
  for (;;) {
    const outcome = partition.readCommitted(asDatabaseId(0), viewOf(key, partition), entry, true);
    if (outcome === ReadOutcome.refused) return partition.refusal.code;
    if (outcome === ReadOutcome.ready) {
      return entry.found ? Buffer.from(entry.bytes.subarray(entry.start, entry.end)).toString() : null;
    }
    await machine.clock.until(partition.suspension);
  }
}

describe('one bit flipped (PROTOCOL 3.4 g)', () => {
  it('in the last batch of the log: refuses to start, naming file and position; with acceptTornTail it starts without that batch', async () => {
    const machine = await written(6);
    const last = (await batches(machine)).at(-1) as PlacedBatch;
    machine.disk.flipBit(last.path, last.position + 200, 3);
    await refusedStart(machine, 'tornTailRefused', [
      last.path,
      `position ${last.position}`,
      '--accept-torn-tail',
    ]);
    const node = await machine.open({ 'storage.acceptTornTail': 'true' });
    expect(node.reports[0]?.verdict).to.equal('lossy');
    expect(await get(machine, node, 'key4')).to.equal(`4:${VALUE}`);
    expect(await get(machine, node, 'key5')).to.equal(null);
    await machine.clock.until(node.close());
    machine.nextProcess();
    // It was accepted once; the next start has nothing to accept.
    const again = await machine.open();
    expect(again.reports[0]?.verdict).to.equal('clean');
  });

  it('anywhere in the last batch, header or records: never starts without a word, never shows a changed value', async () => {
    const machine = await written(2);
    const last = (await batches(machine)).at(-1) as PlacedBatch;
    for (let at = 0; at < last.length; at += at < 120 ? 1 : 97) {
      const bit = at % 8;
      machine.disk.flipBit(last.path, last.position + at, bit);
      let failure: unknown = null;
      try {
        const node = await machine.open();
        // Nothing may start here: reaching this line is the failure, what it shows is for the message.
        failure = await get(machine, node, 'key1');
      } catch (error) {
        failure = error;
      }
      expect(failure, `bit ${bit} of byte ${at}`).to.be.instanceOf(CaskadeError);
      expect((failure as CaskadeError).code, `bit ${bit} of byte ${at}`).to.be.oneOf([
        'tornTailRefused',
        'corruptSegment',
      ]);
      machine.nextProcess();
      machine.disk.flipBit(last.path, last.position + at, bit);
    }
    const node = await machine.open();
    expect(await get(machine, node, 'key1')).to.equal(`1:${VALUE}`);
  });

  it('in the middle of the active segment: corrupt, and acceptTornTail does not help', async () => {
    const machine = await written(2);
    const [first] = await batches(machine);
    if (first === undefined) throw new Error('no batch');
    machine.disk.flipBit(first.path, first.position + 300, 0);
    const names = [first.path, `position ${first.position}`];
    await refusedStart(machine, 'corruptSegment', names);
    await refusedStart(machine, 'corruptSegment', names, { 'storage.acceptTornTail': 'true' });
    expect((await machine.manifest()).segments).to.have.lengthOf(1);
  });

  it('in a sealed segment with a hint: starts, the GET of that record refuses, the others answer', async () => {
    const machine = await written(8);
    const [first] = await batches(machine);
    if (first === undefined) throw new Error('no batch');
    machine.disk.flipBit(first.path, first.position + 400, 5);
    const node = await machine.open();
    expect(node.reports[0]?.fromHints).to.be.greaterThan(0);
    expect(await get(machine, node, 'key0')).to.equal('corruptSegment');
    expect(await get(machine, node, 'key1')).to.equal(`1:${VALUE}`);
    expect(await get(machine, node, 'key7')).to.equal(`7:${VALUE}`);
  });

  it('in a sealed segment without a hint: refuses to start, naming file and position', async () => {
    const machine = await written(8);
    const [first] = await batches(machine);
    if (first === undefined) throw new Error('no batch');
    await machine.fileSystem.unlink(first.path.replace(/\.log$/, '.hint'));
    machine.disk.flipBit(first.path, first.position + 400, 5);
    await refusedStart(machine, 'corruptSegment', [first.path, `position ${first.position}`]);
  });

  it('in a sealed segment that a merge reads: the merge gives up, the inputs stay, nothing is left behind', async () => {
    const machine = await written(8);
    const [first] = await batches(machine);
    if (first === undefined) throw new Error('no batch');
    machine.disk.flipBit(first.path, first.position + 400, 5);
    const node = await machine.open();
    const before = await machine.segmentFiles();
    let failure: unknown = null;
    try {
      await machine.clock.until((node.partitions[0] as StoreNode['partitions'][number]).mergeNow());
    } catch (error) {
      failure = error;
    }
    expect(failure).to.be.instanceOf(CaskadeError).with.property('code', 'corruptSegment');
    expect(await machine.segmentFiles()).to.include.members(before);
    expect(await machine.disorder()).to.deep.equal([]);
    expect(await get(machine, node, 'key7')).to.equal(`7:${VALUE}`);
  });

  it('anywhere in a hint: the data is read instead, and the bad hint counted', async () => {
    const machine = await written(8);
    const [first] = await batches(machine);
    if (first === undefined) throw new Error('no batch');
    const hint = first.path.replace(/\.log$/, '.hint');
    const handle = await machine.fileSystem.open(hint, 'read');
    const size = await handle.size();
    await handle.close();
    for (let at = 0; at < size; at += 7) {
      machine.disk.flipBit(hint, at, at % 8);
      const node = await machine.open();
      expect(node.reports[0]?.badHints, `byte ${at}`).to.equal(1);
      expect(await get(machine, node, 'key0')).to.equal(`0:${VALUE}`);
      // Another process, on the same machine: the background work of the first has written the hint anew or not.
      await machine.clock.until(node.close());
      machine.nextProcess();
      const rewritten = await machine.open();
      if (rewritten.reports[0]?.badHints === 1) machine.disk.flipBit(hint, at, at % 8);
      await machine.clock.until(rewritten.close());
      machine.nextProcess();
    }
  });

  it('in META, MANIFEST, EPOCHS or NODE: refuses to start, naming the file', async () => {
    const files = [
      ...['META', 'MANIFEST', 'EPOCHS'].map((name) => `${PARTITION_DIRECTORY}/${name}`),
      `${NODE_FILES}/NODE`,
    ];
    for (const path of files) {
      const machine = await written(3);
      const handle = await machine.fileSystem.open(path, 'read');
      const size = await handle.size();
      await handle.close();
      for (let at = 0; at < size; at += 5) {
        machine.disk.flipBit(path, at, at % 8);
        await refusedStart(machine, 'corruptMetadata', [path]);
        machine.disk.flipBit(path, at, at % 8);
      }
      await machine.open();
    }
  });
});
