import { expect } from 'chai';
import { CONTROLLER_SETTINGS } from '../../src/controller/controller.ts';
import { asIncarnation, asLeaderEpoch } from '../../src/model/numbers.ts';
import { type ControlledCluster, RETRY_MS, type ScriptedNode } from '../support/controlled-cluster.ts';
import { other, P0, startCluster } from './started-cluster.ts';

const { handOverMsMax } = CONTROLLER_SETTINGS;

const leaderOf = (cluster: ControlledCluster): ScriptedNode => cluster.node(cluster.partition().leader ?? 0);

const askedOf = (node: ScriptedNode): number =>
  node.received.filter(({ kind }) => kind === 'handOverRequest').length;

/** The leader shuts down, and does not come to an end with its writes. */
async function stuck(): Promise<{ readonly cluster: ControlledCluster; readonly leader: ScriptedNode }> {
  const cluster = await startCluster();
  const leader = leaderOf(cluster);
  leader.handsOver = false;
  const { nodeId: node, incarnation } = leader;
  leader.send({ kind: 'shutdownRequest', node, incarnation });
  await cluster.clock.advance(10);
  return { cluster, leader };
}

describe('the controller asks a leader to hand over (L9)', () => {
  it('in the epoch and life in which it leads, again and again, for a bounded time', async () => {
    const { cluster, leader } = await stuck();
    const { leaderEpoch, uuid } = cluster.partition();
    expect(leader.received.at(-1)).to.deep.include({ kind: 'handOverRequest', partition: P0, uuid });
    expect(leader.received.at(-1)).to.deep.include({ leaderEpoch, incarnation: leader.incarnation });
    await cluster.clock.advance(handOverMsMax - 200);
    expect(cluster.partition().leader).to.equal(leader.nodeId);
    expect(askedOf(leader)).to.be.within(2, handOverMsMax / RETRY_MS);
    await cluster.clock.advance(400);
    expect(cluster.partition().leader).to.not.equal(leader.nodeId);
  });

  it('and elects as soon as it is ready', async () => {
    const { cluster, leader } = await stuck();
    leader.handOver(P0);
    await cluster.clock.advance(20);
    expect(cluster.partition().leader).to.not.equal(leader.nodeId);
    expect(cluster.partition().leaderEpoch).to.equal(2);
  });

  it('and takes no other epoch, life, node or partition for it', async () => {
    const { cluster, leader } = await stuck();
    const { uuid, leaderEpoch } = cluster.partition();
    const { nodeId: node, incarnation } = leader;
    const place = { lastEpoch: leaderEpoch, logEndOffset: 0 as never };
    const ready = {
      kind: 'handOverReady',
      node,
      incarnation,
      partition: P0,
      uuid,
      leaderEpoch,
      ...place,
    } as const;
    const someone = other(cluster, node);
    for (const wrong of [
      { ...ready, leaderEpoch: asLeaderEpoch(leaderEpoch - 1) },
      { ...ready, leaderEpoch: asLeaderEpoch(leaderEpoch + 1) },
      { ...ready, incarnation: asIncarnation(incarnation - 1) },
      { ...ready, node: someone.nodeId, incarnation: someone.incarnation },
      { ...ready, uuid: 'f'.repeat(32) },
    ])
      leader.send(wrong);
    await cluster.clock.advance(50);
    expect(cluster.partition().leader).to.equal(node);
    leader.send(ready);
    await cluster.clock.advance(20);
    expect(cluster.partition().leader).to.not.equal(node);
  });

  it('and elects at once where one is ready that it never asked: its predecessor did', async () => {
    const cluster = await startCluster();
    const leader = leaderOf(cluster);
    const { leaderEpoch } = cluster.partition();
    leader.handOver(P0);
    await cluster.clock.advance(500);
    expect(cluster.partition().leaderEpoch).to.equal(leaderEpoch + 1);
    expect(cluster.partition().leader).to.not.equal(null);
  });

  it('and forgets that it asked when there is no reason any more', async () => {
    const { cluster, leader } = await stuck();
    for (const node of cluster.nodes.values()) {
      if (node === leader) continue;
      cluster.kill(node.nodeId);
      cluster.expire(node.nodeId);
    }
    await cluster.clock.advance(2 * handOverMsMax);
    expect(cluster.partition().leader).to.equal(leader.nodeId);
    expect(cluster.reigning.controller?.state.partitions.get(P0)?.handOver).to.equal(null);
  });
});
