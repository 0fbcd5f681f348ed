import { expect } from 'chai';
import type { CrashPointOptions } from '../../src/env/faulty-file-system.ts';
import { InvariantError } from '../../src/model/errors.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { asLeaderEpoch, asOffset } from '../../src/model/numbers.ts';
import { ReplicaMachine, type TestReplica } from '../support/replica-machine.ts';
import { failureOf } from '../support/store-fixture.ts';

const VALUE = 'v'.repeat(1000);

const CRASHES: readonly CrashPointOptions[] = (['loseAll', 'random'] as const).flatMap((policy) =>
  (['before', 'partly', 'after'] as const).map((progress) => ({ policy, progress })),
);

/** Ten records of epoch 1, of which four are committed, then ten of epoch 2, over several segments. Follows nobody now. */
async function divergent(machine: ReplicaMachine): Promise<TestReplica> {
  const replica = await machine.lead(1);
  for (let at = 0; at < 10; at += 1) await replica.write([`k${at}`, VALUE]);
  await replica.commit(4);
  replica.store.endEpoch();
  await replica.store.beginEpoch(asLeaderEpoch(2));
  for (let at = 10; at < 20; at += 1) await replica.write([`k${at}`, VALUE]);
  replica.store.endEpoch();
  await replica.store.saveMeta();
  return replica;
}

/** A leader of epoch 3 that has the same first records. */
async function successor(): Promise<TestReplica> {
  const leader = await new ReplicaMachine({ node: 9, segmentBytesMax: 4096 }).lead(1);
  for (let at = 0; at < 10; at += 1) await leader.write([`k${at}`, VALUE]);
  leader.store.endEpoch();
  await leader.store.beginEpoch(asLeaderEpoch(3));
  for (let at = 10; at < 14; at += 1) await leader.write([`n${at}`, VALUE]);
  return leader;
}

async function expectLog(replica: TestReplica, end: number): Promise<void> {
  expect(replica.store.logEndOffset).to.equal(end);
  let offset = replica.store.logStartOffset;
  while (offset < end) offset = (await replica.read(offset)).nextOffset;
  expect(offset).to.equal(end);
}

