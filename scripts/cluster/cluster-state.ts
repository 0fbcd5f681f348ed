import { RespClient } from '../../src/cli/resp-client.ts';
import type { Address } from '../../src/config/address.ts';
import type { Reply } from '../../src/resp/reply.ts';

const ANSWER_MS_MAX = 2_000;

/** One partition, as one node sees it. */
export interface PartitionView {
  readonly partition: number;
  readonly isLedHere: boolean;
  /** Size of the in-sync replica set. */
  readonly isrSize: number;
}

/** What a node says of its cluster. */
export interface NodeView {
  /** Of CLUSTER INFO: `ok` when every slot has a leader. Null: it does not say. */
  readonly clusterState: string | null;
  readonly partitions: readonly PartitionView[];
}

/** The first reply to one command on a connection of its own; null where none comes. */
export async function askOnce(address: Address, command: readonly string[]): Promise<Reply | null> {
  try {
    const client = await RespClient.connect(address, { timeoutMs: ANSWER_MS_MAX });
    const timer = setTimeout(() => client.close(), ANSWER_MS_MAX);
    try {
      return await client.request(command);
    } finally {
      clearTimeout(timer);
      client.close();
    }
  } catch {
    return null;
  }
}

export async function viewOf(address: Address): Promise<NodeView> {
  const [cluster, partitions] = await Promise.all([
    askOnce(address, ['CLUSTER', 'INFO']),
    askOnce(address, ['INFO', 'partitions']),
  ]);
  return readView(textOf(cluster), textOf(partitions));
}

/** From the texts of `CLUSTER INFO` and `INFO partitions`. */
export function readView(clusterInfo: string, partitionInfo: string): NodeView {
  const clusterState = /^cluster_state:(\w+)/m.exec(clusterInfo)?.[1] ?? null;
  const lines = partitionInfo.matchAll(/^partition(\d+):role=(\w+),.*\bisr=([\d/]*)/gm);
  const partitions = [...lines].map(([, partition, role, isr = '']) => ({
    partition: Number(partition),
    isLedHere: role === 'leader',
    isrSize: isr === '' ? 0 : isr.split('/').length,
  }));
  return { clusterState, partitions };
}

/**
 * Why a client could be refused now; null: by no node and for no partition. A leader alone does not do: after a start it
 * refuses writes until `minInsync` copies are in sync.
 */
export function whatIsMissing(views: ReadonlyMap<string, NodeView>, minInsync: number): string | null {
  for (const [name, { clusterState }] of views) if (clusterState === null) return `${name} does not answer`;
  const seen = [...views.values()].flatMap(({ partitions }) => partitions);
  const led = new Map(
    seen.filter(({ isLedHere }) => isLedHere).map((view) => [view.partition, view.isrSize]),
  );
  for (const { partition } of seen.sort((a, b) => a.partition - b.partition)) {
    const isrSize = led.get(partition);
    if (isrSize === undefined) return `partition ${partition} has no leader`;
    if (isrSize < minInsync)
      return `partition ${partition} has ${isrSize} in-sync copies, and writes need ${minInsync}`;
  }
  for (const [name, { clusterState }] of views)
    if (clusterState !== 'ok') return `${name} says cluster_state:${clusterState}`;
  return null;
}

function textOf(reply: Reply | null): string {
  if (reply?.kind === 'bulk' || reply?.kind === 'verbatim') return reply.bytes.toString();
  return reply?.kind === 'simple' ? reply.text : '';
}
