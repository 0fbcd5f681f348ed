import type { LeaderPartition } from '../replication/leader-partition.ts';
import type { ReadArrivals } from '../replication/read-arrivals.ts';

/** Finds the partition that owns a key. */
export interface Router {
  /** All partitions this node leads, in order of id. */
  readonly partitions: readonly LeaderPartition[];
  /** Of this node: one object, whatever listener a command came by. */
  readonly arrivals: ReadArrivals;
  partitionOf(bytes: Uint8Array, start: number, end: number): LeaderPartition;
}
