import { expect } from 'chai';
import { asLeaderEpoch, asOffset } from '../../src/model/numbers.ts';
import { writeHint } from '../../src/storage/hint-file.ts';
import type { Segment } from '../../src/storage/segment.ts';
import { REPLICA_DIRECTORY, ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';
import { expectCode, overwrite } from '../support/store-fixture.ts';

const VALUE = 'v'.repeat(1000);

async function filled(machine: ReplicaMachine, count: number, committed: number): Promise<TestReplica> {
  const replica = await machine.lead(1);
  for (let at = 0; at < count; at += 1) await replica.write([`k${at}`, VALUE]);
  await replica.commit(committed);
  await replica.store.saveMeta();
  return replica;
}

function pathOf(replica: TestReplica, index: number): string {
  const path = replica.store.log.segments.at(index)?.path;
  if (path === undefined) throw new Error(`no segment ${index}`);
  return path;
}

describe('a start of a replica', () => {
  it('indexes what was known to be committed, keeps the rest, and commits it when it is told', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    await filled(machine, 12, 5);
    machine.nextLife();
    const replica = await machine.open();
    expect(replica.store.committedOffset).to.equal(5);
    expect(replica.store.logEndOffset).to.equal(12);
    expect(replica.store.durableOffset).to.equal(12);
    expect([await replica.get('k4'), await replica.get('k5')]).to.deep.equal([VALUE, null]);
    await replica.commit(9);
    expect([await replica.get('k8'), await replica.get('k9')]).to.deep.equal([VALUE, null]);
    await replica.commit(12);
    expect(await replica.get('k11')).to.equal(VALUE);
  });

  it('gives followers what is not committed too', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    await filled(machine, 12, 5);
    machine.nextLife();
    const replica = await machine.lead(2);
    const follower = await new ReplicaMachine({ node: 2 }).open();
    await follower.follow(replica);
    await follower.commit(12);
    expect(await follower.get('k11')).to.equal(VALUE);
  });

  it('believes no hint of a segment that META does not know to be committed (C2)', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    const replica = await filled(machine, 12, 12);
    expect(await replica.merge(0, 1)).to.not.equal(null);
    machine.nextLife();
    const reopened = await machine.open();
    expect(reopened.store.report.fromHints).to.equal(1);
    expect(reopened.store.meta.highWatermark).to.equal(12);
  });

  it('lets a hint lie that says more than META: what it left out may not have been committed (C2)', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    const replica = await machine.lead(1);
    await replica.write(['k', 'old'], ['x', VALUE], ['k', 'new']);
    await replica.store.rollNow();
    await replica.commit(3);
    const { log, index, hasher, meta } = replica.store;
    const { clock, disk } = machine;
    const doors = {
      clock,
      fileSystem: disk.fileSystem,
      directory: REPLICA_DIRECTORY,
      hasher,
      hashSeed: meta.hashSeed,
    };
    await writeHint(doors, log.segments[0] as Segment, index, async () => {});
    machine.nextLife();
    const reopened = await machine.open();
    expect(reopened.store.report.fromHints).to.equal(0);
    expect(reopened.store.committedOffset).to.equal(0);
    await reopened.commit(1);
    expect(await reopened.get('k')).to.equal('old');
  });

  it('of a torn tail is whole: it was never acknowledged (R6, R19)', async () => {
    const machine = new ReplicaMachine();
    const replica = await filled(machine, 3, 3);
    const path = pathOf(replica, -1);
    const { length } = replica.store.log.active;
    await replica.write(['torn', 'x'.repeat(3000)]);
    machine.nextLife();
    await overwrite(machine.disk.fileSystem, path, length + 600, Buffer.alloc(3000));
    const reopened = await machine.open();
    expect(reopened.store.report.verdict).to.equal('torn');
    expect(reopened.store.isWhole).to.equal(true);
    expect(reopened.store.logEndOffset).to.equal(3);
  });

  it('of a rotten last batch is lossy, says so in META before it cuts, until it is cleared (R6, R19, C11)', async () => {
    const machine = new ReplicaMachine();
    const replica = await filled(machine, 3, 2);
    const path = pathOf(replica, -1);
    const { length } = replica.store.log.active;
    machine.nextLife();
    machine.disk.flipBit(path, length - 10, 3);
    machine.disk.trace.clear();
    let reopened = await machine.open();
    const lines = machine.disk.trace.lines();
    const marked = lines.findIndex((line) => line.startsWith('rename') && line.includes('META'));
    const cut = lines.findIndex((line) => line.startsWith('write') && line.includes('.log'));
    expect(marked).to.be.greaterThan(-1);
    expect(marked).to.be.lessThan(cut);
    expect(reopened.store.isWhole).to.equal(false);
    expect(reopened.store.logEndOffset).to.equal(2);
    machine.nextLife();
    reopened = await machine.open();
    expect(reopened.store.report.verdict).to.equal('clean');
    expect(reopened.store.isWhole).to.equal(false);
    await reopened.store.clearLossy();
    expect(reopened.store.isWhole).to.equal(true);
    machine.nextLife();
    expect((await machine.open()).store.isWhole).to.equal(true);
  });

  it('of a bad batch in the middle of the active segment cuts there, even below what was committed, and is lossy', async () => {
    const machine = new ReplicaMachine();
    const replica = await filled(machine, 5, 4);
    const path = pathOf(replica, -1);
    machine.nextLife();
    machine.disk.flipBit(path, 96 + 2 * 1100 + 300, 1);
    const reopened = await machine.open();
    expect(reopened.store.isWhole).to.equal(false);
    expect(reopened.store.report.verdict).to.equal('lossy');
    expect(reopened.store.logEndOffset).to.equal(2);
    expect(reopened.store.committedOffset).to.equal(2);
    const leader = await filled(new ReplicaMachine({ node: 2 }), 5, 5);
    await reopened.follow(leader);
    await reopened.commit(5);
    expect(await reopened.get('k4')).to.equal(VALUE);
  });

  it('that lost the batch of an epoch forgets where the epoch began: its records come again', async () => {
    const machine = new ReplicaMachine();
    const replica = await filled(machine, 3, 2);
    const path = pathOf(replica, -1);
    const { length } = replica.store.log.active;
    replica.store.endEpoch();
    await replica.store.beginEpoch(asLeaderEpoch(4));
    machine.nextLife();
    machine.disk.flipBit(path, length - 10, 3);
    const reopened = await machine.open();
    expect(reopened.store.logEndOffset).to.equal(2);
    expect(reopened.store.latestEpoch).to.equal(1);
  });

  it('whose log ends below what was committed is lossy', async () => {
    const machine = new ReplicaMachine();
    const replica = await filled(machine, 3, 3);
    const path = pathOf(replica, -1);
    const { length } = replica.store.log.active;
    machine.nextLife();
    const batch = (length - 96) / 3;
    await overwrite(machine.disk.fileSystem, path, length - batch, Buffer.alloc(batch));
    const reopened = await machine.open();
    expect(reopened.store.isWhole).to.equal(false);
    expect(reopened.store.committedOffset).to.equal(2);
  });

  it('under a weak flush mode is whole only with the marker of a clean shutdown, and stays lossy without (R6, R18)', async () => {
    const machine = new ReplicaMachine({ flush: 'interval' });
    const replica = await machine.lead(1);
    await replica.write(['a', '1']);
    expect(replica.store.isWhole).to.equal(true);
    await replica.store.close();
    machine.nextLife();
    let reopened = await machine.open({ closedCleanly: true });
    expect(reopened.store.isWhole).to.equal(true);
    machine.nextLife();
    reopened = await machine.open();
    expect(reopened.store.isWhole).to.equal(false);
    await reopened.store.close();
    machine.nextLife();
    reopened = await machine.open({ closedCleanly: true });
    expect(reopened.store.isWhole).to.equal(false);
  });

  it('commits what is no longer in memory by reading it back, in turns', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 1024 * 1024 });
    const replica = await machine.lead(1);
    for (let at = 0; at < 30; at += 1) await replica.write([`k${at}`, 'v'.repeat(60_000)]);
    machine.nextLife();
    const reopened = await machine.open();
    const commit = reopened.store.commitTo(asOffset(30));
    expect(commit).to.be.instanceOf(Promise);
    expect(reopened.store.commitTo(asOffset(30))).to.equal(commit);
    await commit;
    expect(reopened.store.committedOffset).to.equal(30);
    expect(await reopened.get('k29')).to.equal('v'.repeat(60_000));
  });
});

