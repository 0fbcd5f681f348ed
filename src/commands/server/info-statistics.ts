import type { PartitionStats } from '../../cluster/index.ts';
import type { CommandContext } from '../context.ts';
import type { InfoField } from './info-text.ts';

/** Sections that count what was done. */
export function statsFields(
  { clock, server: { clients, counters } }: CommandContext,
  partitions: readonly PartitionStats[],
): InfoField[] {
  const rates = counters.rates.rates({
    atMs: clock.monotonicMs(),
    commands: counters.commandsProcessed,
    inputBytes: clients.netInputBytes,
    outputBytes: clients.netOutputBytes,
  });
  return [
    ['total_connections_received', clients.connectionsReceived],
    ['total_commands_processed', counters.commandsProcessed],
    ['instantaneous_ops_per_sec', Math.round(rates.commands)],
    ['total_net_input_bytes', clients.netInputBytes],
    ['total_net_output_bytes', clients.netOutputBytes],
    ['total_net_repl_input_bytes', 0],
    ['total_net_repl_output_bytes', 0],
    ['instantaneous_input_kbps', rates.inputKb.toFixed(2)],
    ['instantaneous_output_kbps', rates.outputKb.toFixed(2)],
    ['instantaneous_input_repl_kbps', '0.00'],
    ['instantaneous_output_repl_kbps', '0.00'],
    ['rejected_connections', clients.connectionsRejected],
    ['sync_full', 0],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ['expired_keys', partitions.reduce((sum, { expiredKeys }) => sum + expiredKeys, 0)],
    ['evicted_keys', 0],
    ['evicted_clients', 0],
    ['keyspace_hits', counters.keyspaceHits],
    ['keyspace_misses', counters.keyspaceMisses],
    ['pubsub_channels', 0],
    ['pubsub_patterns', 0],
    ['pubsubshard_channels', 0],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['migrate_cached_sockets', 0],
    ['tracking_total_keys', 0],
    ['tracking_total_items', 0],
    ['tracking_total_prefixes', 0],
    ['unexpected_error_replies', 0],
    ['total_error_replies', counters.errorReplies],
    ['total_reads_processed', clients.readsProcessed ?? 0],
    ['total_writes_processed', clients.writesProcessed ?? 0],
    ['acl_access_denied_auth', 0],
    ['acl_access_denied_cmd', 0],
    ['acl_access_denied_key', 0],
    ['acl_access_denied_channel', 0],
  ];
}

export function commandStatsFields({ server: { table } }: CommandContext): InfoField[] {
  const fields: InfoField[] = [];
  for (const entry of table.all()) {
    if (entry.calls === 0 && entry.rejectedCalls === 0) continue;
    const micros = Math.round(entry.totalMicros);
    const each = entry.calls === 0 ? 0 : entry.totalMicros / entry.calls;
    fields.push([
      `cmdstat_${entry.fullName}`,
      `calls=${entry.calls},usec=${micros},usec_per_call=${each.toFixed(2)},rejected_calls=${entry.rejectedCalls},failed_calls=${entry.failedCalls}`,
    ]);
  }
  return fields;
}

export function errorStatsFields({ server: { counters } }: CommandContext): InfoField[] {
  return [...counters.errorsByPrefix]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([prefix, count]) => [`errorstat_${prefix}`, `count=${count}`]);
}
