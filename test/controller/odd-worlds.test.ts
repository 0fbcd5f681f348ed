import { expect } from 'chai';
import { bootstrap } from '../../src/controller/bootstrap.ts';
import { CONTROLLER_RULES } from '../../src/controller/rules/rules.ts';
import { asPartitionId } from '../../src/model/numbers.ts';
import { ControlledCluster } from '../support/controlled-cluster.ts';
import { MemoryCoordinator } from '../support/memory-coordinator.ts';
import { node, nodes } from '../support/partition-states.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const P0 = asPartitionId(0);

async function startCluster(): Promise<ControlledCluster> {
  const cluster = new ControlledCluster();
  await cluster.bootstrap(nodes(1, 2, 3));
  for (const id of nodes(1, 2, 3)) cluster.add(id);
  await cluster.clock.advance(1_000);
  return cluster;
}

/** Writes past the controller, as an operator's tool would. */
function overwrite(cluster: ControlledCluster, path: string, change: Record<string, unknown>): void {
  const data = { ...(cluster.coordinator.json(path) as object), ...change };
  cluster.coordinator.notify(
    cluster.coordinator.tree.apply([{ kind: 'set', path, data, version: -1 }], 0).changes,
  );
}

async function newReign(cluster: ControlledCluster): Promise<void> {
  const { session } = cluster.reigning;
  session?.disconnect();
  session?.reconnect();
  await cluster.clock.advance(500);
}

/** The controller tries to change what it still takes for the partition of old. */
function provokeWrite(cluster: ControlledCluster, trouble: 'disk' | 'corrupt'): void {
  const state = cluster.reigning.controller?.state.partitions.get(P0)?.state;
  if (state === undefined || state.leader === null) throw new Error('no leader');
  const { nodeId, incarnation } = cluster.node(state.leader);
  const { leaderEpoch } = state;
  const directoryId = state.directoryIds[nodeId] ?? '';
  const message = { node: nodeId, incarnation, partition: P0, leaderEpoch, directoryId, trouble };
  cluster.node(state.leader).send({ kind: 'replicaTrouble', ...message });
}

describe('the controller in odd worlds', () => {
  for (const [path, field] of [
    ['/cluster', 'slots'],
    ['/partitions/0', 'isr'],
  ] as const) {
    it(`says that ${path} cannot be read, and reigns when it can again`, async () => {
      const cluster = await startCluster();
      const good = cluster.coordinator.json(path) as Record<string, unknown>;
      overwrite(cluster, path, { [field]: 'nonsense' });
      await newReign(cluster);
      expect(cluster.reigning.controller?.state.controllerEpoch).to.equal(null);
      expect(cluster.logger.texts('error').join()).to.contain(`${path}: ${field}`);
      overwrite(cluster, path, { [field]: good[field] });
      await cluster.clock.advance(500);
      expect(cluster.reigning.controller?.state.controllerEpoch).to.not.equal(null);
    });
  }

  it('leaves out a registration that cannot be read', async () => {
    const cluster = await startCluster();
    overwrite(cluster, '/nodes/2', { incarnation: 'x' });
    await newReign(cluster);
    expect([...(cluster.reigning.controller?.state.nodes.keys() ?? [])]).to.not.include(2);
  });

  it('forgets a partition that is gone', async () => {
    const cluster = await startCluster();
    cluster.coordinator.tree.apply([{ kind: 'delete', path: '/partitions/0', version: -1 }], 0);
    const { controller } = cluster.reigning;
    provokeWrite(cluster, 'disk');
    await cluster.clock.advance(1_000);
    expect(controller?.state.partitions.size).to.equal(0);
  });

  it('takes a partition made anew for another one', async () => {
    const cluster = await startCluster();
    overwrite(cluster, '/partitions/0', {
      uuid: 'a'.repeat(32),
      leader: null,
      leaderEpoch: 0,
      isr: [],
      incarnations: {},
    });
    for (const replica of cluster.nodes.values()) replica.replicas.clear();
    provokeWrite(cluster, 'corrupt');
    await cluster.clock.advance(4_000);
    const record = cluster.reigning.controller?.state.partitions.get(P0);
    expect(record?.state.uuid).to.equal('a'.repeat(32));
    expect(cluster.partition().isr).to.have.members([1, 2, 3]);
  });

  it('R24: a disk that cannot write any more keeps its replica out for the whole life of its node', async () => {
    const cluster = await startCluster();
    const broken = cluster.node(cluster.partition().leader ?? 0);
    const { uuid } = cluster.partition();
    provokeWrite(cluster, 'disk');
    await cluster.clock.advance(60_000);
    const state = cluster.partition();
    const leader = cluster.node(state.leader ?? 0);
    expect(leader).to.not.equal(broken);
    leader.send({
      kind: 'isrProposal',
      proposalId: 1,
      partition: P0,
      uuid,
      leader: leader.nodeId,
      leaderIncarnation: leader.incarnation,
      leaderEpoch: state.leaderEpoch,
      version: state.version,
      isr: [...cluster.nodes.values()].map(({ nodeId, incarnation, replicas }) => {
        return { node: nodeId, incarnation, directoryId: replicas.get(P0)?.directoryId ?? '' };
      }),
    });
    await cluster.clock.advance(100);
    const reply = leader.received.findLast((message) => message.kind === 'isrProposalReply');
    expect(reply?.kind === 'isrProposalReply' && reply.result).to.equal('ineligible');
  });

  it('ignores what a life says that is not registered (KIP-380)', async () => {
    const cluster = await startCluster();
    const before = cluster.reigning.controller?.state.shuttingDown.size;
    cluster.reigning.controller?.receive({ kind: 'shutdownRequest', node: node(2), incarnation: 1 as never });
    await cluster.clock.settle();
    expect(cluster.reigning.controller?.state.shuttingDown.size).to.equal(before);
  });

  it('is not created while the coordinator cannot be reached', async () => {
    const session = new MemoryCoordinator().open();
    const plan = {
      partitions: 1,
      replicationFactor: 1,
      minInsync: 1,
      flushMode: 'always' as const,
      leaseMsMax: 600,
      nodes: [{ nodeId: node(1), rack: '' }],
    };
    session.disconnect();
    expect((await bootstrap(CONTROLLER_RULES, session, plan, new SeededRandom(1))).ok).to.equal(false);
  });
});
