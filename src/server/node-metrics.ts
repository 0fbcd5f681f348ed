import type { LeaderPartition, PartitionStats } from '../cluster/index.ts';
import type { CommandCounters, ServerStats } from '../commands/ports.ts';
import type { Metrics, Sample } from '../env/metrics.ts';
import type { ConnectionRegistry } from '../network/connection-registry.ts';

/** What the metrics of a node are read from, at the moment of a scrape. */
export interface MetricsParts {
  readonly partitions: readonly LeaderPartition[];
  readonly registry: ConnectionRegistry;
  readonly counters: CommandCounters;
  readonly stats: ServerStats;
}

interface PartitionGauge {
  readonly name: string;
  readonly help: string;
  readonly read: (stats: PartitionStats) => number;
}

const PARTITION_GAUGES: readonly PartitionGauge[] = [
  { name: 'partition_leader_epoch', help: 'Leader epoch.', read: (stats) => stats.leaderEpoch },
  {
    name: 'partition_log_end_offset',
    help: 'Offset that the next record gets.',
    read: (stats) => stats.logEndOffset,
  },
  {
    name: 'partition_high_watermark',
    help: 'Every offset below it is committed.',
    read: (stats) => stats.highWatermark,
  },
  {
    name: 'partition_isr_size',
    help: 'Members of the in-sync replica set.',
    read: (stats) => stats.isr.length,
  },
  { name: 'partition_keys', help: 'Committed keys.', read: (stats) => stats.keyCount },
  {
    name: 'partition_fenced',
    help: '1 if the partition takes no writes before a restart.',
    read: (stats) => (stats.fencedReason === '' ? 0 : 1),
  },
  { name: 'partition_segments', help: 'Segment files.', read: (stats) => stats.segmentCount },
  {
    name: 'partition_segment_bytes',
    help: 'Bytes of all segment files.',
    read: (stats) => stats.segmentBytes,
  },
  {
    name: 'partition_dead_bytes',
    help: 'Bytes that merges would give back.',
    read: (stats) => stats.deadBytes,
  },
  {
    name: 'partition_keydir_bytes',
    help: 'Memory of the key directory.',
    read: (stats) => stats.keydirBytes,
  },
  {
    name: 'partition_unflushed_bytes',
    help: 'Appended, not yet on disk.',
    read: (stats) => stats.unflushedBytes,
  },
  {
    name: 'partition_expire_lag_seconds',
    help: 'How late the last sweep of due keys was.',
    read: (stats) => stats.expiryLagMs / 1000,
  },
];

/** Registers everything that `GET /metrics` shows. Nothing is kept: each scrape reads what the node knows anyway. */
export function registerNodeMetrics(metrics: Metrics, parts: MetricsParts): void {
  for (const { name, help, read } of PARTITION_GAUGES) {
    const collect = (): Sample[] => samples(parts, read);
    metrics.gauge({ name, help, labelNames: ['partition'], collect });
  }
  registerPartitionCounters(metrics, parts);
  registerProcess(metrics, parts);
}

function registerPartitionCounters(metrics: Metrics, parts: MetricsParts): void {
  const counters: readonly PartitionGauge[] = [
    { name: 'flushes_total', help: 'Batches written and synced.', read: (stats) => stats.flushes },
    { name: 'merges_total', help: 'Merges done.', read: (stats) => stats.merges },
    {
      name: 'expired_keys_total',
      help: 'Tombstones written for due keys.',
      read: (stats) => stats.expiredKeys,
    },
  ];
  for (const { name, help, read } of counters) {
    metrics.counter({ name, help, labelNames: ['partition'], collect: () => samples(parts, read) });
  }
}

function registerProcess(metrics: Metrics, { registry, counters, stats, partitions }: MetricsParts): void {
  const first = (): PartitionStats | undefined => partitions[0]?.stats();
  metrics.counter({
    name: 'commands_processed_total',
    help: 'Commands run.',
    collect: () => counters.commandsProcessed,
  });
  metrics.counter({
    name: 'error_replies_total',
    help: 'Error replies.',
    collect: () => counters.errorReplies,
  });
  metrics.counter({
    name: 'connections_received_total',
    help: 'Connections accepted.',
    collect: () => registry.connectionsReceived,
  });
  metrics.counter({
    name: 'connections_rejected_total',
    help: 'Connections refused.',
    collect: () => registry.connectionsRejected,
  });
  metrics.counter({
    name: 'net_input_bytes_total',
    help: 'Bytes received from clients.',
    collect: () => registry.netInputBytes,
  });
  metrics.counter({
    name: 'net_output_bytes_total',
    help: 'Bytes sent to clients.',
    collect: () => registry.netOutputBytes,
  });
  metrics.counter({
    name: 'cache_hits_total',
    help: 'Values found in memory.',
    collect: () => first()?.cacheHits ?? 0,
  });
  metrics.counter({
    name: 'cache_misses_total',
    help: 'Blocks read from disk for a value.',
    collect: () => first()?.cacheMisses ?? 0,
  });
  metrics.gauge({
    name: 'cache_bytes',
    help: 'Memory of the block cache.',
    collect: () => first()?.cacheBytes ?? 0,
  });
  metrics.gauge({
    name: 'connected_clients',
    help: 'Connections now.',
    collect: () => registry.connectedClients,
  });
  metrics.gauge({
    name: 'memory_resident_bytes',
    help: 'Resident memory.',
    collect: () => stats.memory().rssBytes,
  });
  metrics.gauge({
    name: 'event_loop_lag_seconds',
    help: 'Largest delay of the event loop in the last seconds.',
    collect: () => stats.loopLagMs() / 1000,
  });
}

function samples({ partitions }: MetricsParts, read: (stats: PartitionStats) => number): Sample[] {
  return partitions.map((partition) => ({
    labels: { partition: String(partition.id) },
    value: read(partition.stats()),
  }));
}
