import type { PartitionStore } from '../../storage/partition-store.ts';

/** What a follower's committed state can be asked: nothing above its high watermark. Not linearizable (KIP-392). */
export type StaleReads = Pick<PartitionStore, 'hash' | 'readCommitted' | 'loaded' | 'committedOffset'>;
