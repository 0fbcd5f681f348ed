import { expect } from 'chai';
import type { CrashPointOptions } from '../../../src/env/faulty-file-system.ts';
import type { ReplicaTrouble } from '../../../src/model/control-messages.ts';
import { type ReplicationRules, RULES } from '../../../src/replication/rules/rules.ts';
import { CRASHES } from '../../support/crash-points.ts';
import { PARTITION, TestCluster, type TestNode } from './replica-cluster.ts';

/** Directories whose follower is told that tombstones it never saw are gone (C5). */
class Resync {
  readonly of = new Set<string>();

  get rules(): ReplicationRules {
    return {
      ...RULES,
      checkFetch: (view, fetch, log, known) =>
        this.of.has(fetch.directoryId)
          ? { outcome: { result: 'resync' }, suspectsSelf: false }
          : RULES.checkFetch(view, fetch, log, known),
    };
  }
}

const KEYS = 8;

async function written(resync: Resync): Promise<TestCluster> {
  const cluster = new TestCluster(2, { rules: resync.rules });
  cluster.minInsync = 1;
  await cluster.found(1);
  for (let number = 0; number < KEYS; number += 1) {
    cluster.node(1).put(`key${number}`, 'x'.repeat(200) + number);
    await cluster.clock.advance(5);
  }
  await cluster.clock.advance(300);
  return cluster;
}

function directoryId(node: TestNode): string {
  return node.manager.replica(PARTITION)?.store?.directoryId ?? '';
}

async function directories(cluster: TestCluster, node: TestNode): Promise<string[]> {
  return cluster.clock.until(node.disk.fileSystem.list('/data/partitions'));
}

async function expectAll(node: TestNode): Promise<void> {
  for (let number = 0; number < KEYS; number += 1) {
    expect(await node.stored(`key${number}`)).to.equal('x'.repeat(200) + number);
  }
}

function troubles(node: TestNode): readonly ReplicaTrouble[] {
  return node.told.filter((message) => message.kind === 'replicaTrouble');
}

