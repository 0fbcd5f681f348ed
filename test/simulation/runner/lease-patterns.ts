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

const isDeposed = (scene: PatternScene): boolean => {
  const { leader } = now(scene);
  return leader !== null && leader !== scene.leader;
};

/** All that these machines send and receive takes up to so much longer; returns what takes it back. */
function slowed({ world: { network } }: PatternScene, nodes: readonly NodeId[], slownessMs: number) {
  for (const node of nodes)
    network.setMood(node, { lossShare: 0, doubledShare: 0, reorderedShare: 0, slownessMs });
  return (): void => {
    for (const node of nodes) network.setMood(node, null);
  };
}

/**
 * The leader hears its followers and not the coordinator, and answers by its lease until they follow another, which it never learns (4.3-1, 4.3-3). Sometimes its messages take long, or
 * the new leader is gone again at once, in one way or another (R20).
 */
async function deposedWithoutAWord(scene: PatternScene): Promise<boolean> {
  const { world, random, leader } = scene;
  const { link } = world.node(leader).machine;
  const hasten = random.chance(0.5) ? slowed(scene, [leader], between(scene, 20, 250)) : (): void => {};
  link.isCut = true;
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 1);
  const next = now(scene).leader;
  if (isOver && next !== null && random.chance(0.6)) {
    await waits(scene, between(scene, 0, 40));
    if (scene.isOn() && world.node(next).isUp) world.fire(random.pick(['bounce', 'sessionExpiry']), next);
  }
  await waits(scene, between(scene, 300, 1_500));
  link.isCut = false;
  hasten();
  return isOver;
}

/** Its followers gone, the leader is alone in the ISR and then in the whole world, while one of them is back and leads (4.3-6, R10). */
async function leaderLeftAlone(scene: PatternScene): Promise<boolean> {
  const { world, leader, state } = scene;
  const followers = state.isr.filter((node) => node !== leader);
  const { link } = world.node(leader).machine;
  killed(scene, followers);
  const isAlone = await comes(
    scene,
    2_500,
    () => now(scene).leader === leader && now(scene).isr.length === 1,
    1,
  );
  if (!isAlone) {
    comeBack(scene, followers);
    return false;
  }
  const mend = parted(scene, [leader], others(scene, leader));
  link.isCut = true;
  await waits(scene, between(scene, 0, 300));
  comeBack(scene, followers);
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 1);
  await waits(scene, between(scene, 300, 1_000));
  mend();
  link.isCut = false;
  return isOver;
}

/** An operator moves the leadership, and the leader cannot be asked to hand over; it still reaches the coordinator (R9). */
async function movedWithoutAWord(scene: PatternScene): Promise<boolean> {
  const { world, leader, state } = scene;
  if (world.controller === leader || state.replicas.length < 3) return false;
  const mend = parted(scene, [leader], others(scene, leader));
  const { id: partition, replicas } = state;
  if (replicas[0] === leader) {
    world.admin({ kind: 'reassign', partition, replicas: [...replicas.slice(1), leader] });
    await waits(scene, 100);
  }
  world.admin({ kind: 'electPreferred', partition });
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 1);
  await waits(scene, between(scene, 300, 2_000));
  mend();
  return isOver;
}

/** The leader dies while its followers are far from each other: what the next one inherits is long on its way to being committed (4.3-11). */
async function slowSuccession(scene: PatternScene): Promise<boolean> {
  const { world, leader, state } = scene;
  const hasten = slowed(scene, state.replicas, between(scene, 20, 150));
  await waits(scene, between(scene, 100, 400));
  if (scene.isOn() && world.node(leader).isUp) world.fire('crash', leader);
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 1);
  await waits(scene, between(scene, 300, 900));
  hasten();
  return isOver;
}

/** More than half of the replicas stay with the leader in a corner, and the coordinator with the rest, which are enough to go on (4.2-2). */
async function majorityInACorner(scene: PatternScene): Promise<boolean> {
  const { world, random, leader, state } = scene;
  const followers = state.isr.filter((node) => node !== leader && node !== world.controller);
  const first = random.pick(followers.length > 0 ? followers : [leader]);
  const second = random.pick(followers.filter((node) => node !== first).concat(first));
  const corner = [leader, first, second];
  if (world.controller === leader || new Set(corner).size < 3 || state.isr.length < 5) return false;
  const mend = parted(scene, corner, others(scene, ...corner));
  const { link } = world.node(leader).machine;
  link.isCut = true;
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 1);
  await waits(scene, between(scene, 800, 3_000));
  mend();
  link.isCut = false;
  return isOver;
}

/**
 * Who has just joined is elected before the leader, which proposed it, learns that it was written: the controller does not get through to the leader any more, whose other followers do (4.3-8).
 */
async function electedBeforeItsJoinIsKnown(scene: PatternScene): Promise<boolean> {
  const { world, leader, follower, state } = scene;
  const { controller, network } = world;
  if (controller === null || controller === leader) return false;
  if (controller !== follower && state.isr.includes(controller)) return false;
  const { link } = world.node(leader).machine;
  network.cut(controller, leader);
  link.isCut = true;
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 1);
  await waits(scene, between(scene, 300, 700));
  network.mend(controller, leader);
  link.isCut = false;
  return isOver;
}

/** The leader's host is put to sleep, and another leads when it wakes: by its monotonic clock hardly any time has passed (4.3-9). */
async function sleepingHost(scene: PatternScene): Promise<boolean> {
  const { world, leader } = scene;
  const { machine } = world.node(leader);
  const ms = between(scene, 2_300, 4_500);
  const { clock } = machine;
  if (clock === null || world.node(leader).isStalled) return false;
  world.node(leader).stall(ms);
  await waits(scene, ms - 0.01);
  if (machine.clock === clock && world.node(leader).isStalled) clock.stoodStill(ms);
  const isOver = isDeposed(scene);
  await waits(scene, 300);
  return isOver;
}

/** What leases and reads stand against: each is a leader that is one no more and does not know it. */
export const LEASE_PATTERNS = {
  deposedWithoutAWord,
  leaderLeftAlone,
  movedWithoutAWord,
  slowSuccession,
  majorityInACorner,
  sleepingHost,
} as const satisfies Record<string, Pattern>;

/** Played when a member joins. */
export const LEASE_JOIN_PATTERN = { electedBeforeItsJoinIsKnown } as const satisfies Record<string, Pattern>;
