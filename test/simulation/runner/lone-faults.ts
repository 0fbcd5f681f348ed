import type { SeededRandom } from '../../support/seeded-random.ts';
import type { FaultKind } from '../world/fault.ts';
import type { World } from '../world/world.ts';

/** What happens to a disk is told from other faults best when it happens alone: nobody's death hides that it went unnoticed. */
const KINDS: readonly FaultKind[] = [
  'documentDamage',
  'documentDamage',
  'documentDamage',
  'segmentDamage',
  'hintDamage',
  'diskError',
  'diskFull',
  'crashAtWrite',
  'wipe',
];
const COUNT = 3;
const EFFECT_MS = 600;

const DESTRUCTIVE: readonly FaultKind[] = ['wipe', 'bitRot', 'segmentDamage'];

/**
 * Strikes the disk of one machine in a quiet cluster, a few times; one that was hurt before, so that all other copies
 * are whole. False: it was not stable again within `healMsMax` after one of them.
 */
export async function strikeAlone(world: World, random: SeededRandom, healMsMax: number): Promise<boolean> {
  const hurt = world.faults.findLast(({ kind }) => DESTRUCTIVE.includes(kind));
  const target = hurt?.target ?? random.pick(world.nodes).id;
  for (let count = 0; count < COUNT; count += 1) {
    if (!world.fire(random.pick(KINDS), target)) continue;
    await world.run(EFFECT_MS);
    if (!(await world.quiesce(healMsMax))) return false;
  }
  return true;
}
