import type { CommandContext } from '../context.ts';
import { KeySet } from '../key-set.ts';
import type { CommandSpec } from '../spec.ts';
import { ALL_KEYS, KEYS_ARGUMENT } from '../spec-parts.ts';

/** Arguments whose key exists, each key once. Used within one run only. */
const doomed: number[] = [];
const seen = new KeySet();

function run(context: CommandContext): void {
  if (context.args.count === 2) {
    runSingle(context);
    return;
  }
  if (!findDoomed(context)) return;
  // What was not found in one partition is no longer a read that can be taken back once something is appended to another.
  if (doomed.length > 0 && context.touchedCount > 1 && !context.confirmed()) return;
  context.reply.integer(doomed.length);
  context.beginGroup();
  try {
    for (const index of doomed) context.remove(index);
  } finally {
    context.endGroup();
  }
}

function runSingle(context: CommandContext): void {
  if (!context.readAppended(1, false)) return;
  const { found } = context.entry;
  context.reply.integer(found ? 1 : 0);
  if (found) context.remove(1);
}

function findDoomed(context: CommandContext): boolean {
  const { args, entry } = context;
  doomed.length = 0;
  seen.clear(args.count - 1);
  for (let index = 1; index < args.count; index += 1) {
    if (!context.readAppended(index, false)) return false;
    if (entry.found && seen.add(args, index, context.hashOf(index))) doomed.push(index);
  }
  return true;
}

const common = {
  arity: -2,
  keys: ALL_KEYS,
  keyFlags: ['RM', 'delete'],
  tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
  scatter: { split: 'keys', gather: 'sum' },
  group: 'generic',
  complexity: 'O(N) where N is the number of keys.',
  arguments: [KEYS_ARGUMENT],
  run,
} as const;

export const del = {
  ...common,
  name: 'del',
  flags: ['write'],
  aclCategories: ['@keyspace', '@write', '@slow'],
  since: '1.0.0',
  summary: 'Deletes keys; answers how many of them existed.',
} satisfies CommandSpec;

export const unlink = {
  ...common,
  name: 'unlink',
  flags: ['write', 'fast'],
  aclCategories: ['@keyspace', '@write', '@fast'],
  since: '4.0.0',
  summary: 'Deletes keys, the same as DEL: no deletion blocks here.',
} satisfies CommandSpec;
