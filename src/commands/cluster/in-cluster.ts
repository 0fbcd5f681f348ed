import type { CommandContext } from '../context.ts';
import type { ClusterPort } from '../ports.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';

/** What all sub-commands of CLUSTER have in common. */
export const CLUSTER_COMMON = {
  flags: ['stale'],
  keys: NO_KEYS,
  aclCategories: ['@slow'],
  group: 'cluster',
  since: '3.0.0',
  complexity: 'O(N) where N is the number of partitions.',
} as const satisfies Partial<CommandSpec>;

/** A handler for a node of a cluster; on a node alone it answers as Redis does without cluster mode. */
export function inCluster(
  run: (context: CommandContext, cluster: ClusterPort) => void,
): (context: CommandContext) => void {
  return (context) => {
    const { cluster } = context.server;
    if (cluster === undefined) context.fail('ERR This instance has cluster support disabled');
    else run(context, cluster);
  };
}
