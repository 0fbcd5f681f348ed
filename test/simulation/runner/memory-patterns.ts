import type { NodeId } from '../../../src/model/numbers.ts';
import {
  between,
  comeBack,
  comes,
  expireSession,
  forgets,
  killed,
  mayForget,
  now,
  others,
  type Pattern,
  type PatternScene,
  parted,
  prefer,
  waits,
} from './pattern-scene.ts';

/** So many are tried until the one that is wanted reigns. */
const REIGNS_MAX = 6;

/**
 * The coordinator forgets that a follower left the ISR, and what was acknowledged without it is known to others alone
 * (R17). The stale one is back, and those others are either dead, or one is dead and one is leaving.
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
  const isForgotten = forgets(scene, () => now(scene).isr.includes(follower));
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
 * The same at the very instant of the shrink, before the other member has made its version durable: both who know die
 * of it. That other one has the longest log, and no room for the epoch in which it is to lead: the stale one is next
 * (R17).
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
  const isForgotten = forgets(scene, () => now(scene).isr.includes(follower));
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

/**
 * The coordinator forgets that another was elected, who leads by then and dies: the epoch is known to the nodes alone
 * (I1, R17).
 */
async function forgottenElection(scene: PatternScene): Promise<boolean> {
  const { leader } = scene;
  if (!mayForget(scene)) return false;
  killed(scene, [leader]);
  const isElected = await comes(scene, 1_500, () => ![leader, null].includes(now(scene).leader), 1);
  const next = now(scene).leader ?? leader;
  const isLed = isElected && (await comes(scene, 500, () => leads(scene, next), 1));
  await waits(scene, between(scene, 0, 100));
  if (isLed && scene.isOn()) {
    forgets(scene, () => isEpochForgotten(scene));
    killed(scene, [next]);
  }
  await waits(scene, between(scene, 20, 200));
  comeBack(scene, [leader, next]);
  await waits(scene, 500);
  return isLed;
}

/**
 * The controller elects itself, leads at once, and reaches none of those who are left; then it is dead, and the
 * coordinator forgets that it ever was elected. What it wrote has the epoch in which the next one leads (I1, R17).
 */
async function electedUnheard(scene: PatternScene): Promise<boolean> {
  const { world, random, leader, state } = scene;
  const { controller: next } = world;
  if (next === null || next === leader || !state.isr.includes(next) || !mayForget(scene)) return false;
  prefer(scene, [next]);
  const isFirst = await comes(scene, 300, () => now(scene).replicas[0] === next, 1);
  if (!isFirst || now(scene).leader !== leader) return false;
  const mend = parted(scene, [next], others(scene, next, leader));
  killed(scene, [leader]);
  const isLed = await comes(scene, 1_500, () => now(scene).leader === next && leads(scene, next), 1);
  await waits(scene, between(scene, 0, 400));
  const isForgotten = isLed && scene.isOn() && forgets(scene, () => isEpochForgotten(scene));
  killed(scene, [next]);
  mend();
  comeBack(scene, [leader]);
  await waits(scene, between(scene, 300, 1_500));
  comeBack(scene, [next]);
  await waits(scene, random.chance(0.5) ? 500 : 50);
  return isForgotten;
}

/**
 * The controller dies just when the leader has heard from it, and nobody else has, that a member is out; the
 * coordinator forgets it, and that member reigns. The other one has told it what it knew when it hears the rest from
 * the leader (R17).
 */
async function toldByTheLeaderAlone(beginning: PatternScene): Promise<boolean> {
  const scene = await reignOfSpare(beginning);
  if (scene === null) return false;
  const { world, leader, follower: stale, controller, third: told } = scene;
  const isMember = (): boolean => now(scene).isr.includes(stale);
  const mends = [parted(scene, [controller], [stale, told]), parted(scene, [leader], [stale])];
  const isOut = await comes(scene, 1_500, () => !isMember(), 0.2);
  // A session that saw it would not be served any more.
  world.node(stale).machine.link.isCut = true;
  const mendTold = parted(scene, [leader], [told]);
  const isKnown = isOut && (await comes(scene, 300, () => knowsWithout(scene, stale), 0.2));
  await waits(scene, between(scene, 1, 10));
  const isForgotten = isKnown && scene.isOn() && forgets(scene, isMember);
  world.node(stale).machine.link.isCut = false;
  const reigns = await isSucceeded(scene, isForgotten, stale);
  if (reigns) {
    await waits(scene, between(scene, 20, 300));
    if (scene.random.chance(0.6)) await wishesInVain(scene, told);
    await waits(scene, between(scene, 20, 300));
    mends.push(parted(scene, [told], [stale]));
    mendTold();
    const committed = committedBy(scene, leader);
    await comes(scene, 1_500, () => committedBy(scene, leader) > committed);
    if (scene.isOn()) killed(scene, [leader]);
    await waits(scene, between(scene, 1_000, 4_000));
  }
  mendTold();
  for (const mend of mends) mend();
  await waits(scene, between(scene, 100, 500));
  comeBack(scene, [leader, controller]);
  await waits(scene, 500);
  return reigns;
}

