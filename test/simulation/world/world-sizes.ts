import { LIMITS } from '../../../src/model/limits.ts';
import type { JournalSettings } from '../../../src/storage/journal/journal.ts';
import type { KeydirSizes } from '../../../src/storage/keydir/keydir.ts';
import { LOG_MEMORY, type LogMemory } from '../../../src/storage/log-memory.ts';
import { SeededRandom } from '../../support/seeded-random.ts';

/** How much the parts of a node hold: what is rare in one size is common in another. Bytes. */
export interface WorldSizes {
  readonly segmentBytesMax: number;
  readonly cacheBytesMax: number;
  readonly fetchBytesMax: number;
  readonly journal: JournalSettings;
  readonly keydir: KeydirSizes;
  readonly memory: LogMemory;
}

const KiB = 1024;
/** A slab holds the longest key; the others are so small that a few dozen keys make them grow, shrink and compact. */
const KEYDIR: KeydirSizes = { subTableBits: 2, slotsPerPage: 4, arenaSlabBytes: 4 * KiB };

/** Small segments: rolls, hints and merges happen all the time. */
export const WORLD_SIZES: WorldSizes = {
  segmentBytesMax: 16 * KiB,
  cacheBytesMax: 64 * KiB,
  fetchBytesMax: 32 * KiB,
  journal: { lapBytes: 64 * KiB, filesMin: 2 },
  keydir: KEYDIR,
  memory: LOG_MEMORY,
};

const SEGMENTS = [LIMITS.segmentBytesMin, 16 * KiB, 16 * KiB, 64 * KiB];
/** So little that a follower that is behind must read back what it commits, and takes turns for it. */
const MEMORIES = [LOG_MEMORY, LOG_MEMORY, { pendingBytesMax: 2 * KiB, commitBytesPerTurnMax: 1 * KiB }];
/** The smallest holds one block. */
const CACHES = [0, 64 * KiB, 4096 * KiB];
const FETCHES = [1 * KiB, 32 * KiB, 32 * KiB, 512 * KiB];

/** Bytes of a lap; the smallest has room for a few frames. Mostly every sync goes through the journal, not only those that come together. */
const LAPS = [16 * KiB, 64 * KiB, 1024 * KiB];

/** The sizes of a seed. */
export function sizesOf(seed: number): WorldSizes {
  const random = new SeededRandom(seed ^ 0x512e5);
  return {
    segmentBytesMax: random.pick(SEGMENTS),
    cacheBytesMax: random.pick(CACHES),
    fetchBytesMax: random.pick(FETCHES),
    journal: { lapBytes: random.pick(LAPS), filesMin: random.pick([1, 1, 2]) },
    keydir: KEYDIR,
    memory: random.pick(MEMORIES),
  };
}
