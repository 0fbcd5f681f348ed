import type { NodeId } from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import type { World } from '../world/world.ts';

/** So many times at most, one write or a few each. */
const FORGETTING_MAX = 16;

export interface PatternScene {
  readonly world: World;
  readonly random: SeededRandom;
  /** As the pattern found it. */
  readonly state: PartitionState;
  readonly leader: NodeId;
  /** One of the ISR. */
  readonly follower: NodeId;
  /** R17. */
  readonly coordinatorMayForget: boolean;
  /** False: nothing more is to be hurt. */
  readonly isOn: () => boolean;
}

/** Plays to its end; false: it did not come to the point, since something else happened. */
export type Pattern = (scene: PatternScene) => Promise<boolean>;

export const waits = ({ world }: PatternScene, ms: number): Promise<void> =>
  new Promise((resolve) => {
    world.after(ms, resolve);
  });

export const between = ({ random }: PatternScene, min: number, max: number): number =>
  min + random.fraction() * (max - min);

export const now = ({ world, state }: PatternScene): PartitionState =>
  world.partitionState(state.id) ?? state;

/** False: it did not come true within `msMax`, or the pattern is to end. */
export async function comes(
  scene: PatternScene,
  msMax: number,
  condition: () => boolean,
  everyMs = 10,
): Promise<boolean> {
  const untilMs = scene.world.nowMs + msMax;
  while (scene.isOn() && scene.world.nowMs < untilMs) {
    if (condition()) return true;
    await waits(scene, everyMs);
  }
  return false;
}

/** Between every node of one group and every node of the other, in both directions; returns what takes it back. */
export function parted(
  { world: { network } }: PatternScene,
  left: readonly NodeId[],
  right: readonly NodeId[],
) {
  const links = left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const]));
  for (const [from, to] of links) network.cut(from, to);
  return (): void => {
    for (const [from, to] of links) network.mend(from, to);
  };
}

export const others = ({ world }: PatternScene, ...but: readonly NodeId[]): readonly NodeId[] =>
  world.nodes.map(({ id }) => id).filter((id) => !but.includes(id));

/** The coordinator may forget what it was told last (R17), and nothing is out of order. */
export function mayForget({ world, leader, coordinatorMayForget }: PatternScene): boolean {
  return coordinatorMayForget && world.mayFire('coordinatorLosesWrites', leader);
}

/** The last writes to the coordinator never were, as far back as it takes, or a little farther; false: not even so. */
export function forgets({ world, random, leader }: PatternScene, isForgotten: () => boolean): boolean {
  const countMax = random.chance(0.7) ? 1 : undefined;
  for (let count = 0; count < FORGETTING_MAX && !isForgotten(); count += 1)
    world.strike('coordinatorLosesWrites', leader, countMax);
  return isForgotten();
}

/** Ends the process, if there is one; `comeBack` starts it again. */
export function killed({ world }: PatternScene, nodes: readonly NodeId[]): void {
  for (const id of nodes) if (world.node(id).isUp) world.node(id).kill('keepAll');
}

export function comeBack({ world }: PatternScene, nodes: readonly NodeId[]): void {
  for (const id of nodes) world.node(id).machine.start();
}

/** The coordinator serves nobody for a while, and no session ends by it. */
export function coordinatorAway({ world }: PatternScene, ms: number): void {
  world.coordinator.isDown = true;
  world.after(ms, () => {
    world.coordinator.isDown = false;
  });
}

/** The coordinator holds it for dead; it may live on. */
export function expireSession({ world }: PatternScene, node: NodeId): void {
  const { session } = world.node(node).machine;
  if (session !== null) world.coordinator.expire(session);
}

/** Puts these replicas before the others: among equals the first is elected. */
export function prefer(scene: PatternScene, first: readonly NodeId[]): void {
  const { id: partition, replicas } = now(scene);
  const rest = replicas.filter((node) => !first.includes(node));
  scene.world.admin({ kind: 'reassign', partition, replicas: [...first, ...rest] });
}

/** An operator wants another than the present leader to lead. */
export async function moveAway(scene: PatternScene): Promise<void> {
  const { world, leader, state } = scene;
  const { id: partition, replicas } = state;
  if (replicas[0] === leader) {
    world.admin({ kind: 'reassign', partition, replicas: [...replicas.slice(1), leader] });
    await waits(scene, 100);
  }
  world.admin({ kind: 'electPreferred', partition });
}
