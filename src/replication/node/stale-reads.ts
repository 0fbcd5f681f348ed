import type { PartitionStore } from '../../storage/partition-store.ts';

/**
 * What a follower's committed state can be asked: nothing above its high watermark. Not linearizable (KIP-392).
 * `readCommitted` false: wait for `loaded`, then ask for the reads again, since the replica may not be fit for them any
 * more.
 */
export type StaleReads = Pick<PartitionStore, 'hash' | 'readCommitted' | 'loaded' | 'committedOffset'>;
