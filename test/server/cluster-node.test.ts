import { expect } from 'chai';
import { asNodeId, type NodeId } from '../../src/model/numbers.ts';
import { openWorld } from '../simulation/world/open-world.ts';
import type { World } from '../simulation/world/world.ts';
import { P0, writtenAtLast } from '../simulation/world/world-writes.ts';

describe("a cluster's node", () => {
  let world: World;
  let leader: NodeId;

  beforeEach(async () => {
    world = openWorld({ seed: 21, lossShare: 0, doubledShare: 0, reorderedShare: 0 });
    await world.start();
    expect(await writtenAtLast(world, 'a', 5000)).to.equal(true);
    leader = world.leader(P0) ?? asNodeId(1);
  });

  afterEach(() => {
    expect(world.defects).to.deep.equal([]);
    world.end();
  });

  it('begins another life in the same process when its session is lost (W5), and leads only by a new election', async () => {
    const before = world.node(leader).live;
    const incarnation = before?.cluster.replicas.incarnation ?? 0;
    const epoch = world.partitionState(P0)?.leaderEpoch ?? 0;
    world.fire('sessionExpiry', leader);
    expect(await world.runUntil(() => before?.cluster.replicas.incarnation !== incarnation, 2000)).to.equal(
      true,
    );
    expect(await world.runUntil(() => world.isStable(), 5000), world.describe()).to.equal(true);
    expect(world.node(leader).live?.life).to.equal(before?.life);
    expect(world.node(leader).live?.cluster.replicas.incarnation).to.equal(incarnation + 1);
    expect(world.partitionState(P0)?.leaderEpoch).to.be.greaterThan(epoch);
    expect(await writtenAtLast(world, 'b', 2000)).to.equal(true);
  });

  it('hands over what it leads before it stops, leaves the ISRs, and comes back whole (2.7)', async () => {
    const node = world.node(leader);
    const directoryId = world.partitionState(P0)?.directoryIds[leader];
    let ledAtTheEnd: NodeId | null = null;
    world.observe(() => {
      if (node.isUp) ledAtTheEnd = world.leader(P0);
    });
    node.shutDown();
    expect(await world.runUntil(() => !node.isUp, 4000)).to.equal(true);
    expect(ledAtTheEnd).not.to.be.oneOf([leader, null]);
    expect(world.partitionState(P0)?.isr).not.to.include(leader);
    expect(world.coordinator.peek(`/nodes/${leader}`)).to.equal(null);
    expect(await writtenAtLast(world, 'b', 1000)).to.equal(true);
    node.restart();
    expect(await world.runUntil(() => world.isStable(), 5000), world.describe()).to.equal(true);
    expect(world.partitionState(P0)?.directoryIds[leader]).to.equal(directoryId);
  });

  it('stops all the same, within its time, when no controller answers', async () => {
    world.coordinator.isDown = true;
    const node = world.node(leader);
    for (const { id } of world.nodes) world.network.silence(id);
    node.shutDown();
    const beganMs = world.nowMs;
    expect(await world.runUntil(() => !node.isUp, 20_000)).to.equal(true);
    expect(world.nowMs - beganMs).to.be.within(2500, 8000);
  });

  it('finds out for itself who leads when it could hear nobody', async () => {
    // Else nobody may be elected before two of three have been heard (R17).
    world.admin({ kind: 'setMinInsync', minInsync: 1 });
    expect(await world.runUntil(() => world.partitionState(P0)?.minInsync === 1, 2000)).to.equal(true);
    const other = world.nodes.find(({ id }) => id !== leader && id !== world.controller)?.id ?? asNodeId(1);
    for (const { id } of world.nodes) world.network.cut(id, other);
    world.node(leader).kill('keepAll');
    const hasElected = (): boolean => ![leader, null].includes(world.leader(P0));
    expect(await world.runUntil(hasElected, 8000), world.describe()).to.equal(true);
    // It hears nobody, but the coordinator calls it back on every reconnect.
    world.node(other).machine.link.isCut = true;
    await world.run(1200);
    world.node(other).machine.link.isCut = false;
    const knows = (): boolean =>
      world.node(other).live?.cluster.replicas.metadata.leaderOf(P0)?.leader === world.leader(P0);
    expect(await world.runUntil(knows, 1000)).to.equal(true);
  });

  it('refuses to start where the cluster is not what it is configured to expect; one that runs goes on (R2)', async () => {
    world.admin({ kind: 'setMinInsync', minInsync: 1 });
    const isTaken = (): boolean => world.partitionState(P0)?.minInsync === 1;
    expect(await world.runUntil(isTaken, 2000)).to.equal(true);
    const other = world.nodes.find(({ id }) => id !== leader && id !== world.controller)?.id ?? asNodeId(1);
    world.fire('sessionExpiry', other);
    await world.run(3000);
    const node = world.node(other);
    expect(node.isUp).to.equal(true);
    node.kill('keepAll');
    node.restart();
    expect(await world.runUntil(() => node.isUp, 2000)).to.equal(true);
    expect(await world.runUntil(() => !node.isUp, 5000)).to.equal(true);
    expect(await writtenAtLast(world, 'b', 2000)).to.equal(true);
  });
});
