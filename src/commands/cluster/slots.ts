import type { NodeRoute } from '../../cluster/index.ts';
import type { ReplyWriter } from '../../resp/reply-writer.ts';
import type { CommandContext } from '../context.ts';
import type { ClusterPort } from '../ports.ts';
import type { CommandSpec } from '../spec.ts';
import { CLUSTER_COMMON, inCluster } from './in-cluster.ts';
import { replicasBehind, type ServingNode, servedRanges, servingNodes } from './view.ts';

function runSlots({ reply }: CommandContext, cluster: ClusterPort): void {
  const ranges = servedRanges(cluster);
  reply.array(ranges.length);
  for (const { first, last, leader, replicas } of ranges) {
    reply.array(3 + replicas.length);
    reply.integer(first);
    reply.integer(last);
    for (const node of [leader, ...replicas]) writeAddress(reply, node);
  }
}

/** The fourth field holds what else may be known of a node: nothing. */
function writeAddress(reply: ReplyWriter, { name, cluster }: NodeRoute): void {
  reply.array(4);
  reply.bulkText(cluster?.host ?? '');
  reply.integer(cluster?.port ?? 0);
  reply.bulkText(name);
  reply.map(0);
}

/** A shard is a leader with all that it leads, and a node that leads nothing is one of its own. */
function runShards(context: CommandContext, cluster: ClusterPort): void {
  const { reply } = context;
  const shards = servingNodes(cluster).filter(({ address }) => address.port !== 0);
  reply.array(shards.length);
  for (const shard of shards) {
    const replicas = replicasBehind(cluster, shard.node);
    reply.map(2);
    reply.bulkText('slots');
    reply.array(shard.ranges.length * 2);
    for (const { first, last } of shard.ranges) {
      reply.integer(first);
      reply.integer(last);
    }
    reply.bulkText('nodes');
    reply.array(1 + replicas.length);
    writeNode(context, shard.node, 'master', offsetOf(context, cluster, shard));
    for (const replica of replicas) writeNode(context, replica, 'replica', 0);
  }
}

/** Of the others nothing is known here. */
function offsetOf({ router }: CommandContext, { source }: ClusterPort, { node }: ServingNode): number {
  if (node.id !== source.self) return 0;
  return router.partitions.reduce((sum, { highWatermark }) => sum + highWatermark, 0);
}

function writeNode(
  { reply }: CommandContext,
  { name, cluster }: NodeRoute,
  role: 'master' | 'replica',
  offset: number,
): void {
  const host = cluster?.host ?? '';
  reply.map(7);
  reply.bulkText('id');
  reply.bulkText(name);
  reply.bulkText('port');
  reply.integer(cluster?.port ?? 0);
  reply.bulkText('ip');
  reply.bulkText(host);
  reply.bulkText('endpoint');
  reply.bulkText(host);
  reply.bulkText('role');
  reply.bulkText(role);
  reply.bulkText('replication-offset');
  reply.integer(offset);
  reply.bulkText('health');
  reply.bulkText('online');
}

export const slots = {
  ...CLUSTER_COMMON,
  name: 'slots',
  arity: 2,
  tips: ['nondeterministic_output'],
  summary: 'Lists the slots that are served, each range with the address of its leader.',
  run: inCluster(runSlots),
} satisfies CommandSpec;

export const shards = {
  ...CLUSTER_COMMON,
  name: 'shards',
  arity: 2,
  since: '7.0.0',
  tips: ['nondeterministic_output'],
  summary: 'Lists the nodes, each with the slots that it leads.',
  run: inCluster(runShards),
} satisfies CommandSpec;
