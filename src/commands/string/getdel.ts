import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { KEY_ARGUMENT, ONE_KEY } from '../spec-parts.ts';

function run(context: CommandContext): void {
  if (!context.readAppended(1)) return;
  context.countLookup();
  context.replyValue();
  if (context.entry.found) context.remove(1);
}

export const getdel = {
  name: 'getdel',
  arity: 2,
  flags: ['write', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['RW', 'access', 'delete'],
  aclCategories: ['@write', '@string', '@fast'],
  group: 'string',
  since: '6.2.0',
  complexity: 'O(1)',
  summary: 'Returns the value of a key and deletes the key.',
  arguments: [KEY_ARGUMENT],
  run,
} satisfies CommandSpec;
