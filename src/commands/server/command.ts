import type { CommandContext } from '../context.ts';
import { SYNTAX_ERROR } from '../errors.ts';
import { Glob } from '../glob.ts';
import { helpOf } from '../help.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';
import type { CommandEntry } from '../table.ts';
import { writeCommandDocs, writeCommandInfo } from './command-reply.ts';

function writeAll({ reply, server }: CommandContext): void {
  reply.array(server.table.entries.length);
  for (const entry of server.table.entries) writeCommandInfo(reply, entry);
}

function runInfo(context: CommandContext): void {
  const { args, reply, server } = context;
  if (args.count === 2) {
    writeAll(context);
    return;
  }
  reply.array(args.count - 2);
  for (let index = 2; index < args.count; index += 1) {
    const entry = server.table.byName(args.text(index));
    if (entry === undefined) reply.nil();
    else writeCommandInfo(reply, entry);
  }
}

function runDocs({ args, reply, server }: CommandContext): void {
  const entries: CommandEntry[] = args.count === 2 ? [...server.table.entries] : [];
  for (let index = 2; index < args.count; index += 1) {
    const entry = server.table.byName(args.text(index));
    if (entry !== undefined) entries.push(entry);
  }
  reply.map(entries.length);
  for (const entry of entries) writeCommandDocs(reply, entry);
}

function runList(context: CommandContext): void {
  const { reply, server } = context;
  const wanted = parseFilter(context);
  if (wanted === null) {
    context.fail(SYNTAX_ERROR);
    return;
  }
  const names = [...server.table.all()].filter(wanted).map(({ fullName }) => fullName);
  reply.array(names.length);
  for (const name of names) reply.bulkText(name);
}

function parseFilter({ args }: CommandContext): ((entry: CommandEntry) => boolean) | null {
  if (args.count === 2) return (entry) => !entry.fullName.includes('|');
  if (args.count !== 5 || !args.is(2, 'FILTERBY')) return null;
  if (args.is(3, 'MODULE')) return () => false;
  if (args.is(3, 'ACLCAT')) {
    const category = `@${args.text(4).toLowerCase()}`;
    return ({ spec }) => spec.aclCategories.includes(category);
  }
  if (!args.is(3, 'PATTERN')) return null;
  const glob = new Glob(args.copy(4), true);
  return ({ fullName }) => glob.matches(Buffer.from(fullName), 0, fullName.length);
}

/** Where the command starts whose keys are asked for. */
const INNER = 2;

function runGetkeys(context: CommandContext): void {
  const { args, reply } = context;
  const entry = findInner(context);
  if (entry === undefined) {
    context.fail('ERR Invalid command specified');
    return;
  }
  const { first, step } = entry.spec.keys;
  if (first === 0) {
    context.fail('ERR The command has no key arguments');
    return;
  }
  const count = args.count - INNER;
  const { arity } = entry.spec;
  if (arity >= 0 ? count !== arity : count < -arity) {
    context.fail('ERR Invalid number of arguments specified for command');
    return;
  }
  const last = entry.lastKey(count);
  reply.array(Math.floor((last - first) / step) + 1);
  for (let index = INNER + first; index <= INNER + last; index += step) {
    reply.bulk(args.bytes, args.start(index), args.end(index));
  }
}

function findInner({ args, server }: CommandContext): CommandEntry | undefined {
  const entry = server.table.find(args, INNER);
  if (entry?.subcommands == null || args.count === INNER + 1) return entry;
  return entry.subcommands.find(args, INNER + 1);
}

const common = {
  flags: ['loading', 'stale'],
  keys: NO_KEYS,
  aclCategories: ['@slow', '@connection'],
  group: 'server',
} as const;

const NAMES = [{ name: 'command-name', type: 'string', optional: true, multiple: true }] as const;

const count = {
  ...common,
  name: 'count',
  arity: 2,
  since: '2.8.13',
  complexity: 'O(1)',
  summary: 'Returns the number of commands.',
  run: ({ reply, server }: CommandContext) => reply.integer(server.table.entries.length),
} satisfies CommandSpec;

const info = {
  ...common,
  name: 'info',
  arity: -2,
  tips: ['nondeterministic_output_order'],
  since: '2.8.13',
  complexity: 'O(N) where N is the number of commands asked for.',
  summary: 'Describes commands to programs: arity, flags, where the keys stand.',
  arguments: NAMES,
  run: runInfo,
} satisfies CommandSpec;

const docs = {
  ...common,
  name: 'docs',
  arity: -2,
  tips: ['nondeterministic_output_order'],
  since: '7.0.0',
  complexity: 'O(N) where N is the number of commands asked for.',
  summary: 'Describes commands to people: summary, arguments, cost.',
  arguments: NAMES,
  run: runDocs,
} satisfies CommandSpec;

const list = {
  ...common,
  name: 'list',
  arity: -2,
  tips: ['nondeterministic_output_order'],
  since: '7.0.0',
  complexity: 'O(N) where N is the number of commands.',
  summary: 'Lists the names of the commands.',
  arguments: [
    {
      name: 'filterby',
      type: 'oneof',
      token: 'FILTERBY',
      optional: true,
      arguments: [
        { name: 'module-name', type: 'string', token: 'MODULE' },
        { name: 'category', type: 'string', token: 'ACLCAT' },
        { name: 'pattern', type: 'pattern', token: 'PATTERN' },
      ],
    },
  ],
  run: runList,
} satisfies CommandSpec;

const getkeys = {
  ...common,
  name: 'getkeys',
  arity: -4,
  since: '2.8.13',
  complexity: 'O(N) where N is the number of arguments.',
  summary: 'Returns the keys of a whole command.',
  arguments: [
    { name: 'command', type: 'string' },
    { name: 'arg', type: 'string', optional: true, multiple: true },
  ],
  run: runGetkeys,
} satisfies CommandSpec;

const subcommands: readonly CommandSpec[] = [count, info, docs, list, getkeys];

export const command = {
  name: 'command',
  arity: -1,
  flags: ['loading', 'stale'],
  keys: NO_KEYS,
  aclCategories: ['@slow', '@connection'],
  tips: ['nondeterministic_output_order'],
  group: 'server',
  since: '2.8.13',
  complexity: 'O(N) where N is the number of commands.',
  summary: 'Describes every command to programs.',
  subcommands: [
    ...subcommands,
    helpOf('command', subcommands, {
      group: 'server',
      since: '5.0.0',
      aclCategories: ['@slow', '@connection'],
    }),
  ],
  run: writeAll,
} satisfies CommandSpec;
