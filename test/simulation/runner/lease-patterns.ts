import type { NodeId } from '../../../src/model/numbers.ts';
import { WORLD_TIMING } from '../world/world-settings.ts';
import {
  between,
  comeBack,
  comes,
  expireSession,
  killed,
  moveAway,
  now,
  others,
  type Pattern,
  type PatternScene,
  parted,
  prefer,
  waits,
} from './pattern-scene.ts';

/** Longer than a session and an election. */
const DEPOSED_MS_MAX = 4_500;

const isDeposed = (scene: PatternScene): boolean => {
  const { leader } = now(scene);
  return leader !== null && leader !== scene.leader;
};

const leaseMs = ({ world }: PatternScene): number => (world.options.timing ?? WORLD_TIMING).leaseMsMax;

/** All that these machines send and receive takes up to so much longer; returns what takes it back. */
function slowed({ world: { network } }: PatternScene, nodes: readonly NodeId[], slownessMs: number) {
  for (const node of nodes)
    network.setMood(node, { lossShare: 0, doubledShare: 0, reorderedShare: 0, slownessMs });
  return (): void => {
    for (const node of nodes) network.setMood(node, null);
  };
}

/**
 * The leader hears its followers and not the coordinator, and answers by its lease until they follow another, which it
 * never learns (4.3-1, 4.3-3). Sometimes its messages take long, or the new leader is gone again at once, in one way or
 * another (R20).
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

/**
 * Its followers gone, the leader is alone in the ISR and then in the whole world, while one of them is back and leads
 * (4.3-6, R10).
 */
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
  await moveAway(scene);
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 1);
  // It goes only when it was silent for long: nothing is committed before.
  await waits(scene, between(scene, 1_200, 3_000));
  mend();
  return isOver;
}

/**
 * The leader dies while its followers are far from each other: what the next one inherits is long on its way to being
 * committed (4.3-11).
 */
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

/**
 * More than half of the replicas stay with the leader in a corner, and the coordinator with the rest, which are enough
 * to go on (4.2-2). The rest are alone in the ISR at once, since the coordinator holds all of the corner for dead.
 */
async function majorityInACorner(scene: PatternScene): Promise<boolean> {
  const { world, random, leader, state } = scene;
  const followers = state.isr.filter((node) => node !== leader && node !== world.controller);
  if (world.controller === leader || state.isr.length < 5 || followers.length < 3) return false;
  const first = random.pick(followers);
  const corner = [leader, first, random.pick(followers.filter((node) => node !== first))];
  const mend = parted(scene, corner, others(scene, ...corner));
  const links = corner.map((node) => world.node(node).machine.link);
  for (const link of links) link.isCut = true;
  // Those outside have promised something by then that is over.
  await waits(scene, leaseMs(scene) * between(scene, 0.5, 1.2));
  for (const node of corner) if (scene.isOn()) expireSession(scene, node);
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 1);
  await waits(scene, between(scene, 1_000, 3_000));
  mend();
  for (const link of links) link.isCut = false;
  return isOver;
}

/**
 * Who has just joined is elected before the leader, which proposed it, learns that it was written: nothing of the
 * controller gets through to the leader any more, whose stamps the others go on echoing, since they hear late of the
 * election (4.3-8). `follower` is who joined. Begins at the instant of the write.
 */
async function electedBeforeItsJoinIsKnown(scene: PatternScene): Promise<boolean> {
  const { world, leader, follower } = scene;
  const { controller, network } = world;
  const late = now(scene).isr.filter((node) => node !== leader && node !== follower);
  if (controller === null || controller === leader || late.includes(controller)) return false;
  const { link } = world.node(leader).machine;
  network.cut(controller, leader);
  link.isCut = true;
  // It hears nothing of the leader any more, and would fall behind.
  if (follower !== controller) await waits(scene, between(scene, 0, 20));
  if (scene.isOn()) expireSession(scene, leader);
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 0.1);
  const isElected = isOver && now(scene).leader === follower;
  for (const node of late) network.cut(controller, node);
  await waits(scene, leaseMs(scene) * between(scene, 0.3, 1.2));
  for (const node of late) network.mend(controller, node);
  await waits(scene, leaseMs(scene));
  network.mend(controller, leader);
  link.isCut = false;
  return isElected;
}

