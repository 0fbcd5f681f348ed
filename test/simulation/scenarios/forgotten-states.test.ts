import { expect } from 'chai';
import type { NodeId } from '../../../src/model/numbers.ts';
import { ClusterScript } from './cluster-script.ts';
import { P0 } from './script-stage.ts';

interface Forgotten {
  readonly leader: NodeId;
  /** Out of the ISR by the state that was forgotten, and in it again. */
  readonly stale: NodeId;
  readonly other: NodeId;
  /** Reigned until then, holds no replica, and is dead. */
  readonly spare: NodeId;
}

/**
 * A member leaves the ISR, and the coordinator forgets it. `knowing`: of the two others, who has heard of it. The node
 * `next` reigns after that, and the rest cannot tell it anything yet: the links that are cut in the end are those
 * between `stale` and `leader`, and of the spare.
 */
async function forgetShrink(
  script: ClusterScript,
  knowing: 'both' | 'leader',
  next: 'stale' | 'other',
): Promise<Forgotten> {
  const spare = await script.reignOfSpare();
  const { leader } = script;
  const [other, stale] = script.pair;
  const { world } = script;
  world.admin({ kind: 'reassign', partition: P0, replicas: [other, leader, stale] });
  await script.until('another is preferred', () => script.state.replicas[0] === other);
  await script.mustSet('K', 'old');
  await script.untilLevel();
  const { version } = script.state;
  script.cut(leader, stale);
  script.cut(spare, stale);
  if (knowing === 'leader') script.cut(spare, other);
  await script.until('it is out', () => !script.state.isr.includes(stale));
  if (knowing === 'leader') script.cut(leader, other);
  for (const node of knowing === 'both' ? [leader, other] : [leader])
    await script.until('it knows', () => (script.replica(node).state?.version ?? 0) > version);
  await script.run(20);
  while (!script.state.isr.includes(stale)) script.loseWrites(1);
  const reigning = next === 'stale' ? stale : other;
  const late = script.others(spare).filter((node) => node !== reigning);
  for (const node of late) script.cutCoordinator(node);
  script.kill(spare);
  script.expireSession(spare);
  await script.until('it reigns', () => world.controller === reigning);
  for (const node of late) script.cutCoordinator(node, false);
  return { leader, stale, other, spare };
}

describe('a state that the coordinator forgot, and that leader and followers go by (R17)', () => {
  it('replicas are compared only when none of them leads or follows any more: the longest log of a moment is not that of the next', () =>
    ClusterScript.play({ seed: 840, nodeCount: 4 }, async (script) => {
      const { network } = script.world;
      const { leader, stale, other, spare } = await forgetShrink(script, 'both', 'other');
      network.cut(stale, other);
      script.mend(leader, stale);
      await script.run(200);
      await script.answer(script.begin({ kind: 'set', key: 'A', value: '1', dueMs: 0 }, leader));
      await script.until('the stale one has it', () => {
        const end = script.replica(leader).store?.logEndOffset ?? 0;
        return (script.replica(stale).store?.durableOffset ?? -1) >= end;
      });
      script.cut(leader, stale);
      const asked = script.begin({ kind: 'set', key: 'A', value: '2', dueMs: 0 }, leader);
      await script.run(5);
      network.mend(stale, other);
      await script.answer(asked);
      await script.run(3_000);
      script.mend(leader, stale);
      script.mend(spare, stale);
      script.start(spare);
      await script.untilDone({ kind: 'get', key: 'A' });
    }));

  it('nothing is written in the epoch of a leader that has not said what it knows: its number would be an echo of the forgotten one', () =>
    ClusterScript.play({ seed: 841, nodeCount: 4 }, async (script) => {
      const { leader, stale, other, spare } = await forgetShrink(script, 'leader', 'stale');
      const { version } = script.state;
      await script.run(50);
      script.world.admin({ kind: 'reassign', partition: P0, replicas: [leader, other, stale] });
      await script.run(400);
      expect(script.state.version, 'the leader cannot be heard').to.equal(version);
      script.cut(other, stale);
      script.mend(leader, other);
      await script.run(50);
      await script.answer(script.begin({ kind: 'set', key: 'K', value: 'new', dueMs: 0 }, leader));
      script.kill(leader);
      await script.run(5_000);
      script.mend(other, stale);
      script.mend(leader, stale);
      for (const node of [other, stale]) script.mend(spare, node);
      script.start(leader);
      script.start(spare);
      await script.untilDone({ kind: 'get', key: 'K' });
    }));
});
