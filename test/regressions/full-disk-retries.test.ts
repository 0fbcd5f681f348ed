import { expect } from 'chai';
import type { ReplicaTrouble } from '../../src/model/control-messages.ts';
import type { PartitionStore } from '../../src/storage/partition-store.ts';
import { PARTITION, TestCluster, type TestNode } from '../replication/node/replica-cluster.ts';

const WAITS = 'there is no room: tried again';

function storeOf(node: TestNode): PartitionStore {
  const store = node.manager.replica(PARTITION)?.store;
  if (store === null || store === undefined) throw new Error(`node ${node.id} has no store`);
  return store;
}

async function untilWaiting(cluster: TestCluster, node: TestNode): Promise<void> {
  for (let ms = 0; ms < 400 && !node.logger.texts('warn').includes(WAITS); ms += 1)
    await cluster.clock.advance(1);
  expect(node.logger.texts('warn')).to.include(WAITS);
}

const acks = (node: TestNode): number => node.told.filter(({ kind }) => kind === 'statePushAck').length;

const troubles = (node: TestNode): readonly ReplicaTrouble[] =>
  node.told.filter((message) => message.kind === 'replicaTrouble');

/** Two nodes; the second knows by its META that it may have lost something, and follows the first. */
async function markedLossy(): Promise<TestCluster> {
  const cluster = new TestCluster(2);
  cluster.minInsync = 1;
  await cluster.found(1);
  cluster.node(1).put('key', 'value');
  await cluster.clock.advance(300);
  const node = cluster.node(2);
  await cluster.clock.until(storeOf(node).markLossy());
  node.kill();
  await node.start();
  await cluster.push(cluster.state(1, 2, 3, [1]));
  await cluster.clock.advance(300);
  return cluster;
}

/** What waited for room on a full disk was done when it was not wanted any more, or was forgotten for something else that waited. */
describe('a change that waits for room on a full disk', () => {
  it('is dropped with the log that it was meant for: a truncation does not cut what was built anew since', async () => {
    const cluster = new TestCluster(2);
    cluster.minInsync = 1;
    await cluster.found(2);
    const node = cluster.node(2);
    for (let number = 0; number < 3; number += 1) node.put(`common${number}`, 'x');
    await cluster.clock.advance(300);
    cluster.isLost = () => true;
    for (let number = 0; number < 5; number += 1) node.put(`alone${number}`, 'x');
    await cluster.clock.advance(100);
    cluster.isLost = (_to, message) => message.kind === 'leaderReleased';
    node.disk.arm({ operation: 'write', path: 'META', errno: 'ENOSPC', times: 1 });
    await cluster.push(cluster.state(1, 2, 3, [1]));
    for (let number = 0; number < 20; number += 1) cluster.node(1).put(`new${number}`, 'y');
    await untilWaiting(cluster, node);
    node.manager.replica(PARTITION)?.follower?.logIsCorrupt();
    await cluster.clock.advance(300);
    cluster.node(1).put('last', 'z');
    await cluster.clock.advance(3000);
    for (let number = 0; number < 20; number += 1) expect(await node.stored(`new${number}`)).to.equal('y');
    expect(await node.stored('last')).to.equal('z');
  });

  it('is not forgotten for another: who is elected begins its epoch, though its lossy mark found no room either', async () => {
    const cluster = await markedLossy();
    const node = cluster.node(2);
    node.disk.arm({ operation: 'write', path: 'META', errno: 'ENOSPC', times: 4 });
    await cluster.push(cluster.state(1, 2, 4));
    await cluster.clock.advance(100);
    await cluster.push(cluster.state(2, 3, 5));
    await cluster.clock.advance(3000);
    expect(node.manager.leading(PARTITION)).to.not.equal(null);
    expect(storeOf(node).isWhole).to.equal(true);
  });

  it('is not said to be in force: a state whose role waits is acknowledged when the role has begun', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    const node = cluster.node(2);
    node.disk.arm({ operation: 'write', path: 'EPOCHS', errno: 'ENOSPC', times: 2 });
    const before = acks(node);
    const state = cluster.state(2, 2, 3);
    for (let round = 0; round < 20; round += 1) await cluster.push(state);
    expect(acks(node)).to.equal(before);
    expect(
      node.logger.texts('warn').filter((text) => text === WAITS),
      'a push is no attempt',
    ).to.have.length(1);
    await cluster.clock.advance(3000);
    await cluster.push(state);
    expect(node.manager.leading(PARTITION)).to.not.equal(null);
    expect(acks(node)).to.equal(before + 1);
  });

  it('is made again with all that belongs to it: the mark of rot is on the disk before the rebuild begins', async () => {
    const cluster = new TestCluster(2);
    cluster.minInsync = 1;
    await cluster.found(1);
    for (let number = 0; number < 5; number += 1) cluster.node(1).put(`key${number}`, 'value');
    await cluster.clock.advance(300);
    const node = cluster.node(2);
    const store = storeOf(node);
    // The mark, and then what the rebuild begins with.
    node.disk.arm({ operation: 'write', path: 'META', errno: 'ENOSPC', times: 2 });
    cluster.isLost = (_to, { kind }) => kind === 'fetchReply';
    node.manager.replica(PARTITION)?.follower?.logIsCorrupt();
    await cluster.clock.advance(3000);
    expect(store.meta.lossy).to.equal(true);
    node.kill();
    await node.start();
    expect(node.manager.reports([])[0]?.verdict).to.equal('lossy');
  });

  it('is a version too: a follower that could not make it durable asks again, and acknowledges it', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(300);
    const node = cluster.node(2);
    node.disk.arm({ operation: 'write', path: 'STATE', errno: 'ENOSPC', times: 2 });
    await cluster.push(cluster.state(1, 1, 3), [1]);
    await cluster.clock.advance(3000);
    const fetch = cluster.carried.findLast((message) => message.kind === 'fetch');
    expect(fetch).to.include({ from: 2, partitionVersion: 3 });
    expect(troubles(node)).to.deep.equal([]);
  });
});
