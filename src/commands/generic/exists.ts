import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { ALL_KEYS, KEYS_ARGUMENT } from '../spec-parts.ts';

function run(context: CommandContext): void {
  const { args, entry, server } = context;
  let existing = 0;
  for (let index = 1; index < args.count; index += 1) {
    if (!context.read(index, false)) return;
    if (entry.found) existing += 1;
  }
  server.counters.keyspaceHits += existing;
  server.counters.keyspaceMisses += args.count - 1 - existing;
  context.reply.integer(existing);
}

export const exists = {
  name: 'exists',
  arity: -2,
  flags: ['readonly', 'fast'],
  keys: ALL_KEYS,
  keyFlags: ['RO'],
  aclCategories: ['@keyspace', '@read', '@fast'],
  tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  scatter: { split: 'keys', gather: 'sum' },
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(N) where N is the number of keys.',
  summary: 'Counts how many of the keys exist; a key named twice counts twice.',
  arguments: [KEYS_ARGUMENT],
  run,
} satisfies CommandSpec;

/** Nothing is evicted, so nobody keeps when a key was last used. */
export const touch = {
  ...exists,
  name: 'touch',
  since: '3.2.1',
  summary: 'Counts how many of the keys exist, as EXISTS does; when they were last used is not kept.',
} satisfies CommandSpec;
