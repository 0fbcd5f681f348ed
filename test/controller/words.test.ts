import { expect } from 'chai';
import { asControllerEpoch, asLeaderEpoch, asNodeId } from '../../src/model/numbers.ts';
import type { ScriptedNode } from '../support/controlled-cluster.ts';
import { other, P0, proposal, repliesTo, startCluster, versionOf } from './started-cluster.ts';

describe('Controller: what nodes say, and what they are told', () => {
  it('KAFKA-7837: a rotten directory stays out until it is built anew, however long that takes', async () => {
    const cluster = await startCluster();
    const { leader: leading, leaderEpoch, directoryIds } = cluster.partition();
    const leader = cluster.node(leading ?? 0);
    const rotten = other(cluster, leader.nodeId);
    rotten.send({
      kind: 'replicaTrouble',
      node: rotten.nodeId,
      incarnation: rotten.incarnation,
      partition: P0,
      leaderEpoch,
      directoryId: directoryIds[rotten.nodeId] ?? '',
      trouble: 'corrupt',
    });
    await cluster.clock.advance(60_000);
    leader.send(proposal(cluster, [1, 2, 3]));
    await cluster.clock.advance(100);
    expect(repliesTo(leader).at(-1)?.result).to.equal('ineligible');
    const replica = rotten.replicas.get(P0);
    if (replica !== undefined) rotten.replicas.set(P0, { ...replica, directoryId: 'built anew' });
    leader.send(proposal(cluster, [1, 2, 3]));
    await cluster.clock.advance(100);
    expect(cluster.partition().isr).to.include(rotten.nodeId);
  });

  it('a leader without room for its epoch gives way in that epoch, stays a member, and may be elected in a later one (R24)', async () => {
    const cluster = await startCluster();
    const { leader: leading, leaderEpoch, directoryIds } = cluster.partition();
    const full = cluster.node(leading ?? 0);
    const { nodeId, incarnation } = full;
    const said = {
      kind: 'replicaTrouble',
      node: nodeId,
      incarnation,
      partition: P0,
      trouble: 'stuck',
    } as const;
    const directoryId = directoryIds[nodeId] ?? '';
    full.send({ ...said, leaderEpoch, directoryId });
    await cluster.clock.advance(2_000);
    expect(cluster.partition().leaderEpoch, 'it has acknowledged: its role has begun').to.equal(leaderEpoch);
    full.acknowledges = false;
    const members = cluster.partition().isr.filter((id) => id !== other(cluster, nodeId).nodeId);
    full.send(proposal(cluster, members));
    await cluster.clock.advance(100);
    expect(cluster.partition().isr).to.deep.equal(members);
    full.send({ ...said, leaderEpoch: asLeaderEpoch(leaderEpoch - 1), directoryId });
    await cluster.clock.advance(2_000);
    expect(cluster.partition().leaderEpoch, 'of an earlier epoch').to.equal(leaderEpoch);
    full.send({ ...said, leaderEpoch, directoryId });
    await cluster.clock.advance(2_000);
    full.acknowledges = true;
    const next = cluster.partition();
    expect(next.leader).to.not.equal(nodeId);
    expect(next.isr).to.include(nodeId);
    full.send({ ...said, leaderEpoch, directoryId });
    full.send({ ...said, leaderEpoch: next.leaderEpoch, directoryId });
    await cluster.clock.advance(2_000);
    expect(cluster.partition(), 'it follows').to.deep.equal(next);
    const { controller } = cluster.reigning;
    await controller?.admin({
      kind: 'reassign',
      partition: P0,
      replicas: [nodeId, ...next.replicas.filter((id) => id !== nodeId)],
    });
    await cluster.clock.advance(500);
    await controller?.admin({ kind: 'electPreferred', partition: P0 });
    await cluster.clock.advance(2_000);
    expect(cluster.partition().leader).to.equal(nodeId);
  });

  it('refuses an ineligible proposal by a newer version, and its double by that (ADR 6)', async () => {
    const cluster = await startCluster();
    const leader = cluster.node(cluster.partition().leader ?? 0);
    const leaving = other(cluster, leader.nodeId);
    leader.send(
      proposal(
        cluster,
        [1, 2, 3].filter((id) => id !== leaving.nodeId),
      ),
    );
    await cluster.clock.advance(100);
    const late = proposal(cluster, [1, 2, 3]);
    void leaving.registration.stop();
    await cluster.clock.advance(300);
    const before = versionOf(cluster);
    leader.send(late);
    await cluster.clock.advance(100);
    const refusal = repliesTo(leader).at(-1);
    expect(refusal).to.include({ result: 'ineligible' });
    expect(refusal?.state?.version).to.equal(before + 1);
    expect(cluster.partition().isr).to.deep.equal(refusal?.state?.isr);
    const reborn = cluster.add(leaving.nodeId, leaving.incarnation);
    for (const [partition, replica] of leaving.replicas) reborn.replicas.set(partition, replica);
    await cluster.clock.advance(1_000);
    leader.send(late);
    await cluster.clock.advance(100);
    expect(repliesTo(leader).at(-1)?.result).to.equal('invalidVersion');
    expect(cluster.partition().isr).to.not.include(leaving.nodeId);
  });

  it('tells all nodes who is alive when that changes, in the order in which it changed', async () => {
    const cluster = await startCluster();
    const pushesTo = (node: ScriptedNode) => node.received.filter((message) => message.kind === 'statePush');
    const told = cluster.node(2);
    const before = pushesTo(told).at(-1);
    cluster.add(asNodeId(9));
    await cluster.clock.advance(300);
    const after = pushesTo(told).at(-1);
    expect(after?.nodes.map(({ nodeId }) => nodeId)).to.deep.equal([1, 2, 3, 9]);
    expect(after?.nodesSequence).to.be.greaterThan(before?.nodesSequence ?? 0);
    const count = pushesTo(told).length;
    await cluster.clock.advance(10_000);
    expect(pushesTo(told).length, 'once').to.equal(count);
  });

  it('R17: what is answered to another reign is no report', async () => {
    const cluster = await startCluster();
    const { controller } = cluster.reigning;
    const node = other(cluster, cluster.partition().leader);
    node.received.length = 0;
    const version = versionOf(cluster);
    const controllerEpoch = controller?.state.controllerEpoch ?? asControllerEpoch(0);
    for (let queryId = 1; queryId < 20; queryId += 1) {
      node.send({
        kind: 'replicaQueryReply',
        node: node.nodeId,
        incarnation: node.incarnation,
        queryId,
        queryEpoch: asControllerEpoch(controllerEpoch - 1),
        controllerEpoch,
        reports: [],
      });
    }
    await cluster.clock.advance(500);
    expect(versionOf(cluster)).to.equal(version);
  });
});
