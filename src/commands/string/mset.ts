import { LIMITS } from '../../model/limits.ts';
import { NO_EXPIRY } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { wrongArity } from '../errors.ts';
import type { CommandSpec } from '../spec.ts';
import { KEY_ARGUMENT, KEY_VALUE_PAIRS, VALUE_ARGUMENT } from '../spec-parts.ts';

function run(context: CommandContext): void {
  const { args } = context;
  if (args.count % 2 === 0) {
    context.fail(wrongArity('mset'));
    return;
  }
  if (!sizesFit(context) || !context.onePartition(1, args.count - 1, 2)) return;
  context.reply.ok();
  context.beginGroup();
  try {
    for (let index = 1; index < args.count; index += 2) context.putArgument(index, index + 1, NO_EXPIRY);
  } finally {
    context.endGroup();
  }
}

function sizesFit(context: CommandContext): boolean {
  const { args } = context;
  let total = 0;
  for (let index = 1; index < args.count; index += 2) {
    if (!context.fits(args.length(index + 1))) return false;
    total += args.length(index) + args.length(index + 1);
  }
  if (total <= LIMITS.atomicGroupBytesMax) return true;
  context.fail(`ERR MSET of ${total} bytes: one atomic group holds at most ${LIMITS.atomicGroupBytesMax}`);
  return false;
}

export const mset = {
  name: 'mset',
  arity: -3,
  flags: ['write', 'denyoom'],
  keys: KEY_VALUE_PAIRS,
  keyFlags: ['OW', 'update'],
  aclCategories: ['@write', '@string', '@slow'],
  tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
  group: 'string',
  since: '1.0.1',
  complexity: 'O(N) where N is the number of keys.',
  summary: 'Stores several values under several keys, all of them or none.',
  arguments: [
    { name: 'key_value', type: 'block', multiple: true, arguments: [KEY_ARGUMENT, VALUE_ARGUMENT] },
  ],
  run,
} satisfies CommandSpec;
