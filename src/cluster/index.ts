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
export type { StaleReads } from '../replication/node/stale-reads.ts';
export { ReadArrivals } from '../replication/read-arrivals.ts';
export {
  AddressName,
  ClusterMap,
  hostPort,
  type MapSource,
  type NodeRoute,
  nodeName,
  type PartitionRoute,
} from './cluster-map.ts';
export { ClusterRouter } from './cluster-router.ts';
export { FollowerPartition } from './follower-partition.ts';
export {
  type ForwardAnswer,
  type ForwardedCommand,
  isOfChangingLeader,
} from './forward/forwarded-command.ts';
export type { ForwardError, ForwardedClient, ForwardReply, ForwardRequest } from './forward/messages.ts';
export type { ForwardService, ForwardStream } from './forward/ports.ts';
export { MovedError } from './moved-error.ts';
export { NO_PARTITION } from './no-partition.ts';
export type { Router } from './router.ts';
export { slotOf } from './slots.ts';
