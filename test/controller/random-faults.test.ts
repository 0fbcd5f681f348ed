import { expect } from 'chai';
import { asPartitionId } from '../../src/model/numbers.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import { ControlledCluster } from '../support/controlled-cluster.ts';
import { nodes } from '../support/partition-states.ts';
import { SeededRandom } from '../support/seeded-random.ts';

const IDS = [1, 2, 3];
const PARTITIONS = 3;
const ROUNDS = 40;

/** What no sequence of faults may break between two looks at a partition. */
function checkChange(before: PartitionState, after: PartitionState): void {
  expect(after.version, 'versions grow').to.be.at.least(before.version);
  expect(after.leaderEpoch, 'I1').to.be.at.least(before.leaderEpoch);
  if (before.leaderEpoch > 0) expect(after.isr, '2.7').to.not.have.length(0);
  if (after.leader !== null) expect(after.isr, 'LeaderInIsr').to.include(after.leader);
  if (after.isr.length >= 2) expect(after.elr, 'R1').to.deep.equal([]);
  const isSameLeader = after.leader === before.leader;
  const isSameLife =
    after.leader === null || after.incarnations[after.leader] === before.incarnations[after.leader];
  if (!isSameLeader || !isSameLife) expect(after.leaderEpoch, '4.3-17').to.be.greaterThan(before.leaderEpoch);
}

/** One thing goes wrong, or heals. */
function disturb(cluster: ControlledCluster, random: SeededRandom): void {
  const id = IDS[random.below(IDS.length)] ?? 1;
  const node = cluster.node(id);
  const isDead = cluster.dead.has(node.nodeId);
  const faults: (() => void)[] = [
    () => (isDead ? cluster.restart(id) : cluster.kill(id)),
    () => (isDead ? cluster.expire(id) : undefined),
    () => {
      if (isDead) return;
      for (const peer of cluster.nodes.values()) {
        peer.controller?.nodeRefused(node.nodeId, node.incarnation);
        peer.campaign?.peerRefused(node.nodeId, node.incarnation);
      }
    },
    () => {
      if (!isDead && node.session !== null) cluster.coordinator.expire(node.session);
    },
    () => {
      if (!isDead) node.session?.disconnect();
    },
    () => {
      if (!isDead) node.session?.reconnect();
    },
    () => {
      if (node.session !== null && !isDead)
        node.session.fate = () =>
          random.chance(0.3) ? (random.chance(0.5) ? 'loseReply' : 'loseRequest') : 'pass';
    },
    () => {
      node.isDeaf = random.chance(0.3);
      node.isMute = random.chance(0.3);
    },
    () => propose(cluster, random),
    () => propose(cluster, random),
  ];
  faults[random.below(faults.length)]?.();
}

/** A leader wishes for another ISR, as far as it knows what holds. */
function propose(cluster: ControlledCluster, random: SeededRandom): void {
  const partition = asPartitionId(random.below(PARTITIONS));
  const leader = [...cluster.nodes.values()].find(
    (node) => node.states.get(partition)?.leader === node.nodeId && !cluster.dead.has(node.nodeId),
  );
  const state = leader?.states.get(partition);
  if (leader === undefined || state === undefined) return;
  const members = IDS.filter((id) => id === leader.nodeId || random.chance(0.6)).map((id) =>
    cluster.node(id),
  );
  leader.send({
    kind: 'isrProposal',
    proposalId: random.below(1_000),
    partition,
    uuid: state.uuid,
    leader: leader.nodeId,
    leaderIncarnation: leader.incarnation,
    leaderEpoch: state.leaderEpoch,
    version: state.version,
    isr: members.map(({ nodeId, incarnation, replicas }) => {
      return { node: nodeId, incarnation, directoryId: replicas.get(partition)?.directoryId ?? '' };
    }),
  });
}

function heal(cluster: ControlledCluster): void {
  for (const id of IDS) {
    const node = cluster.node(id);
    node.isDeaf = false;
    node.isMute = false;
    if (cluster.dead.has(node.nodeId)) cluster.restart(id);
    const { session } = cluster.node(id);
    if (session !== null) session.fate = () => 'pass';
    session?.reconnect();
  }
  // The sessions of dead processes run out.
  const current = [...cluster.nodes.values()].map(({ session }) => session?.id);
  for (const { id } of cluster.coordinator.sessions)
    if (!current.includes(id)) cluster.coordinator.forget(id);
}

async function run(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const cluster = new ControlledCluster();
  await cluster.bootstrap(nodes(...IDS), PARTITIONS);
  for (const id of nodes(...IDS)) cluster.add(id);
  await cluster.clock.advance(1_000);
  const look = (): PartitionState[] => Array.from({ length: PARTITIONS }, (_, id) => cluster.partition(id));
  let before = look();
  for (let round = 0; round < ROUNDS; round += 1) {
    disturb(cluster, random);
    await cluster.clock.advance(random.below(400));
    const after = look();
    for (const [id, state] of after.entries()) checkChange(before[id] ?? state, state);
    before = after;
  }
  heal(cluster);
  await cluster.clock.advance(15_000);
  expect(cluster.reigning.controller?.state.partitions.size, 'somebody reigns').to.equal(PARTITIONS);
  for (const state of look()) {
    expect(state.leader, `partition ${state.id} is led`).to.not.equal(null);
    for (const node of cluster.nodes.values())
      expect(node.states.get(state.id)?.version, 'and everybody knows').to.equal(state.version);
  }
}

describe('the controller under random faults', () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    it(`keeps its rules and heals (seed ${seed})`, () => run(seed)).timeout(60_000);
  }
});
