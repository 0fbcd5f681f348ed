/** What the layers above may know of partitions: the router, and the leader's face of a partition. */
export {
  type Admission,
  type CommitListener,
  EntryView,
  KeyView,
  type LeaderPartition,
  type NumberedCommand,
  type PartitionStats,
  ReadOutcome,
  type ScannedKey,
  TombstoneReason,
} from '../replication/leader-partition.ts';
export { ReadArrivals } from '../replication/read-arrivals.ts';
export {
  AddressName,
  ClusterMap,
  type HostPort,
  type MapSource,
  type NodeRoute,
  type PartitionRoute,
} from './cluster-map.ts';
export { ClusterRouter } from './cluster-router.ts';
export { NO_PARTITION } from './no-partition.ts';
export type { Router } from './router.ts';
export { slotOf } from './slots.ts';
