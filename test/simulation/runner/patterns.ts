import { nodePath } from '../../../src/coordination/paths.ts';
import type { NodeId } from '../../../src/model/numbers.ts';
import {
  between,
  comeBack,
  comes,
  coordinatorAway,
  killed,
  now,
  others,
  type Pattern,
  type PatternScene,
  parted,
  waits,
} from './pattern-scene.ts';

/**
 * A follower falls behind and out of the ISR; then everybody else dies, and one of them comes back alone: it leads with
 * the high watermark of its last start, and whoever died for longer is in the ELR. Then the one that is behind is back
 * too: either not before the leader may act, and slow to catch up (KAFKA-7128), or earlier, and the coordinator is away
 * when it would join (R1).
 */
async function laggardAtDoubleFailover(scene: PatternScene): Promise<boolean> {
  const { world, random, leader, follower, state } = scene;
  const back = state.isr.find((node) => node !== leader && node !== follower);
  if (back === undefined) return false;
  const mend = parted(scene, [follower], others(scene, follower));
  const isOut = await comes(scene, 1_500, () => !now(scene).isr.includes(follower));
  if (isOut) await waits(scene, between(scene, 50, 500));
  if (!isOut || !scene.isOn()) {
    mend();
    return false;
  }
  killed(scene, [leader, back]);
  await waits(scene, between(scene, 20, 120));
  comeBack(scene, [back]);
  const isLate = random.chance(0.5);
  if (!isLate) mend();
  const leads = await comes(scene, 2_500, () => now(scene).leader === back, 1);
  if (isLate) {
    const acts = leads && (await comes(scene, 1_500, () => mayAct(scene, back), 1));
    const { disk } = world.node(follower).machine;
    disk.isSlow = acts || disk.isSlow;
    mend();
    await waits(scene, between(scene, 100, 400));
    disk.isSlow = false;
  } else if (leads) {
    await waits(scene, between(scene, 0, 8));
    if (scene.isOn()) coordinatorAway(scene, between(scene, 200, 1_000));
  }
  await waits(scene, between(scene, 200, 1_200));
  comeBack(scene, [leader]);
  return leads && world.node(back).isUp;
}

/** L5. */
const mayAct = ({ world, state }: PatternScene, node: NodeId): boolean =>
  world.node(node).live?.cluster.replicas.replica(state.id)?.leader?.canAct === true;

/** Each new leader dies before the high watermark reaches the start of its epoch. */
async function shortLivedLeaders(scene: PatternScene): Promise<boolean> {
  let { leader } = scene;
  for (let round = 0; round < 2; round += 1) {
    const old = leader;
    if (!scene.isOn()) return false;
    killed(scene, [old]);
    scene.world.after(between(scene, 60, 700), () => comeBack(scene, [old]));
    const isElected = await comes(
      scene,
      2_500,
      () => now(scene).leader !== null && now(scene).leader !== old,
      1,
    );
    if (!isElected) return false;
    leader = now(scene).leader ?? old;
    await waits(scene, between(scene, 0, 30));
  }
  if (!scene.isOn()) return false;
  killed(scene, [leader]);
  await waits(scene, between(scene, 60, 400));
  comeBack(scene, [leader]);
  return true;
}

/**
 * The leader and one follower hear each other and nobody else, until the session of the leader is over and another was
 * elected without a word of that follower: it comes back with a tail of its own (KIP-101, KIP-279).
 */
async function leaderAndOneInACorner(scene: PatternScene): Promise<boolean> {
  const { world, leader, follower } = scene;
  const corner = [leader, follower];
  if (world.controller !== null && corner.includes(world.controller)) return false;
  const mend = parted(scene, corner, others(scene, ...corner));
  const { link } = world.node(leader).machine;
  link.isCut = true;
  const isDeposed = await comes(scene, 4_000, () => now(scene).leader !== leader);
  if (isDeposed) await waits(scene, between(scene, 0, 600));
  mend();
  link.isCut = false;
  return isDeposed;
}

/**
 * A follower is back at once, in a new life or with an empty disk, and the coordinator is away before the controller
 * can write down what that means (R5, KIP-903).
 */
async function returnsWhileCoordinatorIsAway(scene: PatternScene): Promise<boolean> {
  const { world, random, follower } = scene;
  const path = nodePath(follower);
  const before = world.coordinator.nodeAt(path)?.text;
  if (world.controller === follower || !world.node(follower).isUp) return false;
  if (!random.chance(0.4) || !world.fire('wipe', follower)) world.fire('bounce', follower);
  await waits(scene, between(scene, 1, 10));
  comeBack(scene, [follower]);
  const isBack = await comes(
    scene,
    1_500,
    () => (world.coordinator.nodeAt(path)?.text ?? before) !== before,
    0.3,
  );
  if (!isBack) return false;
  await waits(scene, between(scene, 0, 5));
  if (scene.isOn()) coordinatorAway(scene, between(scene, 300, 1_000));
  await waits(scene, 1_000);
  return true;
}

/**
 * Who has just joined falls silent, and neither the controller nor the leader, which proposed it, learns that it was
 * written: the leader cannot know that the member counts (PROTOCOL 2.4, KIP-497). `follower` is who joined. Begins at
 * the instant of the write.
 */
async function vanishesWhenJoined(scene: PatternScene): Promise<boolean> {
  const { world, leader, follower, state } = scene;
  if (world.controller === null || state.isr.length < 3) return false;
  const links = [...new Set([leader, world.controller])].map((id) => world.node(id).machine.link);
  const mend = parted(scene, [leader], [follower]);
  for (const link of links) link.isCut = true;
  await waits(scene, between(scene, 900, 1_400));
  mend();
  for (const link of links) link.isCut = false;
  return true;
}

/**
 * Who joins dies at once, and refuses: it is proposed away within milliseconds, while a double of the proposal that let
 * it in may still be on its way (PROTOCOL 2.3, KAFKA-14144).
 */
async function diesWhenJoined(scene: PatternScene): Promise<boolean> {
  const { world, leader, follower } = scene;
  const mend = parted(scene, [follower], others(scene, follower));
  const isOut = await comes(scene, 1_500, () => !now(scene).isr.includes(follower));
  mend();
  if (!isOut || now(scene).leader !== leader) return false;
  world.network.setMood(leader, { lossShare: 0, doubledShare: 0.9, reorderedShare: 0.9, slownessMs: 0 });
  const isIn = await comes(scene, 1_500, () => now(scene).isr.includes(follower), 0.5);
  // What comes next is to overtake what is on its way.
  world.network.setMood(leader, null);
  await waits(scene, between(scene, 0, 2));
  if (isIn && scene.isOn()) killed(scene, [follower]);
  await waits(scene, between(scene, 60, 400));
  comeBack(scene, [follower]);
  return isIn;
}

/** Played one after the other, at any time. */
export const PATTERNS = {
  diesWhenJoined,
  laggardAtDoubleFailover,
  shortLivedLeaders,
  leaderAndOneInACorner,
  returnsWhileCoordinatorIsAway,
} as const satisfies Record<string, Pattern>;

/** Played when a member joins. */
export const JOIN_PATTERN = { vanishesWhenJoined } as const satisfies Record<string, Pattern>;
