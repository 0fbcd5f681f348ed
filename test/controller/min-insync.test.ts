import { expect } from 'chai';
import { encodePartition } from '../../src/coordination/documents.ts';
import { asPartitionId } from '../../src/model/numbers.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import type { ControlledCluster } from '../support/controlled-cluster.ts';
import { nodes, partitionState } from '../support/partition-states.ts';
import { alive, decide, reported, worldOf, written } from './rules/world.ts';
import { P0, proposal, startCluster } from './started-cluster.ts';

const all = { 1: reported(1), 2: reported(2), 3: reported(3) };
const under = (minInsync: number, choice: Parameters<typeof partitionState>[0] = {}): PartitionState => ({
  ...partitionState(choice),
  minInsync,
});

/** What `/cluster` holds. */
const stored = (cluster: ControlledCluster): { version: number; facts: Record<string, unknown> } => {
  const { text, version } = cluster.coordinator.tree.get('/cluster') ?? { text: '{}', version: -1 };
  return { version, facts: JSON.parse(text) as Record<string, unknown> };
};

/** Somebody else writes. */
function overwrite(
  cluster: ControlledCluster,
  path: string,
  data: unknown,
  kind: 'set' | 'create' = 'set',
): void {
  const operation =
    kind === 'set'
      ? ({ kind, path, data, version: -1 } as const)
      : ({ kind, path, data, ephemeral: false } as const);
  cluster.coordinator.notify(cluster.coordinator.tree.apply([operation], 0).changes);
}

describe('a change of min.insync (R2)', () => {
  it('lower: one write takes the value and clears the ELR, since the high watermark may move now', () => {
    const state = under(2, { isr: [1], elr: [2] });
    const { next, reason } = written(decide(state, worldOf(all, { minInsync: 1 })));
    expect(reason).to.equal('minInsyncChanged');
    expect(next).to.deep.include({ minInsync: 1, isr: [1], elr: [], leaderEpoch: 5 });
  });

  it('lower, and the ISR is too small all the same: the ELR stays', () => {
    const state = under(3, { isr: [1], elr: [2, 3] });
    const { next } = written(decide(state, worldOf(all, { minInsync: 2 })));
    expect(next).to.deep.include({ minInsync: 2, isr: [1], elr: [2, 3] });
  });

  it('higher: whoever leaves after it stays eligible', () => {
    const { next } = written(decide(under(2), worldOf(all, { minInsync: 3 })));
    expect(next).to.deep.include({ minInsync: 3, isr: [1, 2, 3], elr: [] });
    expect(decide(next, worldOf(all, { minInsync: 3 }))).to.deep.equal({ kind: 'nothing' });
  });

  it('with nobody who leads: by the electing write', () => {
    const state = under(2, { isr: [1], elr: [2], leader: null });
    expect(decide(state, worldOf({ 3: alive(3) }, { minInsync: 1, waitedMs: 10_000 })).kind).to.not.equal(
      'write',
    );
    const { next } = written(decide(state, worldOf({ 1: reported(1) }, { minInsync: 1, waitedMs: 10_000 })));
    expect(next).to.deep.include({ leader: 1, minInsync: 1, isr: [1], elr: [] });
  });

  it('a state that says nothing goes by the value of the cluster', () => {
    expect(decide(partitionState(), worldOf(all, { minInsync: 1 })).kind).to.equal('nothing');
  });

  it('is written to /cluster and then to every partition, and told with them', async () => {
    const cluster = await startCluster(3, 3);
    expect(cluster.partition().minInsync).to.equal(2);
    const leader = cluster.node(cluster.partition().leader ?? 0);
    const rest = [1, 2, 3].filter((id) => id !== leader.nodeId);
    leader.send(proposal(cluster, [leader.nodeId]));
    await cluster.clock.advance(100);
    expect(cluster.partition().elr).to.have.members(rest);
    const { controller } = cluster.reigning;
    expect(await controller?.admin({ kind: 'setMinInsync', minInsync: 1 })).to.deep.equal({ ok: true });
    await cluster.clock.advance(300);
    expect(stored(cluster).facts).to.include({ minInsync: 1 });
    for (const id of [0, 1, 2]) expect(cluster.partition(id).minInsync).to.equal(1);
    expect(cluster.partition()).to.deep.include({ isr: [leader.nodeId], elr: [] });
    expect(leader.states.get(P0)).to.deep.equal(cluster.partition());
    const push = leader.received.findLast((message) => message.kind === 'statePush');
    expect(push?.facts.minInsync).to.equal(1);
  });

  it('is refused where it could never be met, or is none', async () => {
    const cluster = await startCluster();
    const { controller } = cluster.reigning;
    for (const minInsync of [0, 4, 1.5]) {
      const result = await controller?.admin({ kind: 'setMinInsync', minInsync });
      expect(result?.ok).to.equal(false);
    }
    await cluster.clock.advance(300);
    expect(stored(cluster).facts).to.include({ minInsync: 2 });
  });

  it('whose reply is lost is looked up, and what somebody else wrote meanwhile is kept', async () => {
    const cluster = await startCluster();
    const { controller, session } = cluster.reigning;
    overwrite(cluster, '/cluster', { ...stored(cluster).facts, leaseMsMax: 700 });
    if (session === null) throw new Error('no session');
    session.fate = () => 'loseReply';
    void controller?.admin({ kind: 'setMinInsync', minInsync: 3 });
    await cluster.clock.advance(20);
    session.fate = () => 'pass';
    await cluster.clock.advance(3_000);
    expect(stored(cluster).facts).to.include({ minInsync: 3, leaseMsMax: 700 });
    expect(cluster.partition().minInsync).to.equal(3);
  });
});

describe('the controller looks again', () => {
  it('when /cluster changes: partitions follow', async () => {
    const cluster = await startCluster();
    const { facts } = stored(cluster);
    overwrite(cluster, '/cluster', { ...facts, minInsync: 3, mark: 'kept' });
    await cluster.clock.advance(300);
    expect(cluster.partition().minInsync).to.equal(3);
    await cluster.reigning.controller?.admin({ kind: 'setMinInsync', minInsync: 2 });
    await cluster.clock.advance(300);
    expect(stored(cluster).facts).to.include({ minInsync: 2, mark: 'kept' });
  });

  it('when the list of partitions changes: who is new is led', async () => {
    const cluster = await startCluster();
    const fresh = {
      ...partitionState({ id: 7, isr: [], leader: null, leaderEpoch: 0 }),
      incarnations: {},
      directoryIds: {},
    };
    overwrite(cluster, '/partitions/7', encodePartition(fresh), 'create');
    await cluster.clock.advance(3_000);
    const state = cluster.partition(7);
    expect(state.leader).to.not.equal(null);
    expect(state.isr).to.deep.equal(nodes(1, 2, 3));
    expect(cluster.node(2).states.get(asPartitionId(7))).to.deep.equal(state);
  });
});
