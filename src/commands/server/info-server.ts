import type { PartitionStats } from '../../cluster/index.ts';
import type { CommandContext } from '../context.ts';
import { modeOf } from '../ports.ts';
import { REDIS_VERSION } from '../redis-version.ts';
import { humanBytes, type InfoField, ratio } from './info-text.ts';

const SECONDS_PER_DAY = 86_400;

/** Sections about the process and its clients. */
export function serverFields({ clock, server }: CommandContext): InfoField[] {
  const { stats } = server;
  const uptimeSeconds = Math.floor((clock.monotonicMs() - stats.startedAtMs) / 1000);
  return [
    ['redis_version', REDIS_VERSION],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', '0'],
    ['redis_mode', modeOf(server)],
    ['caskade_version', stats.version],
    ['node_version', process.version],
    ['os', `${process.platform} ${process.arch}`],
    ['arch_bits', 64],
    ['multiplexing_api', 'libuv'],
    ['process_id', stats.processId],
    ['process_supervised', 'no'],
    ['run_id', stats.runId],
    ['tcp_port', stats.port],
    ['server_time_usec', clock.wallMs() * 1000],
    ['uptime_in_seconds', uptimeSeconds],
    ['uptime_in_days', Math.floor(uptimeSeconds / SECONDS_PER_DAY)],
    ['executable', stats.executable],
    ['config_file', stats.configFile],
    ['io_threads_active', 0],
  ];
}

export function clientsFields({ server: { clients } }: CommandContext): InfoField[] {
  return [
    ['connected_clients', clients.connectedClients],
    ['cluster_connections', 0],
    ['maxclients', clients.clientsMax],
    ['blocked_clients', 0],
    ['tracking_clients', 0],
    ['pubsub_clients', 0],
    ['watching_clients', 0],
    ['clients_in_timeout_table', 0],
  ];
}

/** Used is what JavaScript and its buffers hold; the data set's part is the keydir and the block cache. */
export function memoryFields(
  { server: { clients, stats } }: CommandContext,
  partitions: readonly PartitionStats[],
): InfoField[] {
  const memory = stats.memory();
  const used = memory.heapUsedBytes + memory.externalBytes;
  const dataset = partitions.reduce((sum, { keydirBytes, cacheBytes }) => sum + keydirBytes + cacheBytes, 0);
  return [
    ['used_memory', used],
    ['used_memory_human', humanBytes(used)],
    ['used_memory_rss', memory.rssBytes],
    ['used_memory_rss_human', humanBytes(memory.rssBytes)],
    ['used_memory_peak', memory.rssPeakBytes],
    ['used_memory_peak_human', humanBytes(memory.rssPeakBytes)],
    ['used_memory_peak_perc', `${ratio(used, memory.rssPeakBytes, 100)}%`],
    ['used_memory_overhead', Math.max(0, used - dataset)],
    ['used_memory_dataset', dataset],
    ['used_memory_dataset_perc', `${ratio(dataset, used, 100)}%`],
    ['used_memory_lua', 0],
    ['used_memory_lua_human', '0B'],
    ['maxmemory', 0],
    ['maxmemory_human', '0B'],
    ['maxmemory_policy', 'noeviction'],
    ['mem_fragmentation_ratio', ratio(memory.rssBytes, used)],
    ['mem_fragmentation_bytes', memory.rssBytes - used],
    ['mem_clients_slaves', 0],
    ['mem_clients_normal', clients.bufferBytes ?? 0],
    ['mem_allocator', 'v8'],
  ];
}

export function cpuFields({ server: { stats } }: CommandContext): InfoField[] {
  const { user, system } = stats.cpuSeconds();
  return [
    ['used_cpu_sys', system.toFixed(6)],
    ['used_cpu_user', user.toFixed(6)],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
  ];
}
