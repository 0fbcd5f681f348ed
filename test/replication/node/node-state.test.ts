import { expect } from 'chai';
import { writeDocument } from '../../../src/env/checked-document.ts';
import { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import { makeDirectoryDurably } from '../../../src/env/make-directory.ts';
import { readWholeFile, replaceFile } from '../../../src/env/replace-file.ts';
import { CaskadeError } from '../../../src/model/errors.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asPartitionId,
  asPartitionVersion,
} from '../../../src/model/numbers.ts';
import { NodeState } from '../../../src/replication/node/node-state.ts';
import { CRASHES } from '../../support/crash-points.ts';
import { loadGolden } from '../../support/golden.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { failureOf } from '../../support/store-fixture.ts';

const P = asPartitionId(3);
const UUID = 'a'.repeat(32);

class Disk {
  readonly clock = new SimulatedClock();
  readonly disk = new FaultyFileSystem({ random: new SeededRandom(3), clock: this.clock });

  async open(): Promise<NodeState> {
    await this.clock.until(makeDirectoryDurably(this.disk.fileSystem, '/data'));
    return this.clock.until(NodeState.open(this.disk.fileSystem, '/data', this.clock));
  }

  reboot(): void {
    if (!this.disk.isCrashed) this.disk.crash({ policy: 'loseAll' });
    this.disk.restart();
  }
}

async function placed(machine: Disk): Promise<NodeState> {
  const state = await machine.open();
  await machine.clock.until(state.placePartition(P, UUID, '3'));
  return state;
}

