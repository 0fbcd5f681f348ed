import type { CommandContext } from '../context.ts';
import { SYNTAX_ERROR } from '../errors.ts';
import type { CommandSpec } from '../spec.ts';
import { choiceArgument, NO_KEYS, tokenArgument } from '../spec-parts.ts';

/**
 * Ends the server. Every acknowledged write is on disk already, so SAVE and NOSAVE, NOW and FORCE change nothing; they
 * are parsed as Redis does. There is no reply but the end of the connection.
 */
function run(context: CommandContext): void {
  const { args, session, server } = context;
  let abort = false;
  let save = false;
  let nosave = false;
  let hasModifier = false;
  for (let index = 1; index < args.count; index += 1) {
    if (args.is(index, 'ABORT')) abort = true;
    else if (args.is(index, 'SAVE')) save = true;
    else if (args.is(index, 'NOSAVE')) nosave = true;
    else if (args.is(index, 'NOW') || args.is(index, 'FORCE')) hasModifier = true;
    else {
      context.fail(SYNTAX_ERROR);
      return;
    }
  }
  if ((save && nosave) || (abort && (save || nosave || hasModifier))) {
    context.fail(SYNTAX_ERROR);
    return;
  }
  if (abort) {
    context.fail('ERR No shutdown in progress.');
    return;
  }
  session.closeAfterReply = true;
  server.shutdown();
}

export const shutdown = {
  name: 'shutdown',
  arity: -1,
  flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
  keys: NO_KEYS,
  aclCategories: ['@admin', '@slow', '@dangerous'],
  group: 'server',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Answers what was accepted, closes the store and ends the server.',
  arguments: [
    choiceArgument('nosave_save', [tokenArgument('NOSAVE'), tokenArgument('SAVE')]),
    tokenArgument('NOW', '7.0.0', true),
    tokenArgument('FORCE', '7.0.0', true),
    tokenArgument('ABORT', '7.0.0', true),
  ],
  run,
} satisfies CommandSpec;
