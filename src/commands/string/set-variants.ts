import { NO_EXPIRY } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { KEY_ARGUMENT, ONE_KEY, VALUE_ARGUMENT } from '../spec-parts.ts';
import { expiryOf } from './set.ts';

function runSetnx(context: CommandContext): void {
  if (!context.fits(context.args.length(2)) || !context.readAppended(1, false)) return;
  const { found } = context.entry;
  context.reply.integer(found ? 0 : 1);
  if (!found) context.putArgument(1, 2, NO_EXPIRY);
}

function setWithExpiry(context: CommandContext, unitMs: number, commandName: string): void {
  const expiresAtMs = expiryOf(context, 2, unitMs, false, commandName);
  if (expiresAtMs === null || !context.fits(context.args.length(3))) return;
  context.reply.ok();
  context.putArgument(1, 3, expiresAtMs);
}

export const setnx = {
  name: 'setnx',
  arity: 3,
  flags: ['write', 'denyoom', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['OW', 'insert'],
  aclCategories: ['@write', '@string', '@fast'],
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Stores a value only if the key does not exist yet; answers 1 if it did so.',
  arguments: [KEY_ARGUMENT, VALUE_ARGUMENT],
  run: runSetnx,
} satisfies CommandSpec;

export const setex = {
  name: 'setex',
  arity: 4,
  flags: ['write', 'denyoom'],
  keys: ONE_KEY,
  keyFlags: ['OW', 'update'],
  aclCategories: ['@write', '@string', '@slow'],
  group: 'string',
  since: '2.0.0',
  complexity: 'O(1)',
  summary: 'Stores a value that expires after so many seconds.',
  arguments: [KEY_ARGUMENT, { name: 'seconds', type: 'integer' }, VALUE_ARGUMENT],
  run: (context: CommandContext) => setWithExpiry(context, 1000, 'setex'),
} satisfies CommandSpec;

export const psetex = {
  name: 'psetex',
  arity: 4,
  flags: ['write', 'denyoom'],
  keys: ONE_KEY,
  keyFlags: ['OW', 'update'],
  aclCategories: ['@write', '@string', '@slow'],
  group: 'string',
  since: '2.6.0',
  complexity: 'O(1)',
  summary: 'Stores a value that expires after so many milliseconds.',
  arguments: [KEY_ARGUMENT, { name: 'milliseconds', type: 'integer' }, VALUE_ARGUMENT],
  run: (context: CommandContext) => setWithExpiry(context, 1, 'psetex'),
} satisfies CommandSpec;
