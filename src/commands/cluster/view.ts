import type { ClusterMap, NodeRoute, PartitionRoute } from '../../cluster/index.ts';
import type { HostPort } from '../../model/host-port.ts';
import type { ClusterPort } from '../ports.ts';

/** Neighbouring slots that one node leads, with the same replicas. */
export interface ServedRange {
  readonly first: number;
  readonly last: number;
  readonly leader: NodeRoute;
  /** In sync, alive and to be announced; empty unless replicas are announced. */
  readonly replicas: readonly NodeRoute[];
}

/** The slots that are served, in order; those without a living leader are missing, as in Redis. */
export function servedRanges({ source: { map }, announcesReplicas }: ClusterPort): ServedRange[] {
  const ranges: ServedRange[] = [];
  for (const [first, last, id] of [...map.slots].sort(([left], [right]) => left - right)) {
    const route = map.partition(id as PartitionRoute['id']);
    const leader = route === null ? null : map.leaderOf(route);
    if (route === null || leader === null || leader.cluster === null) continue;
    const replicas = announcesReplicas ? replicasOf(map, route) : [];
    const before = ranges.at(-1);
    if (before !== undefined && before.last + 1 === first && isSame(before, leader, replicas)) {
      ranges[ranges.length - 1] = { ...before, last };
    } else {
      ranges.push({ first, last, leader, replicas });
    }
  }
  return ranges;
}

function isSame(range: ServedRange, leader: NodeRoute, replicas: readonly NodeRoute[]): boolean {
  return (
    range.leader === leader &&
    range.replicas.length === replicas.length &&
    range.replicas.every((replica, index) => replica === replicas[index])
  );
}

function replicasOf(map: ClusterMap, { leader, isr }: PartitionRoute): NodeRoute[] {
  return isr
    .filter((node) => node !== leader)
    .map((node) => map.nodes.get(node))
    .filter((node) => node !== undefined && node.cluster !== null)
    .sort((left, right) => (left as NodeRoute).id - (right as NodeRoute).id) as NodeRoute[];
}

/** A node that is alive, in the form in which cluster clients know nodes. */
export interface ServingNode {
  readonly node: NodeRoute;
  /** Where cluster clients find it; port 0: it does not listen for them. */
  readonly address: HostPort;
  readonly ranges: readonly ServedRange[];
  /** The highest epoch it leads in; 0: it leads nothing. */
  readonly epoch: number;
}

/** Every node that is alive, one without slots too, in order of id. */
export function servingNodes(cluster: ClusterPort): ServingNode[] {
  const { map } = cluster.source;
  const ranges = servedRanges(cluster);
  return [...map.nodes.values()]
    .sort((left, right) => left.id - right.id)
    .map((node) => ({
      node,
      address: node.cluster ?? { host: (node.plain ?? node.rpc)?.host ?? '', port: 0 },
      ranges: ranges.filter(({ leader }) => leader === node),
      epoch: Math.max(0, ...map.partitions.filter(({ leader }) => leader === node.id).map(epochOf)),
    }));
}

function epochOf({ leaderEpoch }: PartitionRoute): number {
  return leaderEpoch;
}

/** Nodes that are in sync with something that `leader` leads; nobody unless replicas are announced. */
export function replicasBehind(cluster: ClusterPort, leader: NodeRoute): NodeRoute[] {
  const replicas = servedRanges(cluster)
    .filter((range) => range.leader === leader)
    .flatMap((range) => range.replicas);
  return [...new Set(replicas)].sort((left, right) => left.id - right.id);
}
