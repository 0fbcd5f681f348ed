import type { NodeId } from '../../model/numbers.ts';

export interface AssignableNode {
  readonly nodeId: NodeId;
  /** Empty: unknown. */
  readonly rack: string;
}

/**
 * Replicas for each of `partitions` new partitions, the preferred leader first: leaders in turn over all nodes,
 * followers over the next ones with a distance that grows with each round, so that the followers of one leader are
 * spread as well; racks alternate as far as they go. Needs at least `replicationFactor` nodes.
 */
export function assignReplicas(
  nodes: readonly AssignableNode[],
  partitions: number,
  replicationFactor: number,
): readonly (readonly NodeId[])[] {
  const ring = alternateRacks(nodes);
  const count = ring.length;
  return Array.from({ length: partitions }, (_, partition) => {
    const first = partition % count;
    const shift = count > 1 ? Math.floor(partition / count) % (count - 1) : 0;
    const followers = Array.from(
      { length: count - 1 },
      (_unused, step) => ((step + shift) % (count - 1)) + 1,
    );
    const order = [0, ...followers].map((distance) => ring[(first + distance) % count]!);
    return pickAcrossRacks(order, replicationFactor).map(({ nodeId }) => nodeId);
  });
}

/** One node of each rack, then the second of each, and so on; inside a rack by node id. */
function alternateRacks(nodes: readonly AssignableNode[]): readonly AssignableNode[] {
  const racks = new Map<string, AssignableNode[]>();
  for (const node of [...nodes].sort((a, b) => a.nodeId - b.nodeId)) {
    racks.set(node.rack, [...(racks.get(node.rack) ?? []), node]);
  }
  const columns = [...racks.keys()].sort().map((rack) => racks.get(rack) ?? []);
  const rows = Math.max(0, ...columns.map((column) => column.length));
  return Array.from({ length: rows }, (_, row) => columns.flatMap((column) => column[row] ?? [])).flat();
}

/** The first ones in the order that stand in racks not yet used; when all racks are used, they count as unused again. */
function pickAcrossRacks(order: readonly AssignableNode[], count: number): readonly AssignableNode[] {
  const picked: AssignableNode[] = [];
  let usedRacks = new Set<string>();
  while (picked.length < Math.min(count, order.length)) {
    const left = order.filter((node) => !picked.includes(node));
    const next = left.find(({ rack }) => !usedRacks.has(rack));
    if (next === undefined) {
      usedRacks = new Set();
      continue;
    }
    picked.push(next);
    usedRacks.add(next.rack);
  }
  return picked;
}
