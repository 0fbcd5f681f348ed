import { basename, dirname } from 'node:path';
import { endOfData } from '../../../src/storage/format/integers.ts';
import { SEGMENT_HEADER_BYTES } from '../../../src/storage/format/segment-header.ts';
import { pathsIn } from './disk-faults.ts';
import type { FaultScene } from './faults.ts';

const DOWN_MS_MAX = 1_500;
/** From the end of the data: mostly within the last batch. */
const TAIL_BYTES = 60;

/**
 * While the node is down the newest of what it wrote of a partition rots: it may have been acknowledged, and nothing
 * behind it says so (R19).
 */
export function tailDamage({ center, machine, random, after }: FaultScene): number {
  machine.kill('keepAll');
  const disk = machine.disk.faulty;
  if (disk.isCrashed) disk.restart();
  void pathsIn(disk, /\.log$/).then((paths) => {
    const newest = newestOfEach(paths);
    if (newest.length === 0) return;
    const path = random.pick(newest);
    const position = endOfData(Buffer.from(disk.contentOf(path) ?? [])) - 1 - random.below(TAIL_BYTES);
    if (position < SEGMENT_HEADER_BYTES) return;
    disk.flipBit(path, position, random.below(8));
    center.events.note(`n${machine.id}`, `the tail of ${path} rots at ${position}`);
  });
  const ms = random.fraction() ** 2 * DOWN_MS_MAX;
  after(ms, () => machine.start());
  return ms;
}

/** The last segment of each directory: names begin with the base offset. */
function newestOfEach(paths: readonly string[]): readonly string[] {
  const newest = new Map<string, string>();
  for (const path of paths) {
    const directory = dirname(path);
    const known = newest.get(directory);
    if (known === undefined || basename(path) > basename(known)) newest.set(directory, path);
  }
  return [...newest.values()];
}
