import type { NodeId } from '../../../src/model/numbers.ts';
import {
  between,
  comeBack,
  comes,
  killed,
  now,
  others,
  type Pattern,
  type PatternScene,
  parted,
  waits,
} from './pattern-scene.ts';

/** Longer than a session and an election. */
const DEPOSED_MS_MAX = 4_500;
const REBUILD_BEGINS_MS_MAX = 3_500;

const isRebuilding = ({ world, state, follower }: PatternScene): boolean =>
  world.node(follower).live?.cluster.replicas.replica(state.id)?.follower?.isRebuilding === true;

const isDeposed = (scene: PatternScene): boolean => {
  const { leader } = now(scene);
  return leader !== null && leader !== scene.leader;
};

/** An operator asks a leader to roll and merge (BGREWRITEAOF). What becomes of it the log tells. */
function askForMerge({ world, state }: PatternScene, leader: NodeId | null): void {
  if (leader === null) return;
  world.request<null>({
    to: leader,
    work: ({ cluster }) =>
      void cluster.replicas
        .leading(state.id)
        ?.mergeNow()
        .catch(() => undefined),
    answered: () => undefined,
    failed: () => undefined,
  });
}

/**
 * A follower is built anew on a slow disk, while its leader goes on, and merges: what was taken from it is deleted, and
 * the tombstones may be gone before anybody comes to them (C5).
 */
async function slowRebuild(scene: PatternScene): Promise<boolean> {
  const { world, follower } = scene;
  if (!world.node(follower).isUp || !world.fire('wipe', follower)) return false;
  const begins = await comes(scene, REBUILD_BEGINS_MS_MAX, () => isRebuilding(scene), 1);
  await waits(scene, between(scene, 5, 60));
  const { disk } = world.node(follower).machine;
  disk.isSlow = begins;
  const untilMs = world.nowMs + between(scene, 1_500, 5_000);
  while (begins && scene.isOn() && world.nowMs < untilMs && isRebuilding(scene)) {
    await waits(scene, between(scene, 150, 500));
    if (scene.isOn()) askForMerge(scene, now(scene).leader);
  }
  disk.isSlow = false;
  return begins;
}

/**
 * A leader in the dark goes on appending, and merges, until another leads: what it appended was never committed, and
 * lets nothing go (C2).
 */
async function mergesInTheDark(scene: PatternScene): Promise<boolean> {
  const { world, leader } = scene;
  const mend = parted(scene, [leader], others(scene, leader));
  const { link } = world.node(leader).machine;
  link.isCut = true;
  const untilMs = world.nowMs + DEPOSED_MS_MAX;
  let isOver = false;
  while (!isOver && scene.isOn() && world.nowMs < untilMs) {
    isOver = await comes(scene, between(scene, 150, 500), () => isDeposed(scene), 5);
    if (scene.isOn()) askForMerge(scene, leader);
  }
  await waits(scene, between(scene, 0, 300));
  mend();
  link.isCut = false;
  return isOver;
}

/**
 * The disk of a follower fails all syncs for a while, or the newest of it rots; then it dies, and is back in a new life
 * before it can fetch what it lacks (R19, R24).
 */
async function returnsShorter(scene: PatternScene): Promise<boolean> {
  const { world, random, leader, follower } = scene;
  const { machine, isUp } = world.node(follower);
  if (!isUp || world.controller === follower) return false;
  if (random.chance(0.5)) {
    machine.disk.faulty.arm({ operation: 'sync', path: '.log', times: Number.POSITIVE_INFINITY });
    await waits(scene, between(scene, 5, 150));
    killed(scene, [follower]);
    machine.disk.heal();
  } else if (!world.fire('segmentDamage', follower)) return false;
  const mend = parted(scene, [leader], [follower]);
  await waits(scene, between(scene, 5, 100));
  comeBack(scene, [follower]);
  const isBack = await comes(scene, 2_000, () => world.node(follower).live !== null);
  await waits(scene, between(scene, 100, 900));
  mend();
  return isBack;
}

/** What stands against the rules of merge and rebuild. */
export const STORAGE_PATTERNS = { slowRebuild, mergesInTheDark, returnsShorter } as const satisfies Record<
  string,
  Pattern
>;
