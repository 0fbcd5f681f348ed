import type { CommandContext } from '../context.ts';
import { SYNTAX_ERROR } from '../errors.ts';
import type { CommandSpec } from '../spec.ts';
import { choiceArgument, NO_KEYS, tokenArgument } from '../spec-parts.ts';

/** One record per partition empties it (R15), so ASYNC and SYNC cost the same. */
function run(context: CommandContext): void {
  const { args } = context;
  const understood = args.count === 1 || (args.count === 2 && (args.is(1, 'ASYNC') || args.is(1, 'SYNC')));
  if (!understood) {
    context.fail(SYNTAX_ERROR);
    return;
  }
  context.reply.ok();
  context.flushDatabase();
}

const common = {
  arity: -1,
  flags: ['write'],
  keys: NO_KEYS,
  aclCategories: ['@keyspace', '@write', '@slow', '@dangerous'],
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  scatter: { split: 'partitions', gather: 'allOk' },
  group: 'server',
  since: '1.0.0',
  complexity: 'O(1): one record per partition; merge frees the disk later.',
  arguments: [choiceArgument('async', [tokenArgument('ASYNC', '4.0.0'), tokenArgument('SYNC', '6.2.0')])],
  run,
} as const;

export const flushdb = {
  ...common,
  name: 'flushdb',
  summary: 'Deletes every key of the database.',
} satisfies CommandSpec;

/** There is one database, so both do the same. */
export const flushall = {
  ...common,
  name: 'flushall',
  summary: 'Deletes every key of every database.',
} satisfies CommandSpec;
