import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { KEY_ARGUMENT, ONE_KEY } from '../spec-parts.ts';

function run(context: CommandContext): void {
  if (!context.read(1, false)) return;
  context.countLookup();
  context.reply.simple(context.entry.found ? 'string' : 'none');
}

export const type = {
  name: 'type',
  arity: 2,
  flags: ['readonly', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['RO'],
  aclCategories: ['@keyspace', '@read', '@fast'],
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Names the type of the value of a key: string, or none if the key does not exist.',
  arguments: [KEY_ARGUMENT],
  run,
} satisfies CommandSpec;
