import { expect } from 'chai';
import type { StatePushAck } from '../../../src/model/control-messages.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asPartitionVersion,
} from '../../../src/model/numbers.ts';
import { ReadOutcome } from '../../../src/replication/leader-partition.ts';
import { LEASE_MS, PARTITION, TestCluster, type TestNode, told } from './replica-cluster.ts';

function acks(node: TestNode): readonly StatePushAck[] {
  return told(node, 'statePushAck');
}

function record(node: TestNode) {
  return node.manager.nodeState.partition(PARTITION);
}

describe('replica manager: states', () => {
  it('acknowledges a version once it is durable and in force', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    for (const node of cluster.nodes) {
      expect(acks(node).at(-1)?.versions).to.deep.equal([[PARTITION, 2]]);
      expect(record(node)).to.include({ leaderEpochMax: 1, versionMax: 2 });
    }
  });

  it('rejects what an older controller says (KAFKA-1096)', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.controllerEpoch = 3;
    await cluster.push(cluster.state(1, 1, 3));
    cluster.controllerEpoch = 2;
    await cluster.push(cluster.state(2, 9, 9));
    expect(cluster.node(1).manager.leading(PARTITION)).to.not.equal(null);
    expect(record(cluster.node(1))).to.include({ leaderEpochMax: 1, versionMax: 3 });
    expect(acks(cluster.node(1)).at(-1)).to.include({ controllerEpoch: 3 });
  });

  it('remembers the controller epoch over a restart', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.controllerEpoch = 3;
    await cluster.push(cluster.state(1, 1, 3));
    cluster.node(2).kill();
    await cluster.node(2).start();
    cluster.controllerEpoch = 2;
    await cluster.push(cluster.state(2, 9, 9));
    expect(record(cluster.node(2))).to.include({ leaderEpochMax: 1 });
  });

  it('rejects what is meant for another life (KAFKA-7235)', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    const node = cluster.node(1);
    node.manager.receiveControl({
      kind: 'statePush',
      controller: asNodeId(1),
      controllerEpoch: asControllerEpoch(1),
      targetIncarnation: asIncarnation(node.manager.incarnation - 1),
      facts: cluster.facts,
      nodes: [],
      nodesSequence: 9,
      partitions: [cluster.state(2, 9, 9)],
    });
    await cluster.clock.settle();
    expect(record(node)).to.include({ leaderEpochMax: 1 });
  });

  it('rejects older epochs and older versions of one epoch, also after a restart (I1)', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    await cluster.push(cluster.state(2, 5, 7));
    await cluster.push(cluster.state(1, 4, 8));
    expect(cluster.node(1).manager.leading(PARTITION)).to.equal(null);
    cluster.node(1).kill();
    await cluster.node(1).start();
    await cluster.push(cluster.state(1, 4, 8), [1]);
    await cluster.push(cluster.state(2, 5, 6), [1]);
    expect(cluster.node(1).manager.replica(PARTITION)?.state).to.equal(null);
    await cluster.push(cluster.state(2, 5, 7), [1]);
    expect(cluster.node(1).manager.replica(PARTITION)?.follower, 'the one it knew').to.not.equal(null);
  });

  it('a push that comes twice changes nothing and is acknowledged again', async () => {
    const cluster = new TestCluster(2);
    const state = await cluster.found(1);
    const { leader } = cluster.node(1).manager.replica(PARTITION) ?? {};
    const before = acks(cluster.node(1)).length;
    await cluster.push(state);
    expect(cluster.node(1).manager.replica(PARTITION)?.leader).to.equal(leader);
    expect(acks(cluster.node(1))).to.have.length(before + 1);
  });

  it('leads nothing that another life of it was elected for (KIP-380)', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    const state = cluster.state(1, 2, 3);
    const stale = { ...state.incarnations, 1: asIncarnation(cluster.node(1).manager.incarnation - 1) };
    await cluster.push({ ...state, incarnations: stale });
    expect(cluster.node(1).manager.leading(PARTITION)).to.equal(null);
  });

  it('never leads twice in one epoch: a restarted leader waits for the next (2.8)', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.node(1).kill();
    await cluster.node(1).start();
    await cluster.push(cluster.state(1, 1, 3));
    expect(cluster.node(1).manager.leading(PARTITION)).to.equal(null);
    await cluster.push(cluster.state(1, 2, 4));
    expect(cluster.node(1).manager.leading(PARTITION)?.leaderEpoch).to.equal(2);
  });

  it('ends the lease of a deposed leader before the push call returns (L8)', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.node(1).put('key', 'old');
    await cluster.clock.advance(300);
    const leader = cluster.node(1).leading();
    expect(cluster.node(1).read('key', 1).outcome).to.equal(ReadOutcome.ready);
    const pushing = cluster.push(cluster.state(2, 2, 3), [1]);
    expect(leader.confirmRead(2)).to.equal(ReadOutcome.refused);
    expect(leader.writeRefusal()).to.not.equal(null);
    await pushing;
  });

  it('a new leader acts only when the promise to the old one is over (L5)', async () => {
    const cluster = new TestCluster(2);
    cluster.minInsync = 1;
    await cluster.found(1);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(300);
    cluster.node(1).kill();
    await cluster.push(cluster.state(2, 2, 3, [2]));
    const role = cluster.node(2).manager.replica(PARTITION)?.leader;
    expect(role?.canAct).to.equal(false);
    await cluster.clock.advance(LEASE_MS);
    expect(role?.canAct).to.equal(true);
    expect(cluster.node(2).read('key', 1)).to.deep.equal({ outcome: ReadOutcome.ready, value: 'value' });
  });

  it('a release lets the new leader act at once (L9)', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(300);
    await cluster.push(cluster.state(2, 2, 3));
    await cluster.clock.advance(10);
    expect(cluster.node(2).manager.replica(PARTITION)?.leader?.canAct).to.equal(true);
  });

  it('in another life it follows on and leads no more, before the call returns', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(100);
    const { manager } = cluster.node(1);
    const next = asIncarnation(manager.incarnation + 1);
    const ended = manager.reincarnate(next);
    expect(manager.leading(PARTITION)).to.equal(null);
    await cluster.clock.until(ended);
    expect(manager.incarnation).to.equal(next);
    expect(manager.nodeState.incarnation).to.equal(next);
    const follower = cluster.node(2).manager;
    await cluster.clock.until(follower.reincarnate(asIncarnation(follower.incarnation + 1)));
    expect(follower.replica(PARTITION)?.follower).to.not.equal(null);
  });

  for (const role of ['leader', 'follower'] as const) {
    it(`a ${role} says nothing under either life before the next one is durable`, async () => {
      const cluster = new TestCluster(2);
      await cluster.found(1);
      await cluster.clock.advance(100);
      const id = role === 'leader' ? 1 : 2;
      const node = cluster.node(id);
      const { manager } = node;
      const last = manager.incarnation;
      node.disk.slow({ syncMs: 1000 });
      const ended = manager.reincarnate(asIncarnation(last + 1));
      await cluster.clock.settle();
      const told = node.told.length;
      cluster.carried.length = 0;
      await cluster.push(cluster.state(id, 2, 3));
      for (const incarnation of [last, last + 1]) {
        manager.receiveControl({
          kind: 'replicaQuery',
          controller: asNodeId(1),
          controllerEpoch: asControllerEpoch(1),
          queryId: 1,
          partitions: [],
        });
        const live = [{ nodeId: node.id, incarnation: asIncarnation(incarnation), addresses: {}, rack: '' }];
        manager.stateRead({
          controllerEpoch: manager.nodeState.controllerEpochMax,
          facts: cluster.facts,
          nodes: live,
          partitions: [cluster.state(id, 2, 3)],
        });
      }
      await cluster.clock.advance(500);
      expect(node.told.slice(told)).to.deep.equal([]);
      expect(cluster.carried.filter(({ from }) => from === node.id)).to.deep.equal([]);
      expect(manager.replica(PARTITION)?.leader ?? manager.replica(PARTITION)?.follower).to.equal(null);
      expect([manager.incarnation, manager.isBetweenLives]).to.deep.equal([last, true]);
      node.disk.clearFaults();
      await cluster.clock.advance(3000);
      await cluster.clock.until(ended);
      expect([manager.incarnation, manager.isBetweenLives]).to.deep.equal([last + 1, false]);
      await cluster.push(cluster.state(1, 3, 4));
      await cluster.clock.advance(500);
      expect(node.told.slice(told).some(({ kind }) => kind === 'statePushAck')).to.equal(true);
    });
  }

  it('who is asked to hand over before its role has begun does so when it has, and not in a later epoch (L9)', async () => {
    for (const isLate of [false, true]) {
      const cluster = new TestCluster(2);
      await cluster.found(1);
      await cluster.clock.advance(100);
      const node = cluster.node(2);
      const ready = () => node.told.filter(({ kind }) => kind === 'handOverReady').length;
      node.disk.slow({ syncMs: 300 });
      const pushed = cluster.state(2, 2, 3);
      await cluster.push(pushed, [2]);
      expect(node.manager.leading(PARTITION)).to.equal(null);
      node.manager.receiveControl({
        kind: 'handOverRequest',
        controller: asNodeId(1),
        controllerEpoch: asControllerEpoch(1),
        incarnation: node.manager.incarnation,
        partition: PARTITION,
        uuid: pushed.uuid,
        leaderEpoch: asLeaderEpoch(2),
      });
      if (isLate) await cluster.push(cluster.state(2, 3, 4));
      node.disk.clearFaults();
      await cluster.push(isLate ? cluster.state(2, 3, 4) : pushed);
      await cluster.clock.advance(3000);
      expect(ready() > 0).to.equal(!isLate);
    }
  });

  it('a request to hand over that nobody repeats is void when the role begins late (L9)', async () => {
    for (const times of [1, 3]) {
      const cluster = new TestCluster(2);
      await cluster.found(1);
      await cluster.clock.advance(100);
      const node = cluster.node(2);
      node.disk.arm({ operation: 'write', path: 'EPOCHS', errno: 'ENOSPC', times });
      const pushed = cluster.state(2, 2, 3);
      await cluster.push(pushed);
      node.manager.receiveControl({
        kind: 'handOverRequest',
        controller: asNodeId(1),
        controllerEpoch: asControllerEpoch(1),
        incarnation: node.manager.incarnation,
        partition: PARTITION,
        uuid: pushed.uuid,
        leaderEpoch: asLeaderEpoch(2),
      });
      await cluster.clock.advance(5000);
      expect(node.manager.leading(PARTITION)).to.not.equal(null);
      const isReady = node.told.some(({ kind }) => kind === 'handOverReady');
      expect(isReady, times === 1 ? 'in time' : 'too late').to.equal(times === 1);
    }
  });

  it('a life that finds no room on the disk waits for it, unless the node stops (R24)', async () => {
    for (const isStopped of [false, true]) {
      const cluster = new TestCluster(2);
      await cluster.found(1);
      await cluster.clock.advance(100);
      const { manager, disk } = cluster.node(1);
      const next = asIncarnation(manager.incarnation + 1);
      disk.arm({ operation: 'write', path: 'STATE', errno: 'ENOSPC', times: 4 });
      const begun = manager.reincarnate(next).then(
        () => 'begun',
        (error: unknown) => (error as { readonly code: string }).code,
      );
      await cluster.clock.advance(1000);
      expect(manager.isBetweenLives).to.equal(true);
      if (isStopped) manager.waitNoLonger();
      else await cluster.clock.advance(5000);
      expect(await begun).to.equal(isStopped ? 'diskFull' : 'begun');
      expect(manager.isBetweenLives).to.equal(isStopped);
    }
  });

  it('warns once of the gap in which a silent follower leaves reads the coordinator alone (R9)', async () => {
    const cluster = new TestCluster(2);
    const state = await cluster.found(1);
    await cluster.push({ ...state, version: asPartitionVersion(9) });
    const warnings = cluster
      .node(1)
      .logger.events.filter(({ text }) => text.includes('depend on the coordinator'));
    expect(warnings.map(({ fields }) => fields.gapMs)).to.deep.equal([1080]);
  });

  it('a life that cannot be made durable never begins', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    const node = cluster.node(1);
    const { manager } = node;
    const last = manager.incarnation;
    node.disk.arm({ operation: 'sync', path: 'STATE' });
    const outcome = manager.reincarnate(asIncarnation(last + 1)).then(
      () => 'began',
      () => 'failed',
    );
    expect(await cluster.clock.until(outcome)).to.equal('failed');
    const told = node.told.length;
    await cluster.push(cluster.state(1, 2, 3));
    expect(manager.leading(PARTITION)).to.equal(null);
    expect(node.told).to.have.length(told);
    await cluster.clock.until(manager.reincarnate(asIncarnation(last + 1)));
    await cluster.push(cluster.state(1, 2, 3));
    expect(manager.leading(PARTITION)).to.not.equal(null);
  });

  it('acknowledges to the leader only a version that is durable (R17)', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    await cluster.clock.advance(50);
    // The follower misses the push; it hears of the version with the data.
    await cluster.push(cluster.state(1, 1, 3), [1]);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(500);
    expect(record(cluster.node(2))?.versionMax).to.equal(3);
    expect(cluster.node(1).leading().highWatermark).to.equal(1);
  });
});
