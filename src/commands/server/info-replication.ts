import type { PartitionRoute, PartitionStats } from '../../cluster/index.ts';
import type { NodeId } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import type { ClusterPort } from '../ports.ts';
import { sum } from './info-sum.ts';
import type { InfoField } from './info-text.ts';

/** Sections about who has the data, and how far. */
export function replicationFields(
  context: CommandContext,
  partitions: readonly PartitionStats[],
): InfoField[] {
  const followers = followerFields(context, partitions);
  return [
    ['role', 'master'],
    ['connected_slaves', followers.length],
    ...followers,
    ['master_failover_state', 'no-failover'],
    ['master_replid', context.server.stats.runId],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', sum(partitions, 'highWatermark')],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
    ['repl_backlog_size', 0],
    ['repl_backlog_first_byte_offset', 0],
    ['repl_backlog_histlen', 0],
  ];
}

/**
 * Nodes that are in sync with something that is led here. Their offset is what they hold for certain: all that is
 * committed, in each partition that they are in sync with.
 */
function followerFields({ server }: CommandContext, partitions: readonly PartitionStats[]): InfoField[] {
  const { cluster } = server;
  if (cluster === undefined) return [];
  const { map, self } = cluster.source;
  const offsets = new Map<number, number>();
  for (const { isr, highWatermark } of partitions)
    for (const node of isr) if (node !== self) offsets.set(node, (offsets.get(node) ?? 0) + highWatermark);
  const followers = [...offsets].sort(([left], [right]) => left - right);
  return followers.map(([node, offset], index) => {
    const route = map.nodes.get(node as NodeId);
    const address = route?.plain ?? route?.cluster ?? null;
    const state = route === undefined ? 'wait_bgsave' : 'online';
    return [
      `slave${index}`,
      `ip=${address?.host ?? ''},port=${address?.port ?? 0},state=${state},offset=${offset},lag=0`,
    ];
  });
}

/** One line each, of what is led or held here: leader, epoch, offsets, and the ISR with a slash between two nodes. */
export function partitionsFields(
  { router, server }: CommandContext,
  led: readonly PartitionStats[],
): InfoField[] {
  const { cluster } = server;
  const here = new Map<number, readonly string[]>(
    led.map((stats, index) => [router.partitions[index]?.id as number, ledFields(stats, cluster)]),
  );
  for (const route of cluster?.source.map.partitions ?? [])
    if (!here.has(route.id)) here.set(route.id, heldFields(route, cluster as ClusterPort));
  return [...here]
    .sort(([left], [right]) => left - right)
    .map(([id, fields]) => [`partition${id}`, fields.join(',')]);
}

function ledFields(stats: PartitionStats, cluster: ClusterPort | undefined): readonly string[] {
  return [
    'role=leader',
    ...(cluster === undefined ? [] : [`leader=${cluster.source.self}`]),
    `epoch=${stats.leaderEpoch}`,
    `log_start=${stats.logStartOffset}`,
    `leo=${stats.logEndOffset}`,
    `hw=${stats.highWatermark}`,
    `isr=${stats.isr.join('/')}`,
  ];
}

/** As far as this node has heard: its leader has the newest word. */
function heldFields(route: PartitionRoute, cluster: ClusterPort): readonly string[] {
  const replica = cluster.replica(route.id);
  return [
    `role=${replica === null ? 'none' : 'follower'}`,
    `leader=${route.leader ?? 'none'}`,
    `epoch=${route.leaderEpoch}`,
    ...(replica === null ? [] : [`leo=${replica.logEndOffset}`, `hw=${replica.committedOffset}`]),
    `isr=${route.isr.join('/')}`,
  ];
}
