import type { NodeId, PartitionId } from '../model/numbers.ts';

/** Where things lie under the chroot (PROTOCOL 0.2). */
export const CLUSTER_PATH = '/cluster';
export const NODES_PATH = '/nodes';
export const CONTROLLER_PATH = '/controller';
export const CONTROLLER_EPOCH_PATH = '/controller_epoch';
export const PARTITIONS_PATH = '/partitions';

export const nodePath = (node: NodeId): string => `${NODES_PATH}/${node}`;
export const partitionPath = (partition: PartitionId): string => `${PARTITIONS_PATH}/${partition}`;
