import { AssertionError, expect } from 'chai';
import type { NodeId } from '../../../src/model/numbers.ts';
import { CandidateWatch } from '../checkers/candidate-watch.ts';
import { Findings } from '../checkers/findings.ts';
import { FloorWatch } from '../checkers/floor-watch.ts';
import { putInForce } from '../mutations/mutation.ts';
import { mutationNamed } from '../mutations/mutations.ts';
import { ClusterProbe } from '../runner/cluster-probe.ts';
import { ClusterScript, P0 } from './cluster-script.ts';

type Story = (script: ClusterScript) => Promise<void>;

/** A story, with the checkers of random runs that a script does not have of itself. */
async function watched(script: ClusterScript, story: Story): Promise<void> {
  const { world } = script;
  const findings = new Findings(() => world.nowMs);
  const { look } = new ClusterProbe(world);
  const stateOf = (): ClusterScript['state'] => script.state;
  let committed = 0;
  const committedOf = (): number => committed;
  const candidates = new CandidateWatch(look, findings, { partitions: [P0], stateOf, committedOf });
  const mostOnDisk = (partition: number, node: number): number => candidates.mostOnDisk(partition, node);
  const floors = new FloorWatch(look, findings, { stateOf, mostOnDisk });
  world.observe(() => {
    for (const { replicas } of look())
      for (const { isLeader, highWatermark } of replicas)
        if (isLeader) committed = Math.max(committed, highWatermark);
    candidates.look();
    floors.look();
  });
  await story(script);
  expect(findings.list).to.deep.equal([]);
}

/** The shortest history in which a rule is missed: told with the mutation in its place, and with the rule as it is. */
function tell(
  { seed, mutation, checker }: Readonly<Record<'mutation' | 'checker', string>> & { readonly seed: number },
  story: Story,
): void {
  const broken = mutationNamed(mutation);
  const play = (rules: typeof broken.rules): Promise<void> =>
    ClusterScript.play({ seed, rules }, (script) => watched(script, story));

  it(`${broken.ruling}: ${mutation}: ${checker} sees it`, async () => {
    const restore = putInForce(broken);
    const outcome = await play(broken.rules)
      .then(() => null)
      .catch((error: unknown) => error)
      .finally(restore);
    expect(outcome instanceof AssertionError ? JSON.stringify(outcome) : String(outcome)).to.contain(checker);
  });

  it(`${broken.ruling}: without it nothing is seen`, () => play({ replication: {}, controller: {} }));
}

/** It is back before it can fetch what it lacks. */
async function returnsAside(script: ClusterScript, id: NodeId): Promise<void> {
  const { leader } = script;
  script.cut(leader, id);
  script.start(id);
  await script.run(500);
  script.mend(leader, id);
  await script.untilStable();
}

/** The newest byte that it wrote. */
async function rotTail(script: ClusterScript, id: NodeId, directory: string): Promise<void> {
  const disk = script.node(id).machine.disk.faulty;
  const names = await disk.fileSystem.list(directory);
  const path = `${directory}/${names
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1)}`;
  disk.flipBit(path, disk.contentOf(path)?.findLastIndex((byte) => byte !== 0) ?? 0, 3);
}

/** It asks its leader to roll and merge, whatever becomes of it. */
const merge = (script: ClusterScript, id: NodeId): Promise<void> =>
  script.onNode(id, async ({ cluster }) => {
    await cluster.replicas
      .leading(P0)
      ?.mergeNow()
      .catch(() => undefined);
  });

describe('a rule of merge or recovery that is missed', () => {
  tell(
    { seed: 851, mutation: 'a rotten tail is taken for a torn one', checker: 'candidate completeness' },
    async (script) => {
      await script.mustSet('K', 'old');
      await script.mustSet('K', 'new');
      await script.untilLevel();
      const [victim] = script.pairByReign;
      const { directory } = script.store(victim);
      await rotTail(script, victim, directory);
      script.kill(victim);
      await returnsAside(script, victim);
    },
  );

  tell(
    { seed: 852, mutation: 'a sync that failed is taken for done', checker: 'candidate completeness' },
    async (script) => {
      await script.mustSet('K', 'old');
      await script.untilLevel();
      const [victim] = script.pairByReign;
      const { disk } = script.node(victim).machine;
      disk.faulty.arm({ operation: 'sync', path: '.log', times: Number.POSITIVE_INFINITY });
      await script.untilDone({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
      script.kill(victim);
      disk.heal();
      await returnsAside(script, victim);
    },
  );

  tell(
    { seed: 853, mutation: 'tombstones removed by any merge', checker: 'has come back' },
    async (script) => {
      await script.mustSet('K', 'old');
      await script.rollAll();
      await script.mustDelete('K');
      await script.rollAll();
      await script.merge(script.pair[0], 1, 1);
    },
  );

  tell({ seed: 854, mutation: 'what is not committed is merged', checker: 'has lost' }, async (script) => {
    await script.mustSet('K', 'old');
    await script.rollAll();
    const { leader } = script;
    script.isolate(leader);
    script.cutCoordinator(leader);
    const end = script.store(leader).logEndOffset;
    script.begin({ kind: 'set', key: 'K', value: 'new', dueMs: 0 });
    await script.until('it is on the disk', () => script.store(leader).durableOffset > end);
    await merge(script, leader);
    await script.untilLedAnew(leader);
    script.rejoin(leader);
    script.cutCoordinator(leader, false);
    await script.untilStable();
  });

  tell(
    { seed: 855, mutation: 'tombstones removed before all have them', checker: 'tombstones kept' },
    async (script) => {
      await script.mustSet('K', 'old');
      await script.untilLevel();
      const { leader } = script;
      const [asleep, awake] = script.pair;
      script.kill(asleep);
      await script.untilInSync([leader, awake]);
      await script.mustDelete('K');
      await merge(script, leader);
      script.start(asleep);
      await script.untilStable();
    },
  );

  tell(
    { seed: 856, mutation: 'floor moves while a follower is rebuilt', checker: 'tombstones kept' },
    async (script) => {
      const { leader } = script;
      const [other, learner] = script.pair;
      await script.mustSet('J', 'old');
      await script.mustDelete('J');
      await script.untilLevel();
      await script.run(100);
      await merge(script, leader);
      script.kill(learner);
      script.node(learner).machine.disk.wipe();
      await script.untilInSync([leader, other]);
      await script.mustSet('K', 'old');
      await script.fill(80_000);
      script.world.network.setMood(learner, {
        lossShare: 0,
        doubledShare: 0,
        reorderedShare: 0,
        slownessMs: 40,
      });
      script.start(learner);
      await script.until(
        'the learner rebuilds',
        () => script.node(learner).live?.cluster.replicas.replica(P0)?.follower?.isRebuilding === true,
      );
      await script.run(60);
      script.node(learner).machine.disk.isSlow = true;
      await script.run(100);
      await script.mustDelete('K');
      await merge(script, leader);
      script.node(learner).machine.disk.isSlow = false;
      script.world.network.setMood(learner, null);
      await script.untilStable();
    },
  );
});
