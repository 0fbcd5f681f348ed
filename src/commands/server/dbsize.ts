import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';

function run(context: CommandContext): void {
  if (!context.allSettled()) return;
  const { database } = context.session;
  let keys = 0;
  for (const partition of context.router.partitions) keys += partition.keyCount(database);
  context.reply.integer(keys);
}

export const dbsize = {
  name: 'dbsize',
  arity: 1,
  flags: ['readonly', 'fast'],
  keys: NO_KEYS,
  aclCategories: ['@keyspace', '@read', '@fast'],
  tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
  scatter: { split: 'partitions', gather: 'sum' },
  group: 'server',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Returns the number of keys in the database.',
  run,
} satisfies CommandSpec;
