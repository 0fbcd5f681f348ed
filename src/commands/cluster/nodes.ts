import { type NodeRoute, nodeName } from '../../cluster/index.ts';
import type { CommandContext } from '../context.ts';
import type { ClusterPort } from '../ports.ts';
import type { CommandSpec } from '../spec.ts';
import { CLUSTER_COMMON, inCluster } from './in-cluster.ts';
import { replicasBehind, type ServedRange, type ServingNode, servingNodes } from './view.ts';

/**
 * `<id> <host:port@port for nodes> <flags> <its leader> <ping sent> <pong received> <epoch> <link> <slots>`. Pings are
 * the coordinator's here, so that both times are 0.
 */
function nodeLine(cluster: ClusterPort, { node, address, ranges, epoch }: ServingNode, leader = ''): string {
  const flags = [...(node.id === cluster.source.self ? ['myself'] : []), leader === '' ? 'master' : 'slave'];
  return [
    node.name,
    `${address.host}:${address.port}@${node.rpc?.port ?? 0}`,
    flags.join(','),
    leader === '' ? '-' : leader,
    0,
    0,
    epoch,
    'connected',
    ...(leader === '' ? ranges.map(rangeText) : []),
  ].join(' ');
}

function rangeText({ first, last }: ServedRange): string {
  return first === last ? `${first}` : `${first}-${last}`;
}

function runNodes({ reply }: CommandContext, cluster: ClusterPort): void {
  const lines = servingNodes(cluster).map((node) => `${nodeLine(cluster, node)}\n`);
  reply.verbatim('txt', lines.join(''));
}

/** A node leads some partitions and follows in others, so nobody is only a replica: they are listed where they are announced. */
function runReplicas(context: CommandContext, cluster: ClusterPort): void {
  const { args, reply } = context;
  const all = servingNodes(cluster);
  const leader = all.find(({ node }) => node.name === args.text(2).toLowerCase())?.node;
  if (leader === undefined) {
    context.fail(`ERR Unknown node ${args.text(2)}`);
    return;
  }
  const behind = new Set<NodeRoute>(replicasBehind(cluster, leader));
  const replicas = all.filter(({ node }) => behind.has(node));
  reply.array(replicas.length);
  for (const replica of replicas) reply.bulkText(nodeLine(cluster, replica, leader.name));
}

function runMyId({ reply }: CommandContext, { source }: ClusterPort): void {
  reply.bulkText(nodeName(source.map.clusterId, source.self));
}

export const nodes = {
  ...CLUSTER_COMMON,
  name: 'nodes',
  arity: 2,
  tips: ['nondeterministic_output'],
  summary: 'Lists every node that is alive, with the slots that it leads, a line each.',
  run: inCluster(runNodes),
} satisfies CommandSpec;

const ofNode = {
  ...CLUSTER_COMMON,
  flags: ['admin', 'stale'],
  arity: 3,
  aclCategories: ['@admin', '@slow', '@dangerous'],
  tips: ['nondeterministic_output'],
  arguments: [{ name: 'node-id', type: 'string' }],
  run: inCluster(runReplicas),
} as const;

export const replicas = {
  ...ofNode,
  name: 'replicas',
  since: '5.0.0',
  summary: 'Lists the nodes that follow a node, as far as replicas are announced.',
} satisfies CommandSpec;

export const slaves = {
  ...ofNode,
  name: 'slaves',
  summary: 'The same as CLUSTER REPLICAS.',
} satisfies CommandSpec;

export const myid = {
  ...CLUSTER_COMMON,
  name: 'myid',
  arity: 2,
  complexity: 'O(1)',
  summary: 'Returns the name under which cluster clients know this node.',
  run: inCluster(runMyId),
} satisfies CommandSpec;

/** Each leader is a shard of its own. */
export const myshardid = {
  ...CLUSTER_COMMON,
  name: 'myshardid',
  arity: 2,
  since: '7.2.0',
  complexity: 'O(1)',
  tips: ['nondeterministic_output'],
  summary: 'Returns the name of the shard that this node leads.',
  run: inCluster(runMyId),
} satisfies CommandSpec;
