import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';

/** The log is the append-only file, and merge is what rewrites it: this is a merge by hand, of everything sealed. */
function run(context: CommandContext): void {
  for (const partition of context.router.partitions) {
    void partition.mergeNow().catch((error: unknown) => context.server.mergeFailed(partition.id, error));
  }
  context.reply.simple('Background append only file rewriting started');
}

export const bgrewriteaof = {
  name: 'bgrewriteaof',
  arity: 1,
  flags: ['admin', 'noscript', 'no_async_loading'],
  keys: NO_KEYS,
  aclCategories: ['@admin', '@slow', '@dangerous'],
  group: 'server',
  since: '1.0.0',
  complexity: 'O(N) in the background, with N being the records of the log',
  summary: 'Merges all sealed segments now, whatever their share of dead records.',
  run,
} satisfies CommandSpec;
