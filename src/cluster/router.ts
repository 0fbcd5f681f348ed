import type { LeaderPartition } from '../replication/leader-partition.ts';

/** Finds the partition that owns a key. */
export interface Router {
  /** All partitions this node leads, in order of id. */
  readonly partitions: readonly LeaderPartition[];
  partitionOf(bytes: Uint8Array, start: number, end: number): LeaderPartition;
}