describe('a directory that cannot be used comes back as a value (C11)', () => {
  async function reasonOf(
    damage: (machine: ReplicaMachine, replica: TestReplica) => Promise<void>,
  ): Promise<{ reason: string; isSame: boolean | null }> {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    const replica = await filled(machine, 12, 12);
    const { directoryId } = replica.store;
    await replica.store.close();
    machine.nextLife();
    await damage(machine, replica);
    const outcome = await machine.tryOpen({ mustExist: true });
    if (outcome.kind === 'opened') throw new Error('it was opened');
    return {
      reason: outcome.reason,
      isSame: outcome.directoryId === null ? null : outcome.directoryId === directoryId,
    };
  }

  it('with a bad sealed segment', async () => {
    const { reason, isSame } = await reasonOf(async (machine, replica) => {
      machine.disk.flipBit(pathOf(replica, 0), 400, 2);
    });
    expect(reason).to.contain('position 96');
    expect(isSame).to.equal(true);
  });

  it('with a missing segment', async () => {
    const { reason, isSame } = await reasonOf((machine, replica) =>
      machine.disk.fileSystem.unlink(pathOf(replica, 1)),
    );
    expect(reason).to.contain('missing');
    expect(isSame).to.equal(true);
  });

  for (const name of ['MANIFEST', 'EPOCHS']) {
    it(`with a bad ${name}, or without it`, async () => {
      const bad = await reasonOf(async (machine) => {
        machine.disk.flipBit(`${REPLICA_DIRECTORY}/${name}`, 5, 2);
      });
      expect(bad.reason).to.contain(name);
      expect(bad.isSame).to.equal(true);
      const gone = await reasonOf((machine) =>
        machine.disk.fileSystem.unlink(`${REPLICA_DIRECTORY}/${name}`),
      );
      expect(gone.reason).to.contain(name);
    });
  }

  it('with a bad META, or without it: nobody knows which directory it was', async () => {
    const bad = await reasonOf(async (machine) => {
      machine.disk.flipBit(`${REPLICA_DIRECTORY}/META`, 5, 2);
    });
    expect(bad.isSame).to.equal(null);
    const gone = await reasonOf((machine) => machine.disk.fileSystem.unlink(`${REPLICA_DIRECTORY}/META`));
    expect(gone.isSame).to.equal(null);
  });

  it('but a disk that does not answer is thrown', async () => {
    const machine = new ReplicaMachine();
    await filled(machine, 2, 2);
    machine.nextLife();
    machine.disk.arm({ operation: 'read', path: '.log' });
    await expectCode(() => machine.tryOpen(), 'diskIo');
  });
});