/** A follower is not heard by the leader until it is out of the ISR, joins again, and is elected at once. */
async function joinsToBeElected(scene: PatternScene): Promise<boolean> {
  const { world, leader, state } = scene;
  const { controller, network } = world;
  if (controller === null || controller === leader) return false;
  // The others are to hear late from the controller.
  const follower = state.isr.includes(controller) ? controller : scene.follower;
  network.cut(follower, leader);
  prefer(scene, [leader, follower]);
  const isOut = await comes(scene, 1_500, () => !now(scene).isr.includes(follower));
  network.mend(follower, leader);
  const isIn = isOut && (await comes(scene, 1_500, () => now(scene).isr.includes(follower), 0.1));
  if (!isIn || now(scene).leader !== leader) return false;
  return electedBeforeItsJoinIsKnown({ ...scene, follower });
}

/**
 * Who is elected must go again before it may act, and lives on; the next one is bound by its promise to the first
 * leader, which does not know of either and has its lease yet (R20).
 */
async function reignsInWaiting(scene: PatternScene): Promise<boolean> {
  const { world, leader } = scene;
  const { controller, network } = world;
  if (controller === null || controller === leader) return false;
  const { link } = world.node(leader).machine;
  network.cut(controller, leader);
  link.isCut = true;
  expireSession(scene, leader);
  const isOver = await comes(scene, DEPOSED_MS_MAX, () => isDeposed(scene), 0.5);
  const { leader: waiting, leaderEpoch, replicas } = now(scene);
  if (isOver && waiting !== null) {
    prefer(
      scene,
      replicas.filter((node) => node !== waiting),
    );
    await waits(scene, between(scene, 5, 40));
    if (scene.isOn()) expireSession(scene, waiting);
  }
  const isFollowed = await comes(
    scene,
    leaseMs(scene),
    () => now(scene).leaderEpoch > leaderEpoch && ![leader, waiting, null].includes(now(scene).leader),
    1,
  );
  await waits(scene, leaseMs(scene));
  network.mend(controller, leader);
  link.isCut = false;
  return isFollowed;
}

/**
 * What the controller says of a state arrives only when another epoch has begun: the states of a partition come in any
 * order (L6). The late word goes to everybody, and so does the new one.
 */
async function stateComesLate(scene: PatternScene): Promise<boolean> {
  const { world, leader, state } = scene;
  const { controller, network } = world;
  if (controller === null || state.replicas.length < 3) return false;
  prefer(scene, [leader, ...state.replicas.filter((node) => node !== leader).reverse()]);
  const { version } = now(scene);
  const isWritten = await comes(scene, 500, () => now(scene).version > version, 0.1);
  network.setMood(controller, { reorderedShare: 1, slownessMs: between(scene, 300, 1_500) });
  await waits(scene, between(scene, 1, 10));
  // What comes next is to overtake what is on its way.
  network.setMood(controller, null);
  if (!isWritten || !scene.isOn() || !world.node(leader).isUp) return false;
  world.fire(controller === leader ? 'sessionExpiry' : 'bounce', leader);
  const { leaderEpoch } = now(scene);
  const isOver = await comes(scene, 1_500, () => now(scene).leaderEpoch > leaderEpoch, 1);
  await waits(scene, 1_000);
  return isOver;
}

/**
 * The leader's host is put to sleep, and another leads when it wakes: by its monotonic clock hardly any time has passed
 * (4.3-9).
 */
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
  joinsToBeElected,
  reignsInWaiting,
  stateComesLate,
} as const satisfies Record<string, Pattern>;

/** Played when a member joins. */
export const LEASE_JOIN_PATTERN = { electedBeforeItsJoinIsKnown } as const satisfies Record<string, Pattern>;
