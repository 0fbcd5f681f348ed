import type { ClusterMap, PartitionRoute } from '../../cluster/index.ts';
import { slotOf } from '../../cluster/index.ts';
import type { PartitionId } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { cursorOf, POSITIONS } from '../generic/scan.ts';
import type { CommandEntry } from '../table.ts';

/** What one partition has to do of a command: the whole of it, or that of some keys. */
export interface Part {
  readonly partition: PartitionId;
  /** Arguments that are keys of this partition; empty: the command names none. */
  readonly keys: readonly number[];
}

/** By partition, in the order in which the keys name them. Null: a slot belongs to nobody. */
export function partsByKey(entry: CommandEntry, context: CommandContext, map: ClusterMap): Part[] | null {
  const { args } = context;
  const { first, step } = entry.spec.keys;
  const last = entry.lastKey(args.count);
  const keys = new Map<PartitionId, number[]>();
  for (let index = first; index <= last; index += step) {
    const route = map.partitionOfSlot(slotOf(args.bytes, args.start(index), args.end(index)));
    if (route === null) return null;
    const known = keys.get(route.id);
    if (known === undefined) keys.set(route.id, [index]);
    else known.push(index);
  }
  return [...keys].map(([partition, indexes]) => ({ partition, keys: indexes }));
}

/** The partition that a SCAN goes on with; null: behind the last, or no cursor. */
export function partitionOfCursor(context: CommandContext, map: ClusterMap): PartitionRoute | null {
  const cursor = cursorOf(context.args.text(1));
  if (cursor === null) return null;
  const id = Math.floor(cursor / POSITIONS);
  return map.partitions.find((partition) => partition.id >= id) ?? null;
}

/** Where a SCAN goes on when it is done with a partition; 0: nowhere. */
export function cursorAfter(partition: PartitionId, map: ClusterMap): number {
  const next = map.partitions.find(({ id }) => id > partition);
  return next === undefined ? 0 : next.id * POSITIONS;
}