describe('node state (ADR 4)', () => {
  it('begins with the wall clock in milliseconds, and counts from there', async () => {
    const machine = new Disk();
    const first = await machine.open();
    expect(first.incarnation).to.equal(machine.clock.wallMs());
    machine.reboot();
    machine.clock.wallJump(-1_000_000);
    expect((await machine.open()).incarnation).to.equal(first.incarnation + 1);
  });

  it('belongs to one node of one cluster, from the moment on when it has joined', async () => {
    const machine = new Disk();
    const state = await machine.open();
    expect(state.clusterId).to.equal('');
    await machine.clock.until(state.joinCluster('c', asNodeId(3)));
    machine.reboot();
    const { fileSystem } = machine.disk;
    const open = (id: number): Promise<NodeState> =>
      NodeState.open(fileSystem, '/data', machine.clock, asNodeId(id));
    const before = await readWholeFile(fileSystem, '/data/STATE', 1 << 20);
    const error = await machine.clock.until(failureOf(() => open(4)));
    if (!(error instanceof CaskadeError)) throw error;
    expect(error.code).to.equal('foreignDirectory');
    expect(error.message).to.contain('node 3').and.to.contain('node.id is 4');
    expect(await readWholeFile(fileSystem, '/data/STATE', 1 << 20)).to.deep.equal(before);
    expect((await machine.clock.until(open(3))).clusterId).to.equal('c');
  });

  it('never goes back in anything (I1)', async () => {
    const machine = new Disk();
    const state = await placed(machine);
    const { incarnation } = state;
    void state.raiseControllerEpoch(asControllerEpoch(5));
    void state.raisePromise(600);
    void state.raisePartition(P, asLeaderEpoch(4), asPartitionVersion(9));
    await machine.clock.until(state.settled());
    void state.raiseControllerEpoch(asControllerEpoch(4));
    void state.raisePromise(100);
    void state.raiseIncarnation(asIncarnation(1));
    void state.raisePartition(P, asLeaderEpoch(4), asPartitionVersion(8));
    void state.raisePartition(P, asLeaderEpoch(3), asPartitionVersion(20));
    await machine.clock.until(state.settled());
    expect(state.incarnation).to.equal(incarnation);
    expect([state.controllerEpochMax, state.promiseMsMax]).to.deep.equal([5, 600]);
    expect(state.partition(P)).to.include({ leaderEpochMax: 4, versionMax: 9 });
  });

  it('a newer epoch brings its own version, after a coordinator lost writes (R17)', async () => {
    const machine = new Disk();
    const state = await placed(machine);
    await machine.clock.until(state.raisePartition(P, asLeaderEpoch(4), asPartitionVersion(9)));
    await machine.clock.until(state.raisePartition(P, asLeaderEpoch(6), asPartitionVersion(2)));
    expect(state.partition(P)).to.include({ leaderEpochMax: 6, versionMax: 2 });
  });

  it('names no two directories of one partition, and no two partitions in one directory (I8)', async () => {
    const machine = new Disk();
    const state = await placed(machine);
    const other = asPartitionId(4);
    expect(() => state.placePartition(other, UUID, '4')).to.throw('I8');
    expect(() => state.placePartition(other, 'b'.repeat(32), '3')).to.throw('I8');
    await machine.clock.until(state.placePartition(P, UUID, '3-2'));
    await machine.clock.until(state.placePartition(P, UUID, null));
    await machine.clock.until(state.placePartition(other, UUID, '4'));
    expect(state.partition(other)).to.include({ uuid: UUID, directory: '4' });
  });

  it('is not believed where it names two directories of one partition (I8)', async () => {
    const machine = new Disk();
    const { incarnation } = await placed(machine);
    const record = { uuid: UUID, leaderEpochMax: 1, versionMax: 1 };
    const partitions = { 3: { ...record, directory: '3' }, 4: { ...record, directory: '4' } };
    const { fileSystem } = machine.disk;
    const fields = { format: 1, incarnation, controllerEpochMax: 0, promiseMsMax: 0, flushMode: 'always' };
    await machine.clock.until(writeDocument(fileSystem, '/data/STATE', { ...fields, partitions }));
    const outcome = machine.open().catch((error: unknown) => error);
    expect(await outcome).to.include({ code: 'corruptMetadata' });
  });

  it('keeps the epochs of a replica that is gone (hole 5), and forgets those of another partition', async () => {
    const machine = new Disk();
    const state = await placed(machine);
    await machine.clock.until(state.raisePartition(P, asLeaderEpoch(4), asPartitionVersion(9)));
    await machine.clock.until(state.placePartition(P, UUID, null));
    expect(state.partition(P)).to.include({ directory: null, leaderEpochMax: 4, versionMax: 9 });
    await machine.clock.until(state.placePartition(P, 'b'.repeat(32), '3'));
    expect(state.partition(P)).to.include({ directory: '3', leaderEpochMax: 0 });
  });

  it('shares one replacement of the document among all changes that come meanwhile', async () => {
    const machine = new Disk();
    const state = await placed(machine);
    const before = machine.disk.trace.operations.filter(({ kind }) => kind === 'rename').length;
    const changes = Array.from({ length: 20 }, (_, index) =>
      state.raisePartition(P, asLeaderEpoch(1 + index), asPartitionVersion(index)),
    );
    await machine.clock.until(Promise.all(changes));
    const after = machine.disk.trace.operations.filter(({ kind }) => kind === 'rename').length;
    expect(after - before).to.be.at.most(2);
    machine.reboot();
    expect((await machine.open()).partition(P)).to.include({ leaderEpochMax: 20, versionMax: 19 });
  });

  it('a promise that resolved stands on disk, whatever happens at any point after or before', async () => {
    for (const crash of CRASHES) {
      for (let point = 1; ; point += 1) {
        const machine = new Disk();
        const state = await placed(machine);
        machine.disk.failAtOperation(point, crash);
        let durable = 0;
        for (let epoch = 1; epoch <= 3 && !machine.disk.isCrashed; epoch += 1) {
          await machine.clock
            .until(state.raisePartition(P, asLeaderEpoch(epoch), asPartitionVersion(epoch)))
            .then(() => {
              durable = epoch;
            })
            .catch(() => {});
        }
        const isDone = !machine.disk.isCrashed;
        machine.reboot();
        const found = (await machine.open()).partition(P)?.leaderEpochMax ?? -1;
        expect(found, `${crash.policy} ${crash.progress} ${point}`).to.be.within(durable, durable + 1);
        if (isDone) break;
      }
    }
  });

  it('tries again after a failure, and hands out no old one', async () => {
    const machine = new Disk();
    const state = await placed(machine);
    machine.disk.arm({ operation: 'sync' });
    let failed: unknown = null;
    await machine.clock.until(
      state.raisePromise(600).catch((error: unknown) => {
        failed = error;
      }),
    );
    expect(failed).to.be.instanceOf(CaskadeError);
    await machine.clock.until(state.raisePromise(600));
    machine.reboot();
    expect((await machine.open()).promiseMsMax).to.equal(600);
  });

  it('reads the golden document, and writes it again as it was but for the new life', async () => {
    const machine = new Disk();
    const { fileSystem } = machine.disk;
    await machine.clock.until(makeDirectoryDurably(fileSystem, '/data'));
    const golden = loadGolden('storage/state.hex');
    await machine.clock.until(replaceFile(fileSystem, '/data/STATE', golden));
    const state = await machine.open();
    expect(state.incarnation).to.equal(1_700_000_000_002);
    expect([state.controllerEpochMax, state.promiseMsMax, state.flushMode]).to.deep.equal([4, 600, 'always']);
    expect(state.partition(P)).to.deep.equal({
      directory: '3-2',
      uuid: UUID,
      leaderEpochMax: 5,
      versionMax: 9,
    });
    const written = await machine.clock.until(readWholeFile(fileSystem, '/data/STATE', 10_000));
    const text = golden.toString().replace('1700000000001', '1700000000002');
    expect(Buffer.from(written).toString().split('\n')[0]).to.equal(text.split('\n')[0]);
  });

  it('refuses to start where the document is gone but replicas are there', async () => {
    const machine = new Disk();
    await machine.disk.fileSystem.makeDirectory('/data/partitions');
    let failed: unknown = null;
    await machine.open().catch((error: unknown) => {
      failed = error;
    });
    expect(failed).to.be.instanceOf(CaskadeError).with.property('code', 'corruptMetadata');
  });
});
