import { NO_EXPIRY } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { KEY_ARGUMENT, ONE_KEY } from '../spec-parts.ts';

const NO_SUCH_KEY = -2;
const NEVER_EXPIRES = -1;

function replyTimeLeft(context: CommandContext, unitMs: number): void {
  if (!context.read(1, false)) return;
  context.countLookup();
  const { entry, reply } = context;
  if (!entry.found) {
    reply.integer(NO_SUCH_KEY);
    return;
  }
  if (entry.expiresAtMs === 0) {
    reply.integer(NEVER_EXPIRES);
    return;
  }
  const leftMs = Math.max(0, entry.expiresAtMs - context.clock.wallMs());
  reply.integer(Math.floor((leftMs + unitMs / 2) / unitMs));
}

function runPersist(context: CommandContext): void {
  if (!context.readAppended(1, false)) return;
  const { entry } = context;
  const expires = entry.found && entry.expiresAtMs !== 0;
  if (expires) context.changeExpiry(1, NO_EXPIRY);
  context.reply.integer(expires ? 1 : 0);
}

const timeLeft = {
  arity: 2,
  flags: ['readonly', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['RO', 'access'],
  aclCategories: ['@keyspace', '@read', '@fast'],
  tips: ['nondeterministic_output'],
  group: 'generic',
  complexity: 'O(1)',
  arguments: [KEY_ARGUMENT],
} as const;

export const ttl = {
  ...timeLeft,
  name: 'ttl',
  since: '1.0.0',
  summary: 'Returns the seconds until a key expires: -1 if it never does, -2 if there is no such key.',
  run: (context: CommandContext) => replyTimeLeft(context, 1000),
} satisfies CommandSpec;

export const pttl = {
  ...timeLeft,
  name: 'pttl',
  since: '2.6.0',
  summary: 'Returns the milliseconds until a key expires: -1 if it never does, -2 if there is no such key.',
  run: (context: CommandContext) => replyTimeLeft(context, 1),
} satisfies CommandSpec;

export const persist = {
  name: 'persist',
  arity: 2,
  flags: ['write', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['RW', 'update'],
  aclCategories: ['@keyspace', '@write', '@fast'],
  group: 'generic',
  since: '2.2.0',
  complexity: 'O(1)',
  summary: 'Takes the expiry away from a key; answers 1 if it had one.',
  arguments: [KEY_ARGUMENT],
  run: runPersist,
} satisfies CommandSpec;
