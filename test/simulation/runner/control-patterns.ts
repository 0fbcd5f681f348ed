import type { NodeId } from '../../../src/model/numbers.ts';
import {
  between,
  comeBack,
  comes,
  killed,
  moveAway,
  now,
  others,
  type Pattern,
  type PatternScene,
  parted,
  waits,
} from './pattern-scene.ts';

/** Each node is given so long to leave, and the cluster to be well again: longer than most faults last. */
const RESTART_MS_MAX = 6_000;
/** A segment with less in it has no record yet. */
const SEGMENT_BEGIN_BYTES = 200;

/**
 * The last word of a controller to the coordinator takes long: its process is gone, and another reigns, when it arrives
 * (W8, KAFKA-6082).
 */
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
  network.repeat(leader, controller, 'control', between(scene, 640, 1_000));
  const isIn = await comes(scene, 1_500, isMember, 0.5);
  network.repeat(leader, controller, 'control', null);
  const mendAgain = parted(scene, [leader], [follower]);
  const isOutAgain = isIn && (await comes(scene, 1_500, () => !isMember(), 1));
  await waits(scene, between(scene, 100, 500));
  mendAgain();
  return isOutAgain;
}

/**
 * An operator moves the leadership, or stops the node: who has handed over does not hear any more that another leads,
 * and still hears its followers (L9). Who was to stop is in the ISR no more; with another leader nothing is committed
 * without it until it has left.
 */
async function handedOverAndCutOff(scene: PatternScene): Promise<boolean> {
  const { world, random, leader } = scene;
  const { controller } = world;
  if (controller === null || controller === leader) return false;
  if (random.chance(0.6)) world.fire('shutdown', leader);
  else await moveAway(scene);
  const isOver = await comes(scene, 2_500, () => now(scene).leader !== leader, 0.1);
  const { link } = world.node(leader).machine;
  if (isOver) {
    link.isCut = true;
    world.network.cut(controller, leader);
    await waits(scene, between(scene, 600, 1_500));
    link.isCut = false;
    world.network.mend(controller, leader);
  }
  return isOver;
}

/**
 * An operator raises min.insync to the whole ISR; a member leaves, and is eligible; sometimes min.insync is lowered
 * again before it is back (R2).
 */
async function minInsyncRaised(scene: PatternScene): Promise<boolean> {
  const { world, random, follower, state } = scene;
  const { minInsync } = world.options;
  if (world.controller === follower || state.isr.length !== state.replicas.length) return false;
  const isRaised = await becomesMinInsync(scene, state.isr.length);
  if (isRaised) await waits(scene, between(scene, 20, 300));
  const mend = parted(scene, [follower], others(scene, follower));
  const isOut = isRaised && (await comes(scene, 1_500, () => !now(scene).isr.includes(follower), 1));
  await waits(scene, between(scene, 50, 600));
  if (random.chance(0.5)) mend();
  const isLowered = await becomesMinInsync(scene, minInsync);
  await waits(scene, between(scene, 50, 300));
  mend();
  // Who was told and died before it was written has forgotten it.
  if (!isLowered) world.admin({ kind: 'setMinInsync', minInsync });
  return isOut && isLowered;
}

/** An operator asks until it is so. */
async function becomesMinInsync(scene: PatternScene, minInsync: number): Promise<boolean> {
  const { world, state } = scene;
  for (let count = 0; count < 10 && scene.isOn(); count += 1) {
    world.admin({ kind: 'setMinInsync', minInsync });
    if (await comes(scene, 200, () => world.partitionState(state.id)?.minInsync === minInsync, 2))
      return true;
  }
  return false;
}

/**
 * Two followers die, of which the newest records of one rot: the leader is alone in the ISR when it comes back. Then
 * the leader dies as well (KIP-966, R6).
 */
async function rottenInTheElr(scene: PatternScene): Promise<boolean> {
  const { world, leader, follower, state } = scene;
  const rest = state.isr.filter((node) => node !== leader && node !== follower);
  const rots = await diesWithRot(scene, follower);
  if (!rots) return false;
  killed(scene, rest);
  const isAlone = await comes(scene, 2_500, () => now(scene).isr.join() === String(leader), 1);
  comeBack(scene, [follower]);
  await comes(scene, 500, () => world.node(follower).live !== null, 1);
  await waits(scene, between(scene, 0, 60));
  if (isAlone && scene.isOn()) killed(scene, [leader]);
  await waits(scene, between(scene, 400, 1_500));
  comeBack(scene, [leader, ...rest]);
  return isAlone;
}