describe('rebuild of a replica (C5, C6)', () => {
  it('fills a fresh directory and puts it in the place of the old one', async () => {
    const resync = new Resync();
    const cluster = await written(resync);
    const node = cluster.node(2);
    const old = directoryId(node);
    resync.of.add(old);
    await cluster.clock.advance(2000);
    expect(directoryId(node)).to.not.equal(old);
    expect(await directories(cluster, node)).to.deep.equal(['0-2']);
    expect(node.manager.reports([])[0]).to.include({
      verdict: 'whole',
      directoryId: directoryId(node),
      logEndOffset: KEYS,
    });
    await expectAll(node);
  });

  it('claims nothing on disk, and nothing under the new directory, before it counts', async () => {
    const resync = new Resync();
    const cluster = await written(resync);
    const old = directoryId(cluster.node(2));
    resync.of.add(old);
    cluster.carried.length = 0;
    await cluster.clock.advance(2000);
    const fetches = cluster.carried.filter((message) => message.kind === 'fetch');
    const rebuilding = fetches.filter(({ rebuildId }) => rebuildId > 0);
    expect(rebuilding.length).to.be.above(1);
    expect(rebuilding[0]).to.include({ fetchOffset: 0 });
    expect(
      rebuilding.every(({ durableOffset, directoryId: id }) => durableOffset === 0 && id !== old),
    ).to.equal(true);
  });

  it('begins again from nothing under another leader or epoch (C5)', async () => {
    const resync = new Resync();
    const cluster = await written(resync);
    const node = cluster.node(2);
    resync.of.add(directoryId(node));
    cluster.isLost = (to, message) =>
      message.kind === 'fetchReply' && message.outcome.result === 'data' && to === 2;
    await cluster.clock.advance(500);
    expect(node.manager.replica(PARTITION)?.follower?.isRebuilding).to.equal(true);
    await cluster.push(cluster.state(1, 2, 3, [1]));
    expect(await directories(cluster, node), 'the unfinished one is gone').to.deep.equal(['0', '0-2']);
    cluster.carried.length = 0;
    cluster.isLost = () => false;
    await cluster.clock.advance(2000);
    const first = cluster.carried.find((message) => message.kind === 'fetch' && message.rebuildId > 0);
    expect(first).to.include({ fetchOffset: 0, leaderEpoch: 2 });
    await expectAll(node);
    expect(await directories(cluster, node)).to.have.length(1);
  });

  it('a replica that cannot be used is reported lossy and built anew (R6)', async () => {
    const cluster = await written(new Resync());
    const node = cluster.node(2);
    node.kill();
    await cluster.clock.until(node.disk.fileSystem.unlink('/data/partitions/0/MANIFEST'));
    await node.start();
    expect(node.manager.reports([])[0]).to.include({ verdict: 'lossy', logEndOffset: 0, lastEpoch: 0 });
    await cluster.push(cluster.state(1, 2, 3, [1]));
    await cluster.clock.advance(2000);
    expect(node.manager.reports([])[0]).to.include({ verdict: 'whole', logEndOffset: KEYS });
    await expectAll(node);
  });

  it('a replica that cannot be used leads nothing, and says so again and again', async () => {
    const cluster = await written(new Resync());
    const node = cluster.node(2);
    node.kill();
    await cluster.clock.until(node.disk.fileSystem.unlink('/data/partitions/0/MANIFEST'));
    await node.start();
    await cluster.push(cluster.state(2, 2, 3));
    expect(node.manager.leading(PARTITION)).to.equal(null);
    await cluster.clock.advance(2000);
    expect(troubles(node).length).to.be.above(2);
    expect(troubles(node)[0]).to.include({ trouble: 'corrupt', leaderEpoch: 2 });
  });

  it('below its high watermark it cuts nothing: it tells of it until it has been built anew', async () => {
    const cluster = await written(new Resync());
    const node = cluster.node(2);
    await cluster.clock.advance(6000);
    const old = directoryId(node);
    // What must never be: an empty disk leads, and nobody said that anything may be lost.
    cluster.node(1).wipe();
    await cluster.node(1).start();
    await cluster.push({ ...cluster.state(null, 2, 3), isr: [] }, [1]);
    await cluster.push(cluster.state(1, 3, 4, [1]));
    await cluster.clock.advance(2000);
    expect(troubles(node).some(({ trouble }) => trouble === 'corrupt')).to.equal(true);
    expect(directoryId(node)).to.not.equal(old);
    const before = troubles(node).length;
    await cluster.clock.advance(2000);
    expect(troubles(node), 'it is well again').to.have.length(before);
  });

  it('after an unclean election it gives up what it had, without an alarm', async () => {
    const cluster = await written(new Resync());
    const node = cluster.node(2);
    const old = directoryId(node);
    cluster.node(1).wipe();
    await cluster.node(1).start();
    await cluster.push({ ...cluster.state(null, 2, 3), isr: [] }, [1]);
    await cluster.push({ ...cluster.state(1, 3, 4, [1]), recovery: 'unclean' });
    await cluster.clock.advance(2000);
    expect(troubles(node)).to.deep.equal([]);
    expect(directoryId(node)).to.not.equal(old);
  });

  it('a crash at any point leaves the old directory or the new one, whole', async () => {
    for (const crash of CRASHES) await visitAll(crash);
  }).timeout(60_000);
});

async function visitAll(crash: Required<CrashPointOptions>): Promise<void> {
  const found = { old: 0, fresh: 0 };
  for (let point = 1; ; point += 1) {
    const resync = new Resync();
    const cluster = await written(resync);
    const node = cluster.node(2);
    const old = directoryId(node);
    node.disk.failAtOperation(point, crash);
    resync.of.add(old);
    await cluster.clock.advance(1500);
    const isOver = !node.disk.isCrashed;
    node.kill();
    await node.start();
    const where = `${crash.policy} ${crash.progress} ${point}`;
    expect(await directories(cluster, node), where).to.have.length(1);
    expect(node.manager.reports([])[0], where).to.include({ verdict: 'whole', logEndOffset: KEYS });
    if (directoryId(node) === old) found.old += 1;
    else found.fresh += 1;
    await cluster.push(cluster.state(1, 2, 3, [1]));
    await cluster.clock.advance(1500);
    await expectAll(node);
    expect(directoryId(node), where).to.not.equal(old);
    if (isOver) break;
  }
  expect(found.old, 'points before the swap').to.be.above(10);
  expect(found.fresh, 'points after it').to.be.above(1);
}
