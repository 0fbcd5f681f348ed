import { expect } from 'chai';
import type { ClusterPlan } from '../../src/controller/bootstrap.ts';
import { CONTROLLER_RULES } from '../../src/controller/rules/rules.ts';
import { encodeNode } from '../../src/coordination/documents.ts';
import type { CaskadeError } from '../../src/model/errors.ts';
import { asIncarnation, asNodeId } from '../../src/model/numbers.ts';
import { ClusterEntry, type Membership } from '../../src/server/cluster-entry.ts';
import { CollectingLogger } from '../support/collecting-logger.ts';
import { MemoryCoordinator, type MemorySession } from '../support/memory-coordinator.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

const RETRY_MS = 50;
const PLAN: ClusterPlan = {
  partitions: 2,
  replicationFactor: 2,
  minInsync: 1,
  flushMode: 'always',
  leaseMsMax: 600,
};

/** What its data directory remembers. */
class Directory implements Membership {
  clusterId: string;
  /** What the disk says to the next notes. */
  failures: Error[] = [];

  constructor(clusterId: string) {
    this.clusterId = clusterId;
  }

  joinCluster(clusterId: string): Promise<void> {
    const failure = this.failures.shift();
    if (failure !== undefined) return Promise.reject(failure);
    this.clusterId = clusterId;
    return Promise.resolve();
  }
}

/** One node at the door of a cluster. */
class Candidate {
  readonly clock = new SimulatedClock();
  readonly logger = new CollectingLogger();
  readonly fatal: CaskadeError[] = [];
  readonly directory: Directory;
  readonly entry: ClusterEntry;

  constructor(clusterId = '', plan: ClusterPlan = PLAN) {
    this.directory = new Directory(clusterId);
    this.entry = new ClusterEntry({
      rules: CONTROLLER_RULES,
      plan,
      nodeId: asNodeId(1),
      clock: this.clock,
      random: new SeededRandom(1),
      logger: this.logger,
      retryMs: RETRY_MS,
      fatal: (error) => this.fatal.push(error),
      nodeState: this.directory,
    });
  }

  get clusterId(): string {
    return this.directory.clusterId;
  }
}

async function connected(coordinator: MemoryCoordinator): Promise<MemorySession> {
  const session = coordinator.open();
  await Promise.resolve();
  return session;
}

async function register(session: MemorySession, id: number): Promise<void> {
  const registration = { nodeId: asNodeId(id), incarnation: asIncarnation(1), addresses: {}, rack: '' };
  await session.create(`/nodes/${id}`, encodeNode(registration), { ephemeral: true });
}

const clusterIdAt = (coordinator: MemoryCoordinator): string =>
  (coordinator.json('/cluster') as { clusterId: string }).clusterId;

describe('entering a cluster', () => {
  it('waits until enough nodes are registered, and spreads the partitions over them', async () => {
    const coordinator = new MemoryCoordinator();
    const session = await connected(coordinator);
    const candidate = new Candidate('', { ...PLAN, nodesMin: 3 });
    const entered = candidate.entry.enter(session, () => true);
    await candidate.clock.advance(RETRY_MS);
    for (const id of [1, 2]) await register(session, id);
    await candidate.clock.advance(RETRY_MS * 3);
    expect(coordinator.json('/cluster')).to.equal(undefined);
    await register(session, 3);
    await candidate.clock.advance(RETRY_MS * 2);
    expect(await entered).to.equal(true);
    expect(candidate.entry.facts?.clusterId).to.equal(clusterIdAt(coordinator));
    expect(candidate.clusterId).to.equal(clusterIdAt(coordinator));
    const used = [0, 1].flatMap(
      (id) => (coordinator.json(`/partitions/${id}`) as { replicas: number[] }).replicas,
    );
    expect(new Set(used)).to.deep.equal(new Set([1, 2, 3]));
  });

  it('refuses a cluster that the data directory does not belong to, and changes nothing', async () => {
    const coordinator = new MemoryCoordinator();
    const session = await connected(coordinator);
    const first = new Candidate('', { ...PLAN, replicationFactor: 1 });
    const entered = first.entry.enter(session, () => true);
    await first.clock.advance(RETRY_MS);
    await register(session, 1);
    await first.clock.advance(RETRY_MS * 2);
    expect(await entered).to.equal(true);
    const before = coordinator.tree.snapshot();

    const other = new Candidate('another-cluster', { ...PLAN, replicationFactor: 1 });
    expect(await other.entry.enter(session, () => true)).to.equal(false);
    expect(other.fatal.map(({ code }) => code)).to.deep.equal(['foreignDirectory']);
    expect(
      other.entry.mayRegister,
      'it would write its life over that of the node that belongs here',
    ).to.equal(false);
    expect(other.fatal[0]?.message).to.contain('another-cluster').and.to.contain(first.clusterId);
    expect(coordinator.tree.snapshot()).to.deep.equal(before);
  });

  it('creates no new cluster where the data directory belongs to one that the coordinator does not know', async () => {
    const coordinator = new MemoryCoordinator();
    const session = await connected(coordinator);
    const candidate = new Candidate('the-old-one', { ...PLAN, replicationFactor: 1 });
    expect(await candidate.entry.enter(session, () => true)).to.equal(false);
    expect(candidate.fatal.map(({ code }) => code)).to.deep.equal(['foreignDirectory']);
    expect(coordinator.json('/cluster')).to.equal(undefined);
  });

  it('refuses a cluster that its configuration does not speak of (R2)', async () => {
    const coordinator = new MemoryCoordinator();
    const session = await connected(coordinator);
    const plan = { ...PLAN, replicationFactor: 1, nodes: [{ nodeId: asNodeId(1), rack: '' }] };
    expect(await new Candidate('', plan).entry.enter(session, () => true)).to.equal(true);
    const other = new Candidate('', { ...plan, flushMode: 'os', clusterId: 'wanted' });
    expect(await other.entry.enter(session, () => true)).to.equal(false);
    expect(other.fatal.map(({ code }) => code)).to.deep.equal(['configurationInvalid']);
    expect(other.fatal[0]?.message).to.contain('cluster.id').and.to.contain('flushMode is always');
    expect(other.clusterId).to.equal('');
  });

  it('is no member before that is on its disk, and tries again', async () => {
    const coordinator = new MemoryCoordinator();
    const session = await connected(coordinator);
    const plan = { ...PLAN, replicationFactor: 1, nodes: [{ nodeId: asNodeId(1), rack: '' }] };
    const candidate = new Candidate('', plan);
    candidate.directory.failures = [new Error('no room'), new Error('no room')];
    const entered = candidate.entry.enter(session, () => true);
    await candidate.clock.advance(RETRY_MS - 1);
    expect(candidate.entry.facts).to.equal(null);
    await candidate.clock.advance(RETRY_MS * 2);
    expect(await entered).to.equal(true);
    expect(candidate.fatal).to.deep.equal([]);
  });

  it('ends when its session is not wanted any more', async () => {
    const coordinator = new MemoryCoordinator();
    const session = await connected(coordinator);
    let isWanted = true;
    const candidate = new Candidate('', { ...PLAN, replicationFactor: 2 });
    const entered = candidate.entry.enter(session, () => isWanted);
    await candidate.clock.advance(RETRY_MS);
    isWanted = false;
    await candidate.clock.advance(RETRY_MS);
    expect(await entered).to.equal(false);
  });
});
