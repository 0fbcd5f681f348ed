import { expect } from 'chai';
import { bootstrap, disagreements } from '../../src/controller/bootstrap.ts';
import { CONTROLLER_RULES } from '../../src/controller/rules/rules.ts';
import { encodeControllerEpoch } from '../../src/coordination/documents.ts';
import { asControllerEpoch } from '../../src/model/numbers.ts';
import { ControlledCluster } from '../support/controlled-cluster.ts';
import { MemoryCoordinator } from '../support/memory-coordinator.ts';
import { CLUSTER_FACTS, node, nodes } from '../support/partition-states.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const plan = {
  partitions: 6,
  replicationFactor: 3,
  minInsync: 2,
  flushMode: 'always' as const,
  leaseMsMax: 600,
  nodes: [1, 2, 3].map((id) => ({ nodeId: node(id), rack: '' })),
};

async function openSession(coordinator: MemoryCoordinator) {
  const session = coordinator.open();
  await Promise.resolve();
  return session;
}

describe('bootstrap', () => {
  it('creates the skeleton with every slot once and six unled partitions', async () => {
    const coordinator = new MemoryCoordinator();
    const session = await openSession(coordinator);
    const result = await bootstrap(CONTROLLER_RULES, session, plan, new SeededRandom(1));
    if (!result.ok) throw new Error(result.reason);
    let next = 0;
    for (const [first, last] of result.facts.slots) {
      expect(first).to.equal(next);
      next = last + 1;
    }
    expect(next).to.equal(16_384);
    expect(coordinator.tree.children('/partitions')).to.deep.equal(['0', '1', '2', '3', '4', '5']);
    expect(coordinator.json('/partitions/0')).to.deep.include({
      leader: null,
      leaderEpoch: 0,
      isr: [],
      recovery: 'clean',
    });
  });

  it('changes nothing the second time', async () => {
    const coordinator = new MemoryCoordinator();
    const session = await openSession(coordinator);
    const first = await bootstrap(CONTROLLER_RULES, session, plan, new SeededRandom(1));
    const before = coordinator.tree.snapshot();
    const second = await bootstrap(CONTROLLER_RULES, session, { ...plan, minInsync: 3 }, new SeededRandom(2));
    expect(second).to.deep.equal(first);
    expect(coordinator.tree.snapshot()).to.deep.equal(before);
  });

  it('is completed by the next call, whichever step it failed at', async () => {
    for (let step = 0; step < 11; step += 1) {
      for (const fate of ['loseRequest', 'loseReply'] as const) {
        const coordinator = new MemoryCoordinator();
        const session = await openSession(coordinator);
        let left = step;
        session.fate = () => (left-- === 0 ? fate : 'pass');
        const first = await bootstrap(CONTROLLER_RULES, session, plan, new SeededRandom(1));
        if (step < 10) expect(first.ok).to.equal(false);
        session.fate = () => 'pass';
        const second = await bootstrap(CONTROLLER_RULES, session, plan, new SeededRandom(2));
        expect(second.ok).to.equal(true);
        expect(coordinator.tree.children('/partitions')).to.have.length(6);
      }
    }
  });

  it('makes no partition anew that was lost once somebody has reigned', async () => {
    const coordinator = new MemoryCoordinator();
    const session = await openSession(coordinator);
    await bootstrap(CONTROLLER_RULES, session, plan, new SeededRandom(1));
    await session.set('/controller_epoch', encodeControllerEpoch(asControllerEpoch(1)), -1);
    await session.remove('/partitions/3', -1);
    const result = await bootstrap(CONTROLLER_RULES, session, plan, new SeededRandom(2));
    expect(result).to.deep.equal({
      ok: false,
      reason: "partitions 3 are missing; restore the coordinator's data",
    });
    expect(coordinator.tree.children('/partitions')).to.have.length(5);
  });

  it('two at once end with one cluster', async () => {
    const coordinator = new MemoryCoordinator();
    const sessions = [await openSession(coordinator), await openSession(coordinator)];
    const [first, second] = await Promise.all(
      sessions.map((session, seed) => bootstrap(CONTROLLER_RULES, session, plan, new SeededRandom(seed))),
    );
    expect(first?.ok && second?.ok).to.equal(true);
    expect(first).to.deep.equal(second);
    expect(coordinator.tree.children('/partitions')).to.have.length(6);
  });

  it('refuses fewer nodes than replicas', async () => {
    const session = await openSession(new MemoryCoordinator());
    const result = await bootstrap(
      CONTROLLER_RULES,
      session,
      { ...plan, nodes: plan.nodes.slice(1) },
      new SeededRandom(1),
    );
    expect(result.ok).to.equal(false);
  });

  it('a controller does not reign over a cluster that is not complete', async () => {
    const cluster = new ControlledCluster();
    await cluster.bootstrap(nodes(1, 2, 3), 2);
    const path = '/partitions/1';
    const partition = cluster.coordinator.json(path);
    cluster.coordinator.tree.apply([{ kind: 'delete', path, version: -1 }], 0);
    for (const id of nodes(1, 2, 3)) cluster.add(id);
    await cluster.clock.advance(1_000);
    expect(cluster.reigning.controller?.state.controllerEpoch).to.equal(null);
    cluster.coordinator.tree.apply([{ kind: 'create', path, data: partition, ephemeral: false }], 0);
    await cluster.clock.advance(1_000);
    expect(cluster.reigning.controller?.state.partitions.size).to.equal(2);
  });

  it('R2: names what a node expects and the cluster is not', () => {
    expect(disagreements(CLUSTER_FACTS, plan)).to.deep.equal([]);
    expect(disagreements(CLUSTER_FACTS, { ...plan, minInsync: 1, flushMode: 'os' })).to.deep.equal([
      'minInsync is 2 in the cluster, 1 here',
      'flushMode is always in the cluster, os here',
    ]);
  });
});
