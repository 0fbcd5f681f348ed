import type { NodeId } from '../../../src/model/numbers.ts';
import type { ClusterScript } from './cluster-script.ts';
import { P0 } from './script-stage.ts';
import { rotTail, tell } from './tell.ts';

/** It is back before it can fetch what it lacks. */
async function returnsAside(script: ClusterScript, id: NodeId): Promise<void> {
  const { leader } = script;
  script.cut(leader, id);
  script.start(id);
  await script.run(500);
  script.mend(leader, id);
  await script.untilStable();
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
    { seed: 2_851, mutation: 'a rotten tail is taken for a torn one', checker: 'candidate completeness' },
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
      script.kill(victim, 'loseAll');
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
