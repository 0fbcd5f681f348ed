import type { PartitionStats } from '../../cluster/index.ts';

type Countable = {
  [Name in keyof PartitionStats]: PartitionStats[Name] extends number ? Name : never;
}[keyof PartitionStats];

/** A figure of all partitions together. */
export function sum(partitions: readonly PartitionStats[], name: Countable): number {
  return partitions.reduce((total, stats) => total + stats[name], 0);
}
