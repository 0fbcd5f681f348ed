import type { RespVersion } from '../../resp/reply-writer.ts';
import type { CommandContext } from '../context.ts';
import { parseInteger } from '../integer.ts';
import { modeOf } from '../ports.ts';
import { REDIS_VERSION } from '../redis-version.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';
import { clientAttribute } from './client-attributes.ts';

function run(context: CommandContext): void {
  const { args, reply, session } = context;
  if (args.count === 1) {
    greet(context);
    return;
  }
  const version = parseVersion(context);
  if (version === null) return;
  const name = parseOptions(context);
  if (name === null) return;
  if (name !== undefined) session.name = name;
  reply.version = version;
  greet(context);
}

function parseVersion(context: CommandContext): RespVersion | null {
  const { args } = context;
  const version = parseInteger(args.bytes, args.start(1), args.end(1));
  if (version === 2 || version === 3) return version;
  if (Number.isNaN(version)) context.fail('ERR Protocol version is not an integer or out of range');
  else context.fail('NOPROTO unsupported protocol version');
  return null;
}

/** The name of SETNAME; undefined if there is none, null if an option was refused. */
function parseOptions(context: CommandContext): string | undefined | null {
  const { args } = context;
  let name: string | undefined;
  for (let index = 2; index < args.count; index += 1) {
    const following = args.count - 1 - index;
    if (args.is(index, 'AUTH') && following >= 2) {
      if (!isDefaultUser(context, index + 1)) return null;
      index += 2;
      continue;
    }
    if (!args.is(index, 'SETNAME') || following < 1) {
      context.fail(`ERR Syntax error in HELLO option '${args.text(index)}'`);
      return null;
    }
    index += 1;
    const given = clientAttribute(context, index, 'Client names');
    if (given === null) return null;
    name = given;
  }
  return name;
}

/** There is one user, `default`, and it has no password: as with Redis, any password will do for it. */
function isDefaultUser(context: CommandContext, index: number): boolean {
  if (context.args.text(index) === 'default') return true;
  context.fail('WRONGPASS invalid username-password pair or user is disabled.');
  return false;
}

function greet({ reply, server, session }: CommandContext): void {
  reply.map(7);
  reply.bulkText('server');
  reply.bulkText('redis');
  reply.bulkText('version');
  reply.bulkText(REDIS_VERSION);
  reply.bulkText('proto');
  reply.integer(reply.version);
  reply.bulkText('id');
  reply.integer(session.id);
  reply.bulkText('mode');
  reply.bulkText(modeOf(server));
  reply.bulkText('role');
  reply.bulkText('master');
  reply.bulkText('modules');
  reply.array(0);
}

export const hello = {
  name: 'hello',
  arity: -1,
  flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
  keys: NO_KEYS,
  aclCategories: ['@fast', '@connection'],
  group: 'connection',
  since: '6.0.0',
  complexity: 'O(1)',
  summary: 'Chooses the protocol version of this connection and describes the server.',
  arguments: [
    {
      name: 'arguments',
      type: 'block',
      optional: true,
      arguments: [
        { name: 'protover', type: 'integer' },
        {
          name: 'username_password',
          type: 'block',
          token: 'AUTH',
          optional: true,
          arguments: [
            { name: 'username', type: 'string' },
            { name: 'password', type: 'string' },
          ],
        },
        { name: 'clientname', type: 'string', token: 'SETNAME', optional: true },
      ],
    },
  ],
  run,
} satisfies CommandSpec;
