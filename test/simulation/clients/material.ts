import type { SeededRandom } from '../../support/seeded-random.ts';

/** What the keys and values of a run are made of. */
export interface MaterialOptions {
  /** Share of values that are longer than a few letters. */
  readonly longShare: number;
  /** Longest value but the largest ones, in characters. */
  readonly valueLengthMax: number;
  /** Share of the long ones that are larger than `LIMITS.largeValueBytes`. */
  readonly largeShare: number;
  /** Weight of groups of keys that are written and deleted together, against 100 of all else. */
  readonly groupWeight: number;
}

const LARGE_LENGTH_MIN = 65 * 1024;
const LARGE_LENGTH_SPREAD = 60 * 1024;
const EMPTY_SHARE = 0.004;
/** Lengths of names: short ones, those whose length takes more than a byte, and those that no list of freed entries takes. */
const NAME_LENGTHS = [0, 0, 0, 40, 130, 260, 900];

const FEW_LETTERS: MaterialOptions = {
  longShare: 0.01,
  valueLengthMax: 2_000,
  largeShare: 0,
  groupWeight: 2,
};
const MATERIALS: readonly MaterialOptions[] = [
  FEW_LETTERS,
  { ...FEW_LETTERS, groupWeight: 25 },
  { longShare: 0.05, valueLengthMax: 40_000, largeShare: 0.05, groupWeight: 2 },
];

export const materialOf = (seed: number): MaterialOptions =>
  MATERIALS[Math.floor(seed / 2) % MATERIALS.length] ?? FEW_LETTERS;

/** A value nobody else writes, but for the empty one: of few letters, or filled up to a length of chance. */
export function newValue(name: string, random: SeededRandom, options: MaterialOptions): string {
  const { longShare, valueLengthMax, largeShare } = options;
  if (random.chance(EMPTY_SHARE)) return '';
  if (!random.chance(longShare)) return name;
  const length = random.chance(largeShare)
    ? LARGE_LENGTH_MIN + random.below(LARGE_LENGTH_SPREAD)
    : Math.floor(random.fraction() ** 2 * valueLengthMax);
  return name.padEnd(length, '.');
}

/** Names of a group's keys: always the same for the same number. */
export function groupKeys(prefix: string, index: number, count: number): readonly string[] {
  const length = NAME_LENGTHS[index % NAME_LENGTHS.length] ?? 0;
  return Array.from({ length: count }, (_, member) => `${prefix}${index}.${member}`.padEnd(length, '-'));
}
