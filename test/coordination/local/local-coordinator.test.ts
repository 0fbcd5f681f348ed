import { expect } from 'chai';
import { LocalCoordinator, type NodeExpectation } from '../../../src/coordination/local/local-coordinator.ts';
import {
  type NodeRecord,
  readNodeRecord,
  writeNodeRecord,
} from '../../../src/coordination/local/node-record.ts';
import { encodeDocument, readDocument } from '../../../src/env/checked-document.ts';
import { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import { replaceFile } from '../../../src/env/replace-file.ts';
import { asNodeId } from '../../../src/model/numbers.ts';
import { loadGolden } from '../../support/golden.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { expectCode, readFileBytes } from '../../support/store-fixture.ts';

const DIRECTORY = '/data';
const EXPECTED: NodeExpectation = {
  clusterId: '',
  nodeId: asNodeId(1),
  engine: 'bitcask',
  cluster: { partitions: 2, replicationFactor: 1, minInsync: 1, flush: 'always' },
};

async function newDisk(): Promise<FaultyFileSystem> {
  const disk = new FaultyFileSystem({ random: new SeededRandom(1) });
  await disk.fileSystem.makeDirectory(DIRECTORY);
  await disk.fileSystem.syncDirectory('/');
  return disk;
}

function open(disk: FaultyFileSystem, changes: Partial<NodeExpectation> = {}): Promise<LocalCoordinator> {
  return LocalCoordinator.open(disk.fileSystem, DIRECTORY, { ...EXPECTED, ...changes }, new SeededRandom(5));
}

const withCluster = (changes: Partial<NodeExpectation['cluster']>): Partial<NodeExpectation> => ({
  cluster: { ...EXPECTED.cluster, ...changes },
});

describe('the coordinator of a node alone', () => {
  it('raises incarnation and every leader epoch at each open, durably (2.8)', async () => {
    const disk = await newDisk();
    let uuids: string[] = [];
    for (let life = 1; life <= 4; life += 1) {
      const coordinator = await open(disk);
      expect(coordinator.incarnation).to.equal(life);
      expect(coordinator.partitions.map((partition) => partition.leaderEpoch)).to.deep.equal([life, life]);
      expect(coordinator.partitions.map((partition) => partition.id)).to.deep.equal([0, 1]);
      const found = coordinator.partitions.map((partition) => partition.uuid);
      if (life > 1) expect(found).to.deep.equal(uuids);
      uuids = found;
      expect(new Set(uuids)).to.have.length(2);
      expect(uuids[0]).to.match(/^[0-9a-f]{32}$/);
      disk.crashAndRestart({ policy: 'loseAll' });
    }
  });

  it('does not open when the raise cannot be made durable, and never gives an epoch twice', async () => {
    const disk = await newDisk();
    await open(disk);
    for (const operation of ['write', 'sync', 'rename', 'syncDirectory'] as const) {
      disk.arm({ operation, ...(operation === 'syncDirectory' ? {} : { path: 'NODE' }) });
      let opened = true;
      await open(disk).catch(() => {
        opened = false;
      });
      expect(opened, operation).to.equal(false);
      disk.crashAndRestart({ policy: 'loseAll' });
    }
    expect((await open(disk)).incarnation).to.be.greaterThan(1);
  });

  it('keeps the cluster id, or takes the configured one for a new directory', async () => {
    const disk = await newDisk();
    const { clusterId } = await open(disk);
    expect(clusterId).to.match(/^[0-9a-f-]{36}$/);
    expect((await open(disk)).clusterId).to.equal(clusterId);
    expect((await open(disk, { clusterId })).clusterId).to.equal(clusterId);
    expect((await open(await newDisk(), { clusterId: 'mine' })).clusterId).to.equal('mine');
  });

  const refusals: readonly [string, Partial<NodeExpectation>, string, readonly string[]][] = [
    ['engine', { engine: 'memory' }, 'wrongEngine', ['storage.engine=bitcask', 'memory', DIRECTORY]],
    ['node id', { nodeId: asNodeId(2) }, 'foreignDirectory', ['node 1', 'node.id is 2']],
    ['cluster id', { clusterId: 'other' }, 'foreignDirectory', ['cluster.id is other']],
    [
      'number of partitions',
      withCluster({ partitions: 3 }),
      'configurationInvalid',
      ['cluster.partitions: 3', 'set it to 2'],
    ],
    [
      'replication factor',
      withCluster({ replicationFactor: 3 }),
      'configurationInvalid',
      ['cluster.replicationFactor'],
    ],
    ['min.insync', withCluster({ minInsync: 2 }), 'configurationInvalid', ['cluster.minInsync: 2']],
    [
      'flush mode',
      withCluster({ flush: 'os' }),
      'configurationInvalid',
      ['cluster.flush: os', 'set it to always'],
    ],
  ];
  for (const [name, changes, code, texts] of refusals) {
    it(`refuses another ${name} and leaves the directory as it is (R2)`, async () => {
      const disk = await newDisk();
      await open(disk);
      const error = await expectCode(() => open(disk, changes), code as 'wrongEngine');
      for (const text of texts) expect(error.message).to.contain(text);
      expect((await open(disk)).incarnation).to.equal(2);
    });
  }

  it('refuses a directory that has partitions and no NODE', async () => {
    const disk = await newDisk();
    await disk.fileSystem.makeDirectory(`${DIRECTORY}/partitions`);
    const error = await expectCode(() => open(disk), 'corruptMetadata');
    expect(error.message).to.contain('/data/NODE is missing');
  });

  it('refuses a damaged NODE and one of a newer format', async () => {
    const disk = await newDisk();
    await open(disk);
    const path = `${DIRECTORY}/NODE`;
    disk.flipBit(path, 20, 3);
    await expectCode(() => open(disk), 'corruptMetadata');
    await replaceFile(disk.fileSystem, path, encodeDocument({ format: 2 }));
    await expectCode(() => open(disk), 'futureFormat');
  });

  it('keeps fields of NODE that it does not know', async () => {
    const disk = await newDisk();
    await open(disk);
    const record = (await readNodeRecord(disk.fileSystem, DIRECTORY)) as NodeRecord;
    const partitions = { ...record.partitions, 0: { ...record.partitions[0], note: 'x' } };
    await replaceFile(
      disk.fileSystem,
      `${DIRECTORY}/NODE`,
      encodeDocument({ ...record, partitions, rack: 'r1', cluster: { ...record.cluster, future: 7 } }),
    );
    await open(disk);
    const after = await readDocument(disk.fileSystem, `${DIRECTORY}/NODE`, 1);
    expect(after).to.deep.include({ rack: 'r1', incarnation: 2 });
    expect(after).to.have.nested.property('cluster.future', 7);
    expect(after).to.have.nested.property('partitions.0.note', 'x');
  });

  it('covers every slot exactly once, for any number of partitions', async () => {
    for (const partitions of [1, 2, 3, 5, 6, 7, 12, 100, 1000]) {
      const { slots } = await open(await newDisk(), withCluster({ partitions }));
      let next = 0;
      for (const [index, [first, last, id]] of slots.entries()) {
        expect(first).to.equal(next);
        expect(last).to.be.at.least(first);
        expect(id).to.equal(index);
        next = last + 1;
      }
      expect(next, `${partitions} partitions`).to.equal(16384);
      const sizes = slots.map(([first, last]) => last - first + 1);
      expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(1);
    }
  });
});

describe('the marker of a clean shutdown', () => {
  it('is written as the golden bytes say', async () => {
    const disk = await newDisk();
    for (let life = 0; life < 2; life += 1) await open(disk);
    await (await open(disk)).markClean({ 0: 17, 1: 0 });
    const written = await readFileBytes(disk.fileSystem, `${DIRECTORY}/CLEAN`);
    expect(written.toString()).to.equal(loadGolden('storage/clean.hex').toString());
  });

  it('is taken once, and gone before anything else happens', async () => {
    const disk = await newDisk();
    const first = await open(disk);
    expect(first.wasClean).to.equal(false);
    await first.markClean({ 0: 5, 1: 6 });
    disk.crashAndRestart({ policy: 'loseAll' });
    expect((await open(disk)).wasClean).to.equal(true);
    disk.crashAndRestart({ policy: 'loseAll' });
    expect(await disk.fileSystem.exists(`${DIRECTORY}/CLEAN`)).to.equal(false);
    expect((await open(disk)).wasClean).to.equal(false);
  });

  it('of another life says nothing', async () => {
    const disk = await newDisk();
    const first = await open(disk);
    await open(disk);
    await first.markClean({});
    expect((await open(disk)).wasClean).to.equal(false);
  });
});

describe('NODE', () => {
  const record: NodeRecord = {
    format: 1,
    clusterId: 'c-1',
    nodeId: 1,
    incarnation: 3,
    engine: 'bitcask',
    partitions: {
      0: { uuid: '00112233445566778899aabbccddeeff', leaderEpoch: 3 },
      1: { uuid: 'f0e1d2c3b4a5968778695a4b3c2d1e0f', leaderEpoch: 4 },
    },
    cluster: {
      partitions: 2,
      replicationFactor: 1,
      minInsync: 1,
      flush: 'always',
      slots: [
        [0, 8191, 0],
        [8192, 16383, 1],
      ],
    },
    inUse: true,
  };

  it('is written as the golden bytes say, and understood', async () => {
    const disk = await newDisk();
    await writeNodeRecord(disk.fileSystem, DIRECTORY, record);
    const written = await readFileBytes(disk.fileSystem, `${DIRECTORY}/NODE`);
    expect(written.toString()).to.equal(loadGolden('storage/node.hex').toString());
    expect(await readNodeRecord(disk.fileSystem, DIRECTORY)).to.deep.equal(record);
  });
});