/**
 * A follower that has just begun to follow loses its power, and with it what it has not synced; what it was answered
 * comes once more when its next life asks for the second time (KIP-380). The controller cannot write down meanwhile
 * that it is back.
 */
async function answeredInAnotherLife(scene: PatternScene): Promise<boolean> {
  const { world, leader, state } = scene;
  const { controller, network } = world;
  const follower = state.isr.find((node) => node !== leader && node !== controller);
  if (controller === null || controller === leader || follower === undefined) return false;
  const { machine } = world.node(follower);
  const { link } = world.node(controller).machine;
  killed(scene, [follower]);
  await waits(scene, between(scene, 10, 60));
  comeBack(scene, [follower]);
  const replicaOf = (node: NodeId) => world.node(node).live?.cluster.replicas.replica(state.id);
  const replica = () => replicaOf(follower);
  const sealedBy = (node: NodeId): number => replicaOf(node)?.store?.sealedOffset ?? 0;
  if (!(await comes(scene, 1_000, () => (replica()?.follower ?? null) !== null, 0.5))) return false;
  machine.disk.isSlow = true;
  network.repeat(leader, follower, 'tail', between(scene, 240, 310));
  // The first answer is being written, and there is something for the second.
  const isAsking = await comes(scene, 200, () => (replica()?.follower?.nextFetchId ?? 0) > 2, 0.2);
  const endOffset = sealedBy(leader);
  const isAnswered = isAsking && (await comes(scene, 90, () => sealedBy(leader) > endOffset, 0.2));
  await waits(scene, between(scene, 0.5, 3));
  network.repeat(leader, follower, 'tail', null);
  machine.disk.isSlow = false;
  if (!isAnswered || !world.node(follower).isUp) return false;
  world.node(follower).kill('loseAll');
  link.isCut = true;
  // Its questions are heard.
  network.cut(leader, follower);
  comeBack(scene, [follower]);
  await waits(scene, between(scene, 185, 240));
  network.mend(leader, follower);
  await waits(scene, 100);
  link.isCut = false;
  return true;
}

/** An operator restarts every node in turn, each when the one before is back in everything. */
async function rollingRestart(scene: PatternScene): Promise<boolean> {
  const { world } = scene;
  for (const { id, machine } of world.nodes) {
    const isCalm = await comes(scene, RESTART_MS_MAX, () => world.isStable());
    if (!isCalm || !scene.isOn()) return false;
    machine.shutDown();
    const isDown = await comes(scene, RESTART_MS_MAX, () => machine.running === null);
    if (!isDown) killed(scene, [id]);
    comeBack(scene, [id]);
  }
  return comes(scene, RESTART_MS_MAX, () => world.isStable());
}

/** It is killed, and the last bytes that it wrote of the partition change. False: not now, or there is nothing to rot. */
async function diesWithRot(scene: PatternScene, node: NodeId): Promise<boolean> {
  const { world, random, state } = scene;
  const { machine, live } = world.node(node);
  const directory = live?.cluster.replicas.replica(state.id)?.store?.directory;
  // Kills it, and counts as the fault that it is: no other copy is hurt meanwhile.
  if (directory === undefined || !scene.isOn() || !world.fire('segmentDamage', node)) return false;
  const disk = machine.disk.faulty;
  if (disk.isCrashed) disk.restart();
  const names = (await disk.fileSystem.list(directory)).filter((name) => name.endsWith('.log')).sort();
  const path = `${directory}/${names.at(-1)}`;
  const last = disk.contentOf(path)?.findLastIndex((byte) => byte !== 0) ?? -1;
  if (last < SEGMENT_BEGIN_BYTES) return true;
  disk.flipBit(path, last - random.below(8), random.below(8));
  world.events.note(`n${node}`, `rots: the last bytes of ${path}`);
  return true;
}

/** What is said between leaders, controller and coordinator comes late, or twice, or of a time that is over. */
export const CONTROL_PATTERNS = {
  lastWordOfAController,
  joinComesOnceMore,
  handedOverAndCutOff,
  minInsyncRaised,
  rottenInTheElr,
  answeredInAnotherLife,
  rollingRestart,
} as const satisfies Record<string, Pattern>;