describe('a truncation', () => {
  for (const border of [4, 5, 7, 10, 13, 16, 19, 20]) {
    it(`to offset ${border} of 20 leaves a log that ends there, and goes on with other records`, async () => {
      const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
      const replica = await divergent(machine);
      const segments = replica.store.log.segments.length;
      expect(segments).to.be.greaterThan(4);
      await replica.store.truncateTo(asOffset(border));
      await expectLog(replica, border);
      expect(replica.store.durableOffset).to.equal(border);
      expect(replica.store.latestEpoch).to.equal(border > 10 ? 2 : 1);
      expect(replica.store.lastEpoch).to.equal(border > 10 ? 2 : 1);
      await replica.store.truncateTo(asOffset(Math.min(border, 10)));
      const leader = await successor();
      await replica.follow(leader);
      await replica.commit(14);
      expect(await replica.get('n13')).to.equal(VALUE);
      expect(await replica.get('k13')).to.equal(null);
      machine.nextLife();
      const reopened = await machine.open();
      await expectLog(reopened, 14);
      expect(reopened.store.epochs.entries).to.deep.equal(leader.store.epochs.entries);
      expect(reopened.store.isWhole).to.equal(true);
      await reopened.commit(14);
      expect(await reopened.get('n13')).to.equal(VALUE);
    });
  }

  it('never goes below what is committed (I3)', async () => {
    const replica = await divergent(new ReplicaMachine({ segmentBytesMax: 4096 }));
    expect(await failureOf(() => replica.store.truncateTo(asOffset(3)))).to.be.instanceOf(InvariantError);
    await expectLog(replica, 20);
  });

  it('inside a batch takes the whole batch', async () => {
    const machine = new ReplicaMachine();
    const replica = await machine.lead(1);
    await replica.write(['a', '1']);
    replica.put('b', '2');
    replica.put('c', '3');
    await replica.flush();
    replica.store.endEpoch();
    await replica.store.truncateTo(asOffset(2));
    await expectLog(replica, 1);
  });

  it('leaves nothing behind that a start could take for a batch (R19)', async () => {
    const machine = new ReplicaMachine();
    const replica = await machine.lead(1);
    for (let at = 0; at < 6; at += 1) await replica.write([`k${at}`, VALUE]);
    replica.store.endEpoch();
    await replica.store.truncateTo(asOffset(2));
    machine.nextLife();
    const reopened = await machine.open();
    expect(reopened.store.report.verdict).to.equal('clean');
    await expectLog(reopened, 2);
  });

  it('of what a start found, some of it no longer in memory, is the same', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    await divergent(machine);
    machine.nextLife();
    const replica = await machine.open();
    expect(replica.store.committedOffset).to.equal(4);
    await replica.store.truncateTo(asOffset(10));
    await replica.follow(await successor());
    await replica.commit(14);
    for (let at = 0; at < 10; at += 1) expect(await replica.get(`k${at}`)).to.equal(VALUE);
    expect(await replica.get('k10')).to.equal(null);
    expect(await replica.get('n10')).to.equal(VALUE);
  });

  it('forgets the blocks that were in memory: a value as large as a batch may be is written past them', async () => {
    const replica = await new ReplicaMachine({ segmentBytesMax: 1024 * 1024 }).lead(1);
    for (let at = 0; at < 120; at += 1) await replica.write([`k${at}`, VALUE]);
    replica.store.endEpoch();
    await replica.store.truncateTo(asOffset(1));
    await replica.store.beginEpoch(asLeaderEpoch(2));
    // The batch counts as one large value, the record in it does not.
    const large = 'L'.repeat(LIMITS.largeValueBytes - 40);
    await replica.write(['large', large], ['after', VALUE]);
    await replica.commit();
    expect(await replica.get('large')).to.equal(large);
    expect(await replica.get('k0')).to.equal(VALUE);
  });

  it('makes what a reader of the files was about to get void', async () => {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    await divergent(machine);
    machine.nextLife();
    const replica = await machine.open();
    const read = replica.read(0);
    const cut = replica.store.truncateTo(asOffset(10));
    const slice = await read;
    await cut;
    expect(slice.nextOffset).to.be.at.most(10);
  });

  for (const border of [5, 10, 16]) {
    it(`to offset ${border}, cut off at any of its operations, is finished by a start or never began`, async () => {
      const points = await countPoints(border);
      expect(points).to.be.greaterThan(8);
      for (let point = 1; point <= points; point += 1) {
        for (const crash of CRASHES) await visit(border, point, crash);
      }
    }).timeout(60_000);
  }

  async function countPoints(border: number): Promise<number> {
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    const replica = await divergent(machine);
    const before = machine.disk.operationCount;
    await replica.store.truncateTo(asOffset(border));
    return machine.disk.operationCount - before;
  }

  async function visit(border: number, point: number, crash: CrashPointOptions): Promise<void> {
    const place = `crash at ${point}, ${crash.progress}, ${crash.policy}`;
    const machine = new ReplicaMachine({ segmentBytesMax: 4096 });
    const replica = await divergent(machine);
    machine.disk.failAtOperation(point, crash);
    await failureOf(() => replica.store.truncateTo(asOffset(border)));
    expect(machine.disk.isCrashed, place).to.equal(true);
    machine.disk.restart();
    let reopened = await machine.open();
    expect(reopened.store.logEndOffset, place).to.be.oneOf([border, 20]);
    expect(reopened.store.isWhole, place).to.equal(true);
    expect(reopened.store.lastEpoch, place).to.equal(reopened.store.logEndOffset > 10 ? 2 : 1);
    await reopened.store.truncateTo(asOffset(Math.min(border, 10)));
    await reopened.follow(await successor());
    await reopened.commit(14);
    await reopened.store.close();
    machine.nextLife();
    reopened = await machine.open();
    await expectLog(reopened, 14);
    expect(await reopened.get('n13'), place).to.equal(VALUE);
    expect(await reopened.get('k13'), place).to.equal(null);
    for (let at = 0; at < Math.min(border, 10); at += 1) {
      expect(await reopened.get(`k${at}`), `${place}: k${at}`).to.equal(VALUE);
    }
  }
});

describe('an append of fetched batches', () => {
  it('cut off at any of its operations leaves whole batches, each once, and goes on from there', async () => {
    const leader = await successor();
    const count = async (): Promise<number> => {
      const machine = new ReplicaMachine({ node: 2, segmentBytesMax: 4096 });
      const follower = await machine.open();
      const before = machine.disk.operationCount;
      await follower.follow(leader);
      return machine.disk.operationCount - before;
    };
    const points = await count();
    for (let point = 1; point <= points; point += 1) {
      for (const crash of CRASHES) await visit(leader, point, crash);
    }
  }).timeout(60_000);

  async function visit(leader: TestReplica, point: number, crash: CrashPointOptions): Promise<void> {
    const place = `crash at ${point}, ${crash.progress}, ${crash.policy}`;
    const machine = new ReplicaMachine({ node: 2, segmentBytesMax: 4096, seed: point });
    const follower = await machine.open();
    machine.disk.failAtOperation(point, crash);
    await failureOf(() => follower.follow(leader));
    expect(machine.disk.isCrashed, place).to.equal(true);
    const acknowledged = follower.store.durableOffset;
    machine.disk.restart();
    const reopened = await machine.open();
    expect(reopened.store.logEndOffset, place).to.be.at.least(acknowledged);
    await reopened.follow(leader);
    await reopened.commit(14);
    for (let at = 0; at < 10; at += 1) expect(await reopened.get(`k${at}`), place).to.equal(VALUE);
    expect(await reopened.get('n13'), place).to.equal(VALUE);
    expect(reopened.store.epochs.entries, place).to.deep.equal(leader.store.epochs.entries);
  }
});
