import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { KEY_ARGUMENT, ONE_KEY } from '../spec-parts.ts';

/** With the value: what is known without it is the length of its record, which holds more. */
function run(context: CommandContext): void {
  if (!context.read(1)) return;
  context.countLookup();
  context.reply.integer(context.entry.found ? context.entry.valueLength : 0);
}

export const strlen = {
  name: 'strlen',
  arity: 2,
  flags: ['readonly', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['RO'],
  aclCategories: ['@read', '@string', '@fast'],
  group: 'string',
  since: '2.2.0',
  complexity: 'O(1)',
  summary: 'Returns the length in bytes of the value of a key, 0 if there is none.',
  arguments: [KEY_ARGUMENT],
  run,
} satisfies CommandSpec;
