import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { KEY_ARGUMENT, ONE_KEY } from '../spec-parts.ts';

function run(context: CommandContext): void {
  if (!context.read(1)) return;
  context.countLookup();
  context.replyValue();
}

export const get = {
  name: 'get',
  arity: 2,
  flags: ['readonly', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['RO', 'access'],
  aclCategories: ['@read', '@string', '@fast'],
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Returns the value of a key.',
  arguments: [KEY_ARGUMENT],
  run,
} satisfies CommandSpec;
