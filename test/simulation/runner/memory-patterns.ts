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

/**
 * The same at the very instant of the shrink, before the other member has made its version durable: both who know die of it. That other one has the longest log, and no room for the epoch in which it is
 * to lead: the stale one is next (R17).
 */
async function forgottenBeforeItIsEchoed(scene: PatternScene): Promise<boolean> {
  const { world, leader, follower, state } = scene;
  if (!mayForget(scene) || state.replicas.length !== 3 || world.controller === follower) return false;
  const [other] = others(scene, leader, follower);
  if (other === undefined) return false;
  const { disk } = world.node(other).machine;
  // What is appended meanwhile waits for nobody but the silent one.
  const mend = parted(scene, [follower], others(scene, follower));
  await waits(scene, between(scene, 350, 550));
  disk.isSlow = true;
  const isOut = await comes(scene, 1_000, () => knowsWithout(scene, follower), 0.3);
  await waits(scene, between(scene, 1, 8));
  disk.isSlow = false;
  mend();
  if (!isOut || !scene.isOn()) return false;
  // A power cut: what is not yet on its disk never will be.
  if (world.node(other).isUp) world.node(other).kill('loseAll');
  killed(scene, [leader, follower]);
  const isForgotten = forget(scene, follower);
  comeBack(scene, [follower, other]);
  const isUp = await comes(scene, 1_000, () => world.node(other).live !== null, 0.5);
  if (isUp) disk.faulty.limitBytes(1);
  await waits(scene, between(scene, 2_500, 3_500));
  disk.heal();
  comeBack(scene, [leader, other]);
  await waits(scene, 500);
  return isForgotten && isUp;
}

/** The leader has applied a state in which the node is no member. */
function knowsWithout({ world, state, leader }: PatternScene, node: NodeId): boolean {
  const applied = world.node(leader).live?.cluster.replicas.replica(state.id)?.state;
  return applied?.leaderEpoch === state.leaderEpoch && !applied.isr.includes(node);
}

/** The last writes to the coordinator never were, until this node is in the ISR again. */
function forget(scene: PatternScene, node: NodeId): boolean {
  const isMember = (): boolean => now(scene).isr.includes(node);
  for (let count = 0; count < FORGETTING_MAX && !isMember(); count += 1)
    scene.world.strike('coordinatorLosesWrites', node);
  return isMember();
}

/** Played one after the other, at any time. */
export const MEMORY_PATTERNS = { forgottenShrink, forgottenBeforeItIsEchoed } as const satisfies Record<
  string,
  Pattern
>;
