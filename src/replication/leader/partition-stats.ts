import type { EpochMillis, MonotonicMillis, Offset } from '../../model/numbers.ts';
import type { BlockCache } from '../../storage/block-cache.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { PartitionStats } from '../leader-partition.ts';
import type { LeaderCore } from './leader-core.ts';
import type { OwnStat } from './partition.ts';
import type { ReadGate } from './read-gate.ts';

export interface StatsSource {
  readonly store: PartitionStore;
  readonly cache: BlockCache;
  readonly core: LeaderCore;
  readonly readGate: ReadGate;
  readonly nowMs: MonotonicMillis;
  readonly wallMs: EpochMillis;
  readonly highWatermark: Offset;
  readonly merges: number;
  readonly flushes: number;
  readonly fencedReason: string;
}

/** What a leader's parts count, put together. */
export function partitionStats(source: StatsSource): Omit<PartitionStats, OwnStat> {
  const { store, cache, core, readGate } = source;
  const { log, index } = store;
  return {
    leaderEpoch: core.view.leaderEpoch,
    logStartOffset: store.logStartOffset,
    logEndOffset: store.logEndOffset,
    highWatermark: source.highWatermark,
    isr: core.isr,
    keyCount: index.keydirs.reduce((sum, keydir) => sum + (keydir?.size ?? 0), 0),
    segmentCount: log.segments.length,
    segmentBytes: log.bytes,
    deadBytes: log.deadBytes,
    cacheHits: cache.hits,
    cacheMisses: cache.misses,
    cacheBytes: cache.bytes,
    keydirBytes: index.memoryBytes,
    merges: source.merges,
    flushes: source.flushes,
    unflushedBytes: store.unflushedBytes,
    fencedReason: source.fencedReason,
    reads: {
      byLease: readGate.byLease,
      byReadIndex: readGate.byReadIndex,
      byVersionCheck: readGate.byVersionCheck,
      refused: readGate.refused,
      leaseRemainingMs: core.leaseValid(source.nowMs, source.wallMs) ? core.leaseUntilMs - source.nowMs : 0,
    },
  };
}
