import type { LeaderPartition, PartitionStats } from '../cluster/index.ts';
import type { CommandCounters, ServerStats } from '../commands/ports.ts';
import type { Metrics, Sample } from '../env/metrics.ts';
import type { ConnectionRegistry } from '../network/connection-registry.ts';

/** What the metrics of a node are read from, at the moment of a scrape. */
export interface MetricsParts {
  /** Its partitions are those that the node leads now. */
  readonly router: { readonly partitions: readonly LeaderPartition[] };
  /** The node that holds them. */
  readonly store: {
    readonly scrubStats: { readonly rotFound: number; readonly rounds: number };
    /** Absent of a node alone, which has none; null where there is no disk. */
    readonly journal?: { readonly counts: { readonly journaled: number; readonly frames: number } } | null;
  };
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
  {
    name: 'partition_lease_remaining_seconds',
    help: 'How long reads may still be answered without asking anybody; infinite where nobody else can be elected.',
    read: (stats) => stats.reads.leaseRemainingMs / 1000,
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
    {
      name: 'reads_by_lease_total',
      help: 'Reads confirmed by the lease.',
      read: (stats) => stats.reads.byLease,
    },
    {
      name: 'reads_by_index_total',
      help: 'Reads confirmed by a round of stamps.',
      read: (stats) => stats.reads.byReadIndex,
    },
    {
      name: 'reads_by_version_check_total',
      help: 'Reads confirmed by the coordinator.',
      read: (stats) => stats.reads.byVersionCheck,
    },
    {
      name: 'reads_refused_total',
      help: 'Times that a read was refused because nobody confirmed it.',
      read: (stats) => stats.reads.refused,
    },
  ];
  for (const { name, help, read } of counters) {
    metrics.counter({ name, help, labelNames: ['partition'], collect: () => samples(parts, read) });
  }
}

interface ProcessMetric {
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly read: (parts: MetricsParts) => number;
}

/** The cache belongs to the node: each partition's numbers about it are the same. */
const ofCache =
  (read: (stats: PartitionStats) => number) =>
  ({ router }: MetricsParts): number => {
    const stats = router.partitions[0]?.stats();
    return stats === undefined ? 0 : read(stats);
  };

const counter = (name: string, help: string, read: ProcessMetric['read']): ProcessMetric => ({
  kind: 'counter',
  name: `${name}_total`,
  help,
  read,
});
const gauge = (name: string, help: string, read: ProcessMetric['read']): ProcessMetric => ({
  kind: 'gauge',
  name,
  help,
  read,
});

const PROCESS_METRICS: readonly ProcessMetric[] = [
  counter('commands_processed', 'Commands run.', ({ counters }) => counters.commandsProcessed),
  counter('error_replies', 'Error replies.', ({ counters }) => counters.errorReplies),
  counter('connections_received', 'Connections accepted.', ({ registry }) => registry.connectionsReceived),
  counter('connections_rejected', 'Connections refused.', ({ registry }) => registry.connectionsRejected),
  counter('net_input_bytes', 'Bytes received from clients.', ({ registry }) => registry.netInputBytes),
  counter('net_output_bytes', 'Bytes sent to clients.', ({ registry }) => registry.netOutputBytes),
  counter(
    'rotten_records',
    'Times that a committed record could not be read.',
    ({ store }) => store.scrubStats.rotFound,
  ),
  counter(
    'scrub_rounds',
    'Times that everything committed was read again.',
    ({ store }) => store.scrubStats.rounds,
  ),
  counter(
    'journal_frames',
    'Frames written to the journal of the node.',
    ({ store }) => store.journal?.counts.frames ?? 0,
  ),
  counter(
    'journal_syncs',
    'Syncs of logs that these frames did.',
    ({ store }) => store.journal?.counts.journaled ?? 0,
  ),
  counter(
    'cache_hits',
    'Values found in memory.',
    ofCache((stats) => stats.cacheHits),
  ),
  counter(
    'cache_misses',
    'Blocks read from disk for a value.',
    ofCache((stats) => stats.cacheMisses),
  ),
  gauge(
    'cache_bytes',
    'Memory of the block cache.',
    ofCache((stats) => stats.cacheBytes),
  ),
  gauge('connected_clients', 'Connections now.', ({ registry }) => registry.connectedClients),
  gauge('memory_resident_bytes', 'Resident memory.', ({ stats }) => stats.memory().rssBytes),
  gauge(
    'event_loop_lag_seconds',
    'Largest delay of the event loop in the last seconds.',
    ({ stats }) => stats.loopLagMs() / 1000,
  ),
];

function registerProcess(metrics: Metrics, parts: MetricsParts): void {
  for (const { kind, name, help, read } of PROCESS_METRICS) {
    metrics[kind]({ name, help, collect: () => read(parts) });
  }
}

function samples({ router }: MetricsParts, read: (stats: PartitionStats) => number): Sample[] {
  return router.partitions.map((partition) => ({
    labels: { partition: String(partition.id) },
    value: read(partition.stats()),
  }));
}
