import { expect } from 'chai';
import { asControllerEpoch } from '../../../src/model/numbers.ts';
import { PARTITION, TestCluster, told } from './replica-cluster.ts';

describe('a state that is told again', () => {
  it('is the same attempt: what the first one made durable is in force before anything is acknowledged, whatever becomes of the second', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    const node = cluster.node(2);
    const acks = told(node, 'statePushAck').length;
    const state = cluster.state(2, 2, 3);
    node.disk.slow({ syncMs: 100 });
    await cluster.push(state, [2]);
    await cluster.clock.advance(20);
    // The second push is of a later reign, which must be made durable too: there is no room for that, once.
    cluster.controllerEpoch = 2;
    node.disk.arm({ operation: 'write', path: 'STATE', errno: 'ENOSPC' });
    await cluster.push(structuredClone(state), [2]);
    for (let ms = 0; ms < 1_000; ms += 10) {
      await cluster.clock.advance(10);
      const { leader } = node.manager.replica(PARTITION) ?? {};
      if (told(node, 'statePushAck').length > acks && leader === null)
        expect.fail('acknowledged without a role');
    }
    expect(node.manager.replica(PARTITION)?.leader ?? null).to.not.equal(null);
  });

  it('R17: of two leaders of one epoch in which nothing was written the one of the later reign is followed, however soon it comes', async () => {
    for (let delayMs = 0; delayMs < 60; delayMs += 1) {
      const first = delayMs % 2 === 0 ? 1 : 3;
      const cluster = new TestCluster(3);
      await cluster.found(1);
      const node = cluster.node(3);
      let asked: number | null = null;
      cluster.isLost = (to, { kind, from }) => {
        if (kind === 'fetch' && from === node.id) asked = to;
        return false;
      };
      node.disk.slow({ syncMs: 8 });
      await cluster.push(cluster.state(first, 4, 5), [3]);
      await cluster.clock.advance(delayMs);
      cluster.controllerEpoch = 2;
      await cluster.push(cluster.state(2, 4, 6), [3]);
      await cluster.clock.advance(500);
      expect(asked, `${delayMs} ms later`).to.equal(2);
    }
  });

  it('R17: a node remembers of a replica that is gone what it knew of the partition', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    await cluster.push({
      ...cluster.state(1, 2, 3, [1, 2]),
      replicas: cluster.state(1, 2, 3).replicas.slice(0, 2),
    });
    await cluster.clock.advance(500);
    const node = cluster.node(3);
    expect(node.manager.replica(PARTITION)).to.equal(null);
    node.manager.receiveControl({
      kind: 'replicaQuery',
      controller: cluster.node(1).id,
      controllerEpoch: asControllerEpoch(1),
      queryId: 1,
      partitions: [PARTITION],
    });
    await cluster.clock.advance(100);
    const [report] = told(node, 'replicaQueryReply').at(-1)?.reports ?? [];
    expect(report).to.include({ verdict: 'gone', directoryId: '', leaderEpochMax: 2, versionMax: 3 });
  });
});
