import { expect } from 'chai';
import type { ShutdownReply } from '../../src/model/control-messages.ts';
import { asLeaderEpoch, asOffset, asPartitionId, asPartitionVersion } from '../../src/model/numbers.ts';
import type { ControlledCluster } from '../support/controlled-cluster.ts';
import { nodes } from '../support/partition-states.ts';
import { other, P0, proposal, repliesTo, startCluster, versionOf } from './started-cluster.ts';

describe('Controller', () => {
  it('makes a new cluster work: every partition led, every ISR full, every node told', async () => {
    const cluster = await startCluster(3, 6);
    for (let id = 0; id < 6; id += 1) {
      const state = cluster.partition(id);
      expect(state.isr).to.have.members([1, 2, 3]);
      expect(state.leader).to.equal(state.replicas[0]);
      for (const node of cluster.nodes.values())
        expect(node.states.get(asPartitionId(id))).to.deep.equal(state);
    }
    const elections = cluster.logger.events.filter(({ text }) => text.includes('is led by'));
    expect(elections).to.have.length(6);
    expect(elections[0]?.fields).to.include.keys('leaderEpoch', 'reason', 'candidates');
  });

  it('elects when the session of a dead leader ends, and takes it out of the ISR (R7)', async () => {
    const cluster = await startCluster();
    const leader = cluster.partition().leader ?? 0;
    if (cluster.reigning.nodeId === leader) await handOverController(cluster);
    const before = cluster.partition();
    cluster.kill(leader);
    cluster.expire(leader);
    await cluster.clock.advance(1_000);
    const after = cluster.partition();
    expect(after.leader).to.not.equal(leader);
    expect(after.isr).to.not.include(leader);
    expect(after.leaderEpoch).to.equal(before.leaderEpoch + 1);
  });

  it('R7: a leader whose process refuses connections is replaced long before its session ends', async () => {
    const cluster = await startCluster();
    const leader = cluster.partition().leader ?? 0;
    if (cluster.reigning.nodeId === leader) await handOverController(cluster);
    cluster.kill(leader);
    const { nodeId, incarnation } = cluster.node(leader);
    cluster.reigning.controller?.nodeRefused(nodeId, incarnation);
    await cluster.clock.advance(400);
    expect(cluster.partition().leader).to.not.equal(leader);
    expect(cluster.partition().isr).to.not.include(leader);
  });

  it('R7: controller and leader in one dead process: both are replaced long before its session ends', async () => {
    const cluster = await startCluster(3, 3);
    const old = cluster.reigning;
    const led = [0, 1, 2].find((id) => cluster.partition(id).leader === old.nodeId) ?? 0;
    cluster.kill(old.nodeId);
    for (const node of cluster.nodes.values()) {
      if (node === old) continue;
      node.controller?.nodeRefused(old.nodeId, old.incarnation);
      node.campaign?.peerRefused(old.nodeId, old.incarnation);
    }
    await cluster.clock.advance(700);
    expect(cluster.partition(led).leader).to.not.equal(old.nodeId);
    expect(cluster.partition(led).isr).to.not.include(old.nodeId);
  });

  it('R7: a node that was refused, and lives, keeps its place', async () => {
    const cluster = await startCluster();
    const before = cluster.partition();
    const { nodeId, incarnation } = other(cluster);
    cluster.reigning.controller?.nodeRefused(nodeId, incarnation);
    await cluster.clock.advance(1_000);
    expect(cluster.reigning.controller?.state.refused.size).to.equal(0);
    expect(cluster.partition()).to.deep.equal(before);
  });

  it('4.3-16: elects the greatest log among the ISR', async () => {
    const cluster = await startCluster();
    const leader = cluster.partition().leader ?? 0;
    if (cluster.reigning.nodeId === leader) await handOverController(cluster);
    const [, , last] = cluster.partition().replicas;
    const replica = cluster.node(last ?? 0).replicas.get(P0);
    if (replica !== undefined)
      cluster.node(last ?? 0).replicas.set(P0, { ...replica, logEndOffset: asOffset(9) });
    cluster.kill(leader);
    cluster.expire(leader);
    await cluster.clock.advance(1_000);
    expect(cluster.partition().leader).to.equal(last);
  });

  it('KAFKA-7235: a bounce that nobody saw is a failure and a start: a new epoch', async () => {
    const cluster = await startCluster();
    const leader = cluster.partition().leader ?? 0;
    if (cluster.reigning.nodeId === leader) await handOverController(cluster);
    const before = cluster.partition();
    cluster.kill(leader);
    const reborn = cluster.restart(leader);
    await cluster.clock.advance(1_000);
    const state = cluster.partition();
    expect(state.leaderEpoch).to.be.greaterThan(before.leaderEpoch);
    expect(state.isr).to.include(leader);
    expect(state.incarnations[leader]).to.equal(reborn.incarnation);
  });

  it('2.11: a rack that dies within a moment costs one election for each partition', async () => {
    const cluster = await startCluster(3, 6);
    const survivor = cluster.reigning.nodeId;
    const victims = nodes(1, 2, 3).filter((id) => id !== survivor);
    const epochsBefore = Array.from({ length: 6 }, (_, id) => cluster.partition(id).leaderEpoch);
    for (const victim of victims) {
      cluster.kill(victim);
      cluster.expire(victim);
      await cluster.clock.advance(100);
    }
    await cluster.clock.advance(1_000);
    for (let id = 0; id < 6; id += 1) {
      const state = cluster.partition(id);
      expect(state.leader).to.equal(survivor);
      expect(state.leaderEpoch - (epochsBefore[id] ?? 0)).to.be.at.most(1);
    }
  });

  it('R17: a new controller elects nobody before another than the last survivor has been heard', async () => {
    const cluster = await startCluster(3, 6);
    const old = cluster.reigning.nodeId;
    const [dead, survivor] = nodes(1, 2, 3).filter((id) => id !== old);
    for (const victim of [old, dead]) {
      if (victim === undefined) continue;
      cluster.kill(victim);
      cluster.expire(victim);
    }
    await cluster.clock.advance(1_000);
    const before = Array.from({ length: 6 }, (_, id) => cluster.partition(id).leader);
    expect(before).to.include(old);
    if (dead !== undefined) cluster.restart(dead);
    await cluster.clock.advance(1_000);
    for (let id = 0; id < 6; id += 1)
      expect(cluster.partition(id).leader, `partition ${id}`).to.be.oneOf([dead, survivor]);
  });

  it('R6: all nodes lost at once come back with their places, under the greatest log', async () => {
    const cluster = await startCluster();
    for (const id of [1, 2, 3]) {
      cluster.kill(id);
      cluster.expire(id);
    }
    await cluster.clock.advance(1_000);
    for (const id of [1, 2, 3]) {
      const replica = cluster.node(id).replicas.get(P0);
      if (replica !== undefined)
        cluster.node(id).replicas.set(P0, { ...replica, logEndOffset: asOffset(10 * id) });
      cluster.restart(id);
    }
    await cluster.clock.advance(2_000);
    const state = cluster.partition();
    expect(state.leader).to.equal(3);
    expect(state.isr).to.have.members([1, 2, 3]);
  });

  it('R5: a node with an emptied disk is no member, whatever the ISR says', async () => {
    const cluster = await startCluster();
    const leader = cluster.partition().leader ?? 0;
    const victim = other(cluster, leader).nodeId;
    cluster.kill(victim);
    const reborn = cluster.restart(victim);
    reborn.replicas.clear();
    await cluster.clock.advance(1_000);
    expect(cluster.partition().isr).to.not.include(victim);
    expect(cluster.partition().elr).to.not.include(victim);
  });

  it('pushes again until a node acknowledges', async () => {
    const cluster = await startCluster();
    const deaf = other(cluster, cluster.partition().leader);
    deaf.isDeaf = true;
    cluster.node(cluster.partition().leader ?? 0).send(
      proposal(
        cluster,
        cluster.partition().isr.filter((id) => id !== deaf.nodeId),
      ),
    );
    await cluster.clock.advance(500);
    expect(deaf.states.get(P0)?.version).to.be.lessThan(versionOf(cluster));
    deaf.isDeaf = false;
    await cluster.clock.advance(500);
    expect(deaf.states.get(P0)?.version).to.equal(versionOf(cluster));
    const count = deaf.received.length;
    await cluster.clock.advance(2_000);
    expect(deaf.received).to.have.length(count);
  });

  it('KIP-497: writes a proposal and answers with what holds; KAFKA-14144: the same again is ok', async () => {
    const cluster = await startCluster();
    const state = cluster.partition();
    const leader = cluster.node(state.leader ?? 0);
    const shrunk = state.isr.slice(0, 2).includes(leader.nodeId) ? state.isr.slice(0, 2) : state.isr.slice(1);
    const asked = proposal(cluster, shrunk);
    leader.send(asked);
    leader.send(asked);
    await cluster.clock.advance(100);
    expect(cluster.partition().isr).to.deep.equal(shrunk);
    expect(versionOf(cluster)).to.equal(state.version + 1);
    expect(repliesTo(leader).map(({ result }) => result)).to.deep.equal(['ok', 'ok']);
    expect(repliesTo(leader)[1]?.state).to.deep.equal(cluster.partition());
  });

  for (const fate of ['loseReply', 'loseRequest'] as const) {
    it(`W4, KAFKA-12686: a write in doubt (${fate}) is read again, and the proposal answered by what holds`, async () => {
      const cluster = await startCluster();
      const state = cluster.partition();
      const leader = cluster.node(state.leader ?? 0);
      let isFirst = true;
      const { session } = cluster.reigning;
      if (session !== null)
        session.fate = () => {
          const now = isFirst ? fate : 'pass';
          isFirst = false;
          return now;
        };
      leader.send(
        proposal(
          cluster,
          state.isr.filter((id) => id !== other(cluster, leader.nodeId).nodeId),
        ),
      );
      await cluster.clock.advance(300);
      expect(repliesTo(leader).map(({ result }) => result)).to.deep.equal(['ok']);
      expect(versionOf(cluster)).to.equal(state.version + 1);
    });
  }

  it('KAFKA-2729: somebody else wrote the partition: read again, never blind', async () => {
    const cluster = await startCluster();
    const leader = cluster.node(cluster.partition().leader ?? 0);
    const path = '/partitions/0';
    const stored = cluster.coordinator.json(path) as Record<string, unknown>;
    cluster.coordinator.tree.apply(
      [{ kind: 'set', path, data: { ...stored, note: 'kept' }, version: -1 }],
      0,
    );
    const asked = proposal(cluster, cluster.partition().isr.slice(0, 3), {
      version: asPartitionVersion(versionOf(cluster) - 1),
    });
    const smaller = asked.isr.filter(({ node }) => node !== other(cluster, leader.nodeId).nodeId);
    leader.send({ ...asked, isr: smaller });
    await cluster.clock.advance(300);
    expect(repliesTo(leader).map(({ result }) => result)).to.deep.equal(['invalidVersion']);
    expect(cluster.reigning.reign).to.not.equal(null);
    leader.send(
      proposal(
        cluster,
        smaller.map(({ node }) => node),
      ),
    );
    await cluster.clock.advance(300);
    expect(cluster.coordinator.json(path), 'unknown fields survive').to.include({ note: 'kept' });
  });

  it('KAFKA-6082, 1096: a controller that was overtaken while it slept writes nothing and resigns', async () => {
    const cluster = await startCluster();
    const old = cluster.reigning;
    const before = versionOf(cluster);
    const leader = cluster.node(cluster.partition().leader ?? 0);
    // It sleeps: nothing of the coordinator reaches it, though its session lives.
    cluster.setEpochOfCoordinator(50);
    leader.send(proposal(cluster, [leader.nodeId, other(cluster, leader.nodeId).nodeId]));
    await cluster.clock.settle();
    expect(versionOf(cluster)).to.equal(before);
    expect(old.reign).to.equal(null);
    await cluster.clock.advance(1_000);
    expect(cluster.reigning.reign?.controllerEpoch).to.equal(51);
  });

  it('R17: a node that knows a higher controller epoch makes the next reign go above it', async () => {
    const cluster = await startCluster();
    const { nodeId, incarnation } = other(cluster);
    const epoch = cluster.reigning.reign?.controllerEpoch ?? 0;
    cluster.reigning.controller?.receive({
      kind: 'statePushAck',
      node: nodeId,
      incarnation,
      controllerEpoch: (epoch + 40) as never,
      versions: [],
    });
    await cluster.clock.advance(1_000);
    expect(cluster.reigning.reign?.controllerEpoch).to.be.greaterThan(epoch + 40);
  });

  it('2.3: a partition written in a higher controller epoch than ours: resigns, and reigns above it', async () => {
    const cluster = await startCluster();
    const path = '/partitions/0';
    const stored = cluster.coordinator.json(path) as Record<string, unknown>;
    const data = { ...stored, controllerEpoch: 90 };
    cluster.coordinator.tree.apply([{ kind: 'set', path, data, version: -1 }], 0);
    await handOverController(cluster);
    expect(cluster.reigning.reign?.controllerEpoch).to.be.greaterThan(90);
  });

  it('R17: a coordinator that lost its last writes: above every epoch and version, by the greatest of all assigned', async () => {
    const cluster = await startCluster();
    const early = cluster.coordinator.tree.snapshot();
    const leader = cluster.node(cluster.partition().leader ?? 0);
    for (const isr of [
      [leader.nodeId, other(cluster, leader.nodeId).nodeId],
      [1, 2, 3],
    ]) {
      leader.send(proposal(cluster, isr));
      await cluster.clock.advance(100);
    }
    const versionBefore = versionOf(cluster);
    const best = other(cluster, leader.nodeId);
    const replica = best.replicas.get(P0);
    if (replica !== undefined)
      best.replicas.set(P0, { ...replica, lastEpoch: asLeaderEpoch(1), logEndOffset: asOffset(77) });
    cluster.coordinator.tree.restore(early);
    await handOverController(cluster);
    await cluster.clock.advance(1_000);
    const state = cluster.partition();
    expect(state.version).to.be.greaterThan(versionBefore);
    expect(state.leader).to.equal(best.nodeId);
    expect(state.isr).to.deep.equal([best.nodeId]);
    const log = cluster.logger.events.find(({ fields }) => fields.reason === 'coordinatorLostWrites');
    expect(log).to.not.equal(undefined);
  });

  it('KIP-841: controlled shutdown moves leadership, leaves the ISR, and tells when it may stop', async () => {
    const cluster = await startCluster(3, 6);
    const leaving = other(cluster);
    leaving.send({ kind: 'shutdownRequest', node: leaving.nodeId, incarnation: leaving.incarnation });
    await cluster.clock.advance(1_000);
    for (let id = 0; id < 6; id += 1) {
      expect(cluster.partition(id).leader).to.not.equal(leaving.nodeId);
      expect(cluster.partition(id).isr).to.not.include(leaving.nodeId);
    }
    const replies = leaving.received.filter(
      (message): message is ShutdownReply => message.kind === 'shutdownReply',
    );
    expect(replies[0]?.remaining, 'it leads two, and is being taken out of four').to.equal(6);
    expect(replies.at(-1)?.remaining).to.equal(0);
    const leader = cluster.node(cluster.partition().leader ?? 0);
    leader.send(proposal(cluster, [1, 2, 3]));
    await cluster.clock.advance(100);
    expect(repliesTo(leader).at(-1)?.result, 'it must not rejoin').to.equal('ineligible');
  });

  it('KAFKA-7837: a leader in trouble is replaced; who says so late, of an earlier epoch, is not heard', async () => {
    const cluster = await startCluster();
    const leader = cluster.node(cluster.partition().leader ?? 0);
    const trouble = {
      kind: 'replicaTrouble',
      node: leader.nodeId,
      incarnation: leader.incarnation,
      partition: P0,
      leaderEpoch: cluster.partition().leaderEpoch,
      directoryId: cluster.partition().directoryIds[leader.nodeId] ?? '',
      trouble: 'corrupt',
    } as const;
    leader.send(trouble);
    await cluster.clock.advance(400);
    expect(cluster.partition().leader).to.not.equal(leader.nodeId);
    expect(cluster.partition().isr).to.not.include(leader.nodeId);
    const version = versionOf(cluster);
    leader.send(trouble);
    await cluster.clock.advance(400);
    expect(versionOf(cluster)).to.equal(version);
  });

  it('reassigns: grows, waits for the new one, shrinks in a new epoch', async () => {
    const cluster = await startCluster(4);
    const { controller } = cluster.reigning;
    const done = await controller?.admin({ kind: 'reassign', partition: P0, replicas: nodes(4, 2, 3) });
    expect(done).to.deep.equal({ ok: true });
    await cluster.clock.advance(300);
    expect(cluster.partition()).to.deep.include({ adding: [4], removing: [1], replicas: [4, 2, 3, 1] });
    const leader = cluster.node(cluster.partition().leader ?? 0);
    leader.send(proposal(cluster, [1, 2, 3, 4]));
    await cluster.clock.advance(1_000);
    const state = cluster.partition();
    expect(state).to.deep.include({ replicas: [4, 2, 3], adding: [], removing: [] });
    expect(state.isr).to.have.members([2, 3, 4]);
    expect(state.leaderEpoch).to.equal(2);
  });

  it('refuses wishes that cannot be', async () => {
    const cluster = await startCluster();
    const { controller } = cluster.reigning;
    const refused = [
      { kind: 'reassign', partition: P0, replicas: nodes(1) },
      { kind: 'reassign', partition: P0, replicas: nodes(1, 1, 2) },
      { kind: 'reassign', partition: P0, replicas: nodes(1, 2, 9) },
      { kind: 'electUnclean', partition: P0, node: nodes(2)[0]! },
      { kind: 'electPreferred', partition: asPartitionId(7) },
    ] as const;
    for (const request of refused)
      expect((await controller?.admin(request))?.ok, request.kind).to.equal(false);
    const idle = other(cluster);
    expect((await idle.controller?.admin(refused[0]))?.ok).to.equal(false);
  });

  it('R17: an unclean election needs a command, and is marked and logged', async () => {
    const cluster = await startCluster();
    const leader = cluster.node(cluster.partition().leader ?? 0);
    leader.send(proposal(cluster, [leader.nodeId]));
    await cluster.clock.advance(100);
    // The survivor lost its replica of the ELR as well.
    const survivor = [1, 2, 3].find((id) => id !== leader.nodeId) ?? 0;
    for (const id of [1, 2, 3].filter((id) => id !== survivor)) {
      cluster.kill(id);
      cluster.expire(id);
    }
    cluster.kill(survivor);
    cluster.expire(survivor);
    const reborn = cluster.restart(survivor);
    const replica = reborn.replicas.get(P0);
    if (replica !== undefined) reborn.replicas.set(P0, { ...replica, verdict: 'lossy' });
    await cluster.clock.advance(2_000);
    expect(cluster.partition().leader).to.not.equal(survivor);
    const result = await reborn.controller?.admin({
      kind: 'electUnclean',
      partition: P0,
      node: reborn.nodeId,
    });
    expect(result).to.deep.equal({ ok: true });
    await cluster.clock.advance(1_000);
    expect(cluster.partition()).to.deep.include({ leader: survivor, isr: [survivor], recovery: 'unclean' });
    expect(cluster.logger.texts('error').some((text) => text.includes('writes may be lost'))).to.equal(true);
  });

  it('electPreferred gives leadership back at once; else it takes its time', async () => {
    const cluster = await startCluster();
    const [preferred] = cluster.partition().replicas;
    const leaving = cluster.node(preferred ?? 0);
    if (cluster.reigning === leaving) await handOverController(cluster);
    const { leaderEpoch } = cluster.partition();
    leaving.send({
      kind: 'replicaTrouble',
      node: leaving.nodeId,
      incarnation: leaving.incarnation,
      partition: P0,
      leaderEpoch,
      directoryId: cluster.partition().directoryIds[leaving.nodeId] ?? '',
      trouble: 'corrupt',
    });
    await cluster.clock.advance(200);
    const rotten = leaving.replicas.get(P0);
    if (rotten !== undefined) leaving.replicas.set(P0, { ...rotten, directoryId: 'built anew' });
    const leader = cluster.node(cluster.partition().leader ?? 0);
    leader.send(proposal(cluster, [1, 2, 3]));
    await cluster.clock.advance(200);
    expect(cluster.partition().leader).to.equal(leader.nodeId);
    await cluster.reigning.controller?.admin({ kind: 'electPreferred', partition: P0 });
    await cluster.clock.advance(200);
    expect(cluster.partition().leader).to.equal(preferred);
  });

  it('answers proposals while it does not reign', async () => {
    const cluster = await startCluster();
    const idle = other(cluster);
    const leader = cluster.node(cluster.partition().leader ?? 0);
    idle.controller?.receive(proposal(cluster, [1, 2, 3]));
    await cluster.clock.settle();
    expect(repliesTo(leader).map(({ result }) => result)).to.deep.equal(['notController']);
  });
});

/** The controller's session ends; another node reigns. Its replicas keep their places. */
async function handOverController(cluster: ControlledCluster): Promise<void> {
  const old = cluster.reigning;
  if (old.session !== null) cluster.coordinator.expire(old.session);
  await cluster.clock.advance(2_000);
}
