import type { CommandContext } from '../context.ts';
import { wrongArity } from '../errors.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';

function runPing(context: CommandContext): void {
  const { args, reply } = context;
  if (args.count > 2) {
    context.fail(wrongArity('ping'));
    return;
  }
  if (args.count === 1) reply.simple('PONG');
  else reply.bulk(args.bytes, args.start(1), args.end(1));
}

function runEcho({ args, reply }: CommandContext): void {
  reply.bulk(args.bytes, args.start(1), args.end(1));
}

function runQuit({ reply, session }: CommandContext): void {
  reply.ok();
  session.closeAfterReply = true;
}

export const ping = {
  name: 'ping',
  arity: -1,
  flags: ['fast'],
  keys: NO_KEYS,
  aclCategories: ['@fast', '@connection'],
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  group: 'connection',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Answers PONG, or the message it was given.',
  arguments: [{ name: 'message', type: 'string', optional: true }],
  run: runPing,
} satisfies CommandSpec;

export const echo = {
  name: 'echo',
  arity: 2,
  flags: ['loading', 'stale', 'fast'],
  keys: NO_KEYS,
  aclCategories: ['@fast', '@connection'],
  group: 'connection',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Answers the message it was given.',
  arguments: [{ name: 'message', type: 'string' }],
  run: runEcho,
} satisfies CommandSpec;

export const quit = {
  name: 'quit',
  arity: -1,
  flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
  keys: NO_KEYS,
  aclCategories: ['@fast', '@connection'],
  group: 'connection',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Answers everything that is pending and closes the connection.',
  run: runQuit,
} satisfies CommandSpec;