/**
 * What would be written in the present epoch, if the leader were asked for nothing first: as many versions as may have
 * been forgotten.
 */
async function wishesInVain(scene: PatternScene, other: NodeId): Promise<void> {
  const { leader } = scene;
  for (let count = 0; count < 4 && scene.isOn(); count += 1) {
    prefer(scene, count % 2 === 0 ? [other, leader] : [leader, other]);
    await waits(scene, between(scene, 20, 60));
  }
}

/**
 * Leader and follower go by a state that the coordinator has forgotten, and commit, while the new controller asks
 * everybody what they hold; the third replica, which counts for nothing by their state, catches up meanwhile, and is
 * heard late (R17).
 */
async function committedWhileCompared(beginning: PatternScene): Promise<boolean> {
  const scene = await reignOfSpare(beginning);
  if (scene === null) return false;
  const { world, leader, follower: stale, controller, third: next } = scene;
  const isMember = (): boolean => now(scene).isr.includes(stale);
  const mend = parted(scene, [leader, controller], [stale]);
  const isOut = await comes(scene, 1_500, () => !isMember(), 1);
  await waits(scene, between(scene, 20, 100));
  const isForgotten = isOut && scene.isOn() && forgets(scene, isMember);
  const reigns = await isSucceeded(scene, isForgotten, next);
  if (reigns) world.network.cut(stale, next);
  mend();
  if (reigns) {
    await waits(scene, between(scene, 50, 500));
    const mendAgain = parted(scene, [leader], [stale]);
    await waits(scene, between(scene, 0, 150));
    world.network.mend(stale, next);
    await waits(scene, between(scene, 500, 3_000));
    mendAgain();
  }
  comeBack(scene, [controller]);
  await waits(scene, 500);
  return reigns;
}

/** `controller` has no replica; the ISR is leader, follower and `third`. */
interface SpareScene extends PatternScene {
  readonly controller: NodeId;
  readonly third: NodeId;
}

async function reignOfSpare(beginning: PatternScene): Promise<SpareScene | null> {
  const [controller] = others(beginning, ...beginning.state.replicas);
  if (controller === undefined || !mayForget(beginning)) return null;
  const scene = await reignOf(beginning, controller);
  const third = scene?.state.isr.find((node) => node !== scene.leader && node !== scene.follower);
  return scene === null || third === undefined ? null : { ...scene, controller, third };
}

/** The controller dies, and this node alone hears of it soon enough to reign after it. */
async function isSucceeded(scene: SpareScene, isForgotten: boolean, next: NodeId): Promise<boolean> {
  const { world, controller, leader, follower, third } = scene;
  const late = [leader, follower, third].filter((node) => node !== next);
  const links = late.map((node) => world.node(node).machine.link);
  for (const link of links) link.isCut = true;
  if (isForgotten) {
    killed(scene, [controller]);
    expireSession(scene, controller);
  }
  const reigns = isForgotten && (await comes(scene, 1_000, () => world.controller === next, 1));
  for (const link of links) link.isCut = false;
  return reigns;
}

/** Controllers are started anew until it is this node that reigns; the scene as it is then. */
async function reignOf(scene: PatternScene, node: NodeId): Promise<PatternScene | null> {
  const { world, random } = scene;
  for (let count = 0; count < REIGNS_MAX && world.controller !== node; count += 1) {
    const { controller } = world;
    if (controller === null || !scene.isOn()) return null;
    killed(scene, [controller]);
    await waits(scene, between(scene, 10, 100));
    comeBack(scene, [controller]);
    const isOver = (): boolean => ![controller, null].includes(world.controller) && mayForget(scene);
    if (!(await comes(scene, 4_000, isOver))) return null;
  }
  const state = now(scene);
  const { leader, isr } = state;
  if (world.controller !== node || leader === null || isr.length < 2) return null;
  return { ...scene, state, leader, follower: random.pick(isr.filter((member) => member !== leader)) };
}

const committedBy = ({ world, state }: PatternScene, node: NodeId): number =>
  world.node(node).live?.cluster.replicas.replica(state.id)?.store?.committedOffset ?? 0;

/** The node has begun to lead. */
const leads = ({ world, state }: PatternScene, node: NodeId): boolean =>
  (world.node(node).live?.cluster.replicas.replica(state.id)?.leader ?? null) !== null;

const isEpochForgotten = (scene: PatternScene): boolean => now(scene).leaderEpoch <= scene.state.leaderEpoch;

/** Those that need a node without a replica to reign. */
export const SPARE_PATTERNS = { toldByTheLeaderAlone, committedWhileCompared } as const satisfies Record<
  string,
  Pattern
>;

/** Played one after the other, at any time. */
export const MEMORY_PATTERNS = {
  forgottenShrink,
  forgottenBeforeItIsEchoed,
  forgottenElection,
  electedUnheard,
  ...SPARE_PATTERNS,
} as const satisfies Record<string, Pattern>;
