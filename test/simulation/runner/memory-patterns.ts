import type { NodeId } from '../../../src/model/numbers.ts';
import {
  between,
  comeBack,
  comes,
  killed,
  mayForget,
  now,
  others,
  type Pattern,
  type PatternScene,
  parted,
  waits,
} from './pattern-scene.ts';

/** The coordinator forgets so many times at most, a few writes each. */
const FORGETTING_MAX = 8;

/**
 * The coordinator forgets that a follower left the ISR, and what was acknowledged without it is known to others alone (R17). The stale one is back, and those others are either dead, or
 * one is dead and one is leaving.
 */
async function forgottenShrink(scene: PatternScene): Promise<boolean> {
  const { world, random, leader, follower } = scene;
  if (!mayForget(scene)) return false;
  const knowing = others(scene, follower);
  killed(scene, [follower]);
  const isOut = await comes(scene, 1_500, () => !now(scene).isr.includes(follower));
  await waits(scene, between(scene, 30, 200));
  if (!isOut || !scene.isOn() || now(scene).leader !== leader) {
    comeBack(scene, [follower]);
    return false;
  }
  const isAlone = random.chance(0.5);
  const gone = isAlone ? knowing : knowing.filter((node) => node !== leader);
  killed(scene, gone);
  const isForgotten = forget(scene, follower);
  const mend = parted(scene, [leader], [follower]);
  comeBack(scene, [follower]);
  await waits(scene, between(scene, 60, 1_500));
  if (!isAlone && scene.isOn()) world.fire('shutdown', leader);
  await waits(scene, between(scene, 500, 3_000));
  mend();
  comeBack(scene, knowing);
  await waits(scene, 500);
  return isForgotten;
}

/** The last writes to the coordinator never were, until this node is in the ISR again. */
function forget(scene: PatternScene, node: NodeId): boolean {
  const isMember = (): boolean => now(scene).isr.includes(node);
  for (let count = 0; count < FORGETTING_MAX && !isMember(); count += 1)
    scene.world.strike('coordinatorLosesWrites', node);
  return isMember();
}

/** Played one after the other, at any time. */
export const MEMORY_PATTERNS = { forgottenShrink } as const satisfies Record<string, Pattern>;
