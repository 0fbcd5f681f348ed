import type { CommandContext } from '../context.ts';
import { helpOf } from '../help.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';
import { clientAttribute } from './client-attributes.ts';

const common = {
  flags: ['noscript', 'loading', 'stale'],
  keys: NO_KEYS,
  aclCategories: ['@slow', '@connection'],
  group: 'connection',
  complexity: 'O(1)',
} as const;

const id = {
  ...common,
  name: 'id',
  arity: 2,
  since: '5.0.0',
  summary: 'Returns the number of this connection.',
  run: ({ reply, session }: CommandContext) => reply.integer(session.id),
} satisfies CommandSpec;

const getname = {
  ...common,
  name: 'getname',
  arity: 2,
  since: '2.6.9',
  summary: 'Returns the name of this connection, nil if it has none.',
  run: ({ reply, session }: CommandContext) => {
    if (session.name === '') reply.nil();
    else reply.bulkText(session.name);
  },
} satisfies CommandSpec;

const setname = {
  ...common,
  name: 'setname',
  arity: 3,
  since: '2.6.9',
  summary: 'Names this connection; an empty name takes it away.',
  arguments: [{ name: 'connection-name', type: 'string' }],
  run: (context: CommandContext) => {
    const name = clientAttribute(context, 2, 'Client names');
    if (name === null) return;
    context.session.name = name;
    context.reply.ok();
  },
} satisfies CommandSpec;

function runSetinfo(context: CommandContext): void {
  const { args, reply, session } = context;
  const isName = args.is(2, 'LIB-NAME');
  if (!isName && !args.is(2, 'LIB-VER')) {
    context.fail(`ERR Unrecognized option '${args.text(2)}'`);
    return;
  }
  const value = clientAttribute(context, 3, args.text(2));
  if (value === null) return;
  if (isName) session.libraryName = value;
  else session.libraryVersion = value;
  reply.ok();
}

const setinfo = {
  ...common,
  name: 'setinfo',
  arity: 4,
  since: '7.2.0',
  summary: 'Says which client library, in which version, uses this connection.',
  arguments: [
    {
      name: 'attr',
      type: 'oneof',
      arguments: [
        { name: 'libname', type: 'string', token: 'LIB-NAME' },
        { name: 'libver', type: 'string', token: 'LIB-VER' },
      ],
    },
  ],
  run: runSetinfo,
} satisfies CommandSpec;

const subcommands: readonly CommandSpec[] = [id, setname, getname, setinfo];

export const client = {
  name: 'client',
  arity: -2,
  flags: [],
  keys: NO_KEYS,
  aclCategories: ['@slow'],
  group: 'connection',
  since: '2.4.0',
  complexity: 'Depends on the sub-command.',
  summary: 'Sub-commands about this connection.',
  subcommands: [
    ...subcommands,
    helpOf('client', subcommands, {
      group: 'connection',
      since: '5.0.0',
      aclCategories: ['@slow', '@connection'],
    }),
  ],
} satisfies CommandSpec;
