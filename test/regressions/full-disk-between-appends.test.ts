import { expect } from 'chai';
import { asOffset } from '../../src/model/numbers.ts';
import { RULES } from '../../src/replication/rules/rules.ts';
import { PARTITION, TestCluster, type TestNode } from '../replication/node/replica-cluster.ts';
import { ReplicaMachine } from '../support/replica-machine.ts';

/** But that there was no room for a leader's epoch, which is over with the epoch. */
const troubles = (node: TestNode): number =>
  node.told.filter((message) => message.kind === 'replicaTrouble' && message.trouble !== 'stuck').length;

/** Node 2 has a record that nobody else has: to be cut when node 1 leads. */
async function diverged(): Promise<TestCluster> {
  const cluster = new TestCluster(2);
  await cluster.found(2);
  cluster.node(2).put('key', 'old');
  await cluster.clock.advance(200);
  cluster.isLost = () => true;
  cluster.node(2).put('key', 'alone');
  await cluster.clock.advance(200);
  cluster.isLost = () => false;
  return cluster;
}

/** A disk that was full but for a moment put a replica out until the process was started again, wherever it was met but in an append. */
describe('a full disk', () => {
  it('met by a follower that is to cut its log heals', async () => {
    const cluster = await diverged();
    const node = cluster.node(2);
    node.disk.arm({ operation: 'write', path: 'META', errno: 'ENOSPC', times: 3 });
    await cluster.push(cluster.state(1, 2, 3));
    await cluster.clock.advance(100);
    expect(node.logger.texts('warn')).to.include('there is no room: tried again');
    cluster.node(1).put('key', 'new');
    await cluster.clock.advance(5000);
    expect(troubles(node)).to.equal(0);
    expect(await node.stored('key')).to.equal('new');
  });

  it('met by a rebuild, at its beginning or its end, is waited out', async () => {
    for (const path of ['META', 'MANIFEST', 'STATE', '.log']) {
      const resync = new Set<string>();
      const checkFetch: typeof RULES.checkFetch = (view, fetch, log, known) =>
        resync.has(fetch.directoryId)
          ? { outcome: { result: 'resync' }, suspectsSelf: false }
          : RULES.checkFetch(view, fetch, log, known);
      const cluster = new TestCluster(2, { rules: { ...RULES, checkFetch } });
      cluster.minInsync = 1;
      await cluster.found(1);
      cluster.node(1).put('key', 'value');
      await cluster.clock.advance(300);
      const node = cluster.node(2);
      const old = node.manager.replica(PARTITION)?.store?.directoryId ?? '';
      node.disk.arm({ operation: 'write', path, errno: 'ENOSPC', times: 3 });
      resync.add(old);
      await cluster.clock.advance(8000);
      expect(troubles(node), path).to.equal(0);
      expect(node.manager.reports([])[0]?.verdict, path).to.equal('whole');
      expect(node.manager.replica(PARTITION)?.store?.directoryId, path).to.not.equal(old);
      expect(await node.stored('key'), path).to.equal('value');
    }
  });

  it('met by a leader that begins its epoch is waited out, unless another is elected meanwhile', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(100);
    const node = cluster.node(2);
    node.disk.arm({ operation: 'write', path: 'EPOCHS', errno: 'ENOSPC', times: 3 });
    await cluster.push(cluster.state(2, 2, 3));
    expect(node.manager.leading(PARTITION)).to.equal(null);
    await cluster.clock.advance(3000);
    expect(troubles(node)).to.equal(0);
    expect(node.manager.leading(PARTITION)).to.not.equal(null);
    const other = cluster.node(1);
    other.disk.arm({ operation: 'write', path: 'EPOCHS', errno: 'ENOSPC', times: 3 });
    await cluster.push(cluster.state(1, 3, 4));
    await cluster.push(cluster.state(2, 4, 5));
    await cluster.clock.advance(5000);
    expect(other.manager.leading(PARTITION)).to.equal(null);
    expect(other.manager.replica(PARTITION)?.follower).to.not.equal(null);
    cluster.node(2).put('key', 'value');
    await cluster.clock.advance(500);
    expect(await other.stored('key')).to.equal('value');
  });

  it('met when a lossy mark is to go is waited out: a member is whole also after a crash', async () => {
    const cluster = new TestCluster(2);
    cluster.minInsync = 1;
    await cluster.found(1);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(300);
    const node = cluster.node(2);
    await cluster.clock.until(node.manager.replica(PARTITION)?.store?.markLossy() ?? Promise.resolve());
    node.kill();
    await node.start();
    expect(node.manager.reports([])[0]?.verdict).to.equal('lossy');
    await cluster.push(cluster.state(1, 2, 3, [1]));
    await cluster.clock.advance(300);
    node.disk.arm({ operation: 'write', path: 'META', errno: 'ENOSPC', times: 2 });
    await cluster.push(cluster.state(1, 2, 4));
    await cluster.clock.advance(3000);
    expect(troubles(node)).to.equal(0);
    expect(node.manager.replica(PARTITION)?.store?.isWhole).to.equal(true);
  });

  it('leaves a log that was to be cut as it is; a cut that is half done is not tried again', async () => {
    const machine = new ReplicaMachine();
    const leader = await machine.lead(1);
    await leader.write(['a', '1'], ['b', '2'], ['c', '3']);
    leader.store.endEpoch();
    machine.disk.arm({ operation: 'write', path: 'META', errno: 'ENOSPC' });
    const full = await leader.store.truncateTo(asOffset(1)).catch((error: unknown) => error);
    expect(full).to.include({ code: 'diskFull' });
    expect([leader.store.logEndOffset, leader.store.durableOffset]).to.deep.equal([3, 3]);
    await leader.store.truncateTo(asOffset(2));
    expect([leader.store.logEndOffset, leader.store.durableOffset]).to.deep.equal([2, 2]);
    machine.disk.arm({ operation: 'write', path: 'META', nth: 2, errno: 'ENOSPC' });
    const half = await leader.store.truncateTo(asOffset(1)).catch((error: unknown) => error);
    expect(half).to.include({ code: 'diskIo' });
    machine.nextLife();
    const next = await machine.open();
    expect(next.store.logEndOffset).to.equal(1);
  });
});
