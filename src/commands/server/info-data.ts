import type { PartitionStats } from '../../cluster/index.ts';
import { LIMITS } from '../../model/limits.ts';
import { asDatabaseId } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { sum } from './info-sum.ts';
import { type InfoField, ratio } from './info-text.ts';

/** Sections about the data on disk. */
export function persistenceFields(
  { server: { stats } }: CommandContext,
  partitions: readonly PartitionStats[],
): InfoField[] {
  const isSick = partitions.some(({ fencedReason }) => fencedReason !== '');
  return [
    ['loading', 0],
    ['async_loading', 0],
    ['rdb_changes_since_last_save', 0],
    ['rdb_bgsave_in_progress', 0],
    ['rdb_last_save_time', Math.floor(stats.startedAtWallMs / 1000)],
    ['rdb_last_bgsave_status', 'ok'],
    ['rdb_last_bgsave_time_sec', -1],
    ['rdb_current_bgsave_time_sec', -1],
    ['rdb_last_cow_size', 0],
    ['aof_enabled', 1],
    ['aof_rewrite_in_progress', 0],
    ['aof_rewrite_scheduled', 0],
    ['aof_last_rewrite_time_sec', -1],
    ['aof_current_rewrite_time_sec', -1],
    ['aof_last_bgrewrite_status', 'ok'],
    ['aof_last_write_status', isSick ? 'err' : 'ok'],
    ['aof_last_cow_size', 0],
    ['aof_current_size', sum(partitions, 'segmentBytes')],
    ['aof_buffer_length', sum(partitions, 'unflushedBytes')],
  ];
}

export function keyspaceFields({ router }: CommandContext): InfoField[] {
  const fields: InfoField[] = [];
  for (let number = 0; number < LIMITS.databasesMax; number += 1) {
    const database = asDatabaseId(number);
    let keys = 0;
    let expires = 0;
    for (const partition of router.partitions) {
      keys += partition.keyCount(database);
      expires += partition.expiringKeyCount(database);
    }
    if (keys > 0) fields.push([`db${number}`, `keys=${keys},expires=${expires},avg_ttl=0`]);
  }
  return fields;
}

export function storageFields(
  { server: { stats } }: CommandContext,
  partitions: readonly PartitionStats[],
): InfoField[] {
  const hits = sum(partitions, 'cacheHits');
  const misses = sum(partitions, 'cacheMisses');
  const segmentBytes = sum(partitions, 'segmentBytes');
  const deadBytes = sum(partitions, 'deadBytes');
  return [
    ['engine', stats.engine],
    ['data_directory', stats.dataDirectory],
    ['flush_mode', stats.flushMode],
    ['cache_hits', hits],
    ['cache_misses', misses],
    ['cache_hit_rate', ratio(hits, hits + misses)],
    ['cache_bytes', sum(partitions, 'cacheBytes')],
    ['keydir_bytes', sum(partitions, 'keydirBytes')],
    ['segments', sum(partitions, 'segmentCount')],
    ['segment_bytes', segmentBytes],
    ['dead_bytes', deadBytes],
    ['dead_ratio', ratio(deadBytes, segmentBytes)],
    ['merges', sum(partitions, 'merges')],
    ['flushes', sum(partitions, 'flushes')],
    ['unflushed_bytes', sum(partitions, 'unflushedBytes')],
    ['expiry_lag_ms', Math.max(0, ...partitions.map(({ expiryLagMs }) => expiryLagMs))],
    ['event_loop_lag_ms', Math.round(stats.loopLagMs())],
    ['recovery_ms', Math.round(stats.recoveryMs)],
    ['fenced_partitions', partitions.filter(({ fencedReason }) => fencedReason !== '').length],
  ];
}
