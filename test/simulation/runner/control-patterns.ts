import {
  between,
  comeBack,
  comes,
  killed,
  now,
  type Pattern,
  type PatternScene,
  parted,
  waits,
} from './pattern-scene.ts';

/** The last word of a controller to the coordinator takes long: its process is gone, and another reigns, when it arrives (W8, KAFKA-6082). */
async function lastWordOfAController(scene: PatternScene): Promise<boolean> {
  const { world, follower } = scene;
  const { controller } = world;
  if (controller === null || controller === follower) return false;
  const { link } = world.node(controller).machine;
  link.slownessMs = between(scene, 15, 60);
  // Its leader proposes it away, or somebody is elected in its place.
  killed(scene, [follower]);
  await waits(scene, between(scene, 2, 14));
  if (scene.isOn()) killed(scene, [controller]);
  link.slownessMs = 0;
  const isReplaced = await comes(
    scene,
    1_500,
    () => world.controller !== null && world.controller !== controller,
    1,
  );
  await waits(scene, between(scene, 60, 400));
  comeBack(scene, [controller, follower]);
  return isReplaced;
}

/** The proposal that let a member in arrives once more when that member is out again, and behind (PROTOCOL 2.3). */
async function joinComesOnceMore(scene: PatternScene): Promise<boolean> {
  const { world, leader, state } = scene;
  const { controller, network } = world;
  const follower = state.isr.find((node) => node !== leader && node !== controller);
  if (controller === null || controller === leader || follower === undefined) return false;
  const isMember = (): boolean => now(scene).isr.includes(follower);
  const mend = parted(scene, [leader], [follower]);
  const isOut = await comes(scene, 1_500, () => !isMember(), 1);
  mend();
  if (!isOut || now(scene).leader !== leader) return false;
  network.repeat(leader, controller, between(scene, 640, 1_000));
  const isIn = await comes(scene, 1_500, isMember, 0.5);
  network.repeat(leader, controller, null);
  const mendAgain = parted(scene, [leader], [follower]);
  const isOutAgain = isIn && (await comes(scene, 1_500, () => !isMember(), 1));
  await waits(scene, between(scene, 100, 500));
  mendAgain();
  return isOutAgain;
}

/** What is said between leaders, controller and coordinator comes late, or twice, or of a time that is over. */
export const CONTROL_PATTERNS = {
  lastWordOfAController,
  joinComesOnceMore,
} as const satisfies Record<string, Pattern>;
