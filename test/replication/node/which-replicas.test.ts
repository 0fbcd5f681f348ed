import { expect } from 'chai';
import { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import {
  asControllerEpoch,
  asIncarnation,
  asLeaderEpoch,
  asNodeId,
  asPartitionVersion,
} from '../../../src/model/numbers.ts';
import { CleanMarker } from '../../../src/replication/node/clean-marker.ts';
import { SeededRandom } from '../../support/seeded-random.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { PARTITION, TestCluster, told } from './replica-cluster.ts';

describe('replica manager: which replicas', () => {
  it('removes one only for a later epoch that lists others (KIP-570)', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    const without = { ...cluster.state(1, 1, 3, [1, 2]), replicas: [asNodeId(1), asNodeId(2)] };
    await cluster.push(without);
    expect(cluster.node(3).manager.replica(PARTITION)).to.not.equal(null);
    await cluster.push({ ...without, leaderEpoch: asLeaderEpoch(2), version: asPartitionVersion(4) });
    expect(cluster.node(3).manager.replica(PARTITION)).to.equal(null);
    const { fileSystem } = cluster.node(3).disk;
    expect(await cluster.clock.until(fileSystem.list('/data/partitions'))).to.deep.equal([]);
  });

  it('does not follow an old leader after it was removed (hole 5)', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    const old = cluster.state(1, 1, 3);
    await cluster.push({ ...cluster.state(2, 4, 5, [1, 2]), replicas: [asNodeId(1), asNodeId(2)] });
    cluster.node(3).kill();
    await cluster.node(3).start();
    await cluster.push(old, [3]);
    expect(cluster.node(3).manager.replica(PARTITION)).to.equal(null);
    await cluster.push(cluster.state(2, 5, 6, [1, 2]), [3]);
    expect(cluster.node(3).manager.replica(PARTITION)?.follower, 'assigned again').to.not.equal(null);
  });

  it('tells a controller that reigns below another, and nothing else (R17)', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.controllerEpoch = 5;
    await cluster.push(cluster.state(1, 2, 3));
    const node = cluster.node(2);
    node.manager.receiveControl({
      kind: 'replicaQuery',
      controller: asNodeId(1),
      controllerEpoch: asControllerEpoch(4),
      queryId: 7,
      partitions: [],
    });
    const reply = told(node, 'replicaQueryReply').at(-1);
    expect(reply).to.deep.include({ queryId: 7, queryEpoch: 4, controllerEpoch: 5, reports: [] });
  });

  it('a late push of the same reign does not bring back an older list of nodes', async () => {
    const cluster = new TestCluster(3);
    await cluster.found(1);
    const { manager } = cluster.node(1);
    const all = manager.metadata.nodes;
    const push = (nodes: typeof all, nodesSequence: number, controllerEpoch = 1): readonly number[] => {
      manager.receiveControl({
        kind: 'statePush',
        controller: asNodeId(1),
        controllerEpoch: asControllerEpoch(controllerEpoch),
        targetIncarnation: manager.incarnation,
        facts: cluster.facts,
        nodes,
        nodesSequence,
        partitions: [],
      });
      return [...manager.metadata.live.keys()];
    };
    expect(push(all.slice(0, 2), 3)).to.deep.equal([1, 2]);
    expect(push(all, 2), 'late').to.deep.equal([1, 2]);
    expect(push(all.slice(0, 1), 3), 'said again').to.deep.equal([1]);
    expect(push(all, 4)).to.deep.equal([1, 2, 3]);
    expect(push(all.slice(0, 2), 1, 2), 'of the next reign').to.deep.equal([1, 2]);
    expect(push(all, 9), 'of the reign before').to.deep.equal([1, 2]);
  });

  it('answers a query with what it holds, as soon as the reign of who asks is durable (R17)', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(300);
    const node = cluster.node(2);
    node.manager.receiveControl({
      kind: 'replicaQuery',
      controller: asNodeId(1),
      controllerEpoch: asControllerEpoch(2),
      queryId: 7,
      partitions: [],
    });
    expect(told(node, 'replicaQueryReply')).to.deep.equal([]);
    await cluster.clock.advance(100);
    expect(node.manager.nodeState.controllerEpochMax).to.equal(2);
    const reply = told(node, 'replicaQueryReply').at(-1);
    expect(reply).to.include({ queryId: 7, node: 2 });
    expect(reply?.reports[0]).to.include({
      partition: PARTITION,
      lastEpoch: 1,
      logEndOffset: 1,
      verdict: 'whole',
      leaderEpochMax: 1,
      versionMax: 2,
    });
  });

  it('comes back whole after a kill, and goes on', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.node(1).put('before', '1');
    await cluster.clock.advance(300);
    cluster.node(2).kill();
    await cluster.node(2).start();
    expect(cluster.node(2).manager.reports([])[0]).to.include({
      verdict: 'whole',
      logEndOffset: 1,
      lastEpoch: 1,
    });
    await cluster.push(cluster.state(1, 2, 3));
    cluster.node(1).put('after', '2');
    await cluster.clock.advance(1000);
    expect(await cluster.node(2).stored('after')).to.equal('2');
  });

  it('leaves the marker of a clean shutdown last, and takes it away first (KAFKA-10471)', async () => {
    const cluster = new TestCluster(1);
    cluster.minInsync = 1;
    await cluster.found(1);
    const { disk } = cluster.node(1);
    await cluster.node(1).stop();
    const changes = disk.trace.operations.filter(({ kind }) => kind === 'rename' || kind === 'unlink');
    expect(changes.at(-1)?.target).to.equal('/data/CLEAN');
    expect(await cluster.clock.until(disk.fileSystem.exists('/data/CLEAN'))).to.equal(true);
    await cluster.node(1).start();
    expect(await cluster.clock.until(disk.fileSystem.exists('/data/CLEAN'))).to.equal(false);
  });

  it('leaves no timer behind when it closes', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(300);
    for (const node of cluster.nodes) await node.stop();
    await cluster.clock.settle();
    expect(cluster.clock.timerCount).to.equal(0);
  });

  it('a marker of another life, or a damaged one, proves nothing (KIP-966)', async () => {
    const disk = new FaultyFileSystem({ random: new SeededRandom(1), clock: new SimulatedClock() });
    await disk.fileSystem.makeDirectory('/data');
    const marker = new CleanMarker(disk.fileSystem, '/data');
    expect(await marker.take(asIncarnation(7)), 'there is none').to.equal(false);
    await marker.leave(asIncarnation(7));
    expect(await marker.take(asIncarnation(8))).to.equal(false);
    await marker.leave(asIncarnation(7));
    expect(await marker.take(asIncarnation(7))).to.equal(true);
    expect(await marker.take(asIncarnation(7)), 'it is gone').to.equal(false);
    await marker.leave(asIncarnation(7));
    disk.flipBit('/data/CLEAN', 3, 1);
    expect(await marker.take(asIncarnation(7))).to.equal(false);
  });

  it('reads of a follower: at or below its high watermark, and only while it is fresh', async () => {
    const cluster = new TestCluster(2);
    await cluster.found(1);
    cluster.node(1).put('key', 'value');
    await cluster.clock.advance(500);
    const { manager } = cluster.node(2);
    expect(manager.readStale(PARTITION, 400)?.committedOffset).to.equal(1);
    expect(cluster.node(1).manager.readStale(PARTITION, 400), 'of a leader').to.equal(null);
    cluster.isLost = () => true;
    await cluster.clock.advance(500);
    expect(manager.readStale(PARTITION, 400)).to.equal(null);
    expect(manager.readStale(PARTITION, 1500)).to.not.equal(null);
  });
});
