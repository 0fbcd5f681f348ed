import { SLOT_COUNT } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import type { ClusterPort } from '../ports.ts';
import type { CommandSpec } from '../spec.ts';
import { CLUSTER_COMMON, inCluster } from './in-cluster.ts';
import { servedRanges, servingNodes } from './view.ts';

/**
 * A slot without a leader takes no other slot with it, as with Redis' `cluster-require-full-coverage no`: the state
 * fails when nothing is served.
 */
function runInfo({ reply }: CommandContext, cluster: ClusterPort): void {
  const { map, self } = cluster.source;
  const served = slotCount(servedRanges(cluster).map(({ first, last }) => [first, last]));
  const assigned = slotCount(map.slots);
  const nodes = servingNodes(cluster);
  const epochs = map.partitions.map(({ leaderEpoch }) => leaderEpoch);
  const fields: readonly (readonly [string, string | number])[] = [
    ['cluster_state', served > 0 ? 'ok' : 'fail'],
    ['cluster_slots_assigned', assigned],
    ['cluster_slots_ok', served],
    ['cluster_slots_pfail', 0],
    ['cluster_slots_fail', assigned - served],
    ['cluster_known_nodes', nodes.length],
    ['cluster_size', nodes.filter(({ ranges }) => ranges.length > 0).length],
    ['cluster_current_epoch', Math.max(0, ...epochs)],
    ['cluster_my_epoch', nodes.find(({ node }) => node.id === self)?.epoch ?? 0],
    ['cluster_stats_messages_sent', 0],
    ['cluster_stats_messages_received', 0],
    ['total_cluster_links_buffer_limit_exceeded', 0],
  ];
  reply.verbatim('txt', fields.map(([name, value]) => `${name}:${value}\r\n`).join(''));
}

function slotCount(ranges: readonly (readonly number[])[]): number {
  const count = ranges.reduce((sum, [first = 0, last = 0]) => sum + last - first + 1, 0);
  return Math.min(count, SLOT_COUNT);
}

function runLinks({ reply }: CommandContext, cluster: ClusterPort): void {
  const { map } = cluster.source;
  const links = cluster.links().filter(({ node }) => map.nodes.has(node));
  reply.array(links.length);
  for (const { node, direction, createdAtMs, unsentBytes } of links) {
    reply.map(6);
    reply.bulkText('direction');
    reply.bulkText(direction);
    reply.bulkText('node');
    reply.bulkText(map.nodes.get(node)?.name ?? '');
    reply.bulkText('create-time');
    reply.integer(createdAtMs);
    reply.bulkText('events');
    reply.bulkText(unsentBytes > 0 ? 'rw' : 'r');
    reply.bulkText('send-buffer-allocated');
    reply.integer(unsentBytes);
    reply.bulkText('send-buffer-used');
    reply.integer(unsentBytes);
  }
}

export const info = {
  ...CLUSTER_COMMON,
  name: 'info',
  arity: 2,
  tips: ['nondeterministic_output'],
  summary: 'Reports how many slots are served, nodes alive, and epochs.',
  run: inCluster(runInfo),
} satisfies CommandSpec;

export const links = {
  ...CLUSTER_COMMON,
  name: 'links',
  arity: 2,
  since: '7.0.0',
  complexity: 'O(N) where N is the number of nodes.',
  tips: ['nondeterministic_output'],
  summary: 'Lists the connections between this node and the others.',
  run: inCluster(runLinks),
} satisfies CommandSpec;
