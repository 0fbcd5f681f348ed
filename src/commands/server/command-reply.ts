import type { ReplyWriter } from '../../resp/reply-writer.ts';
import type { CommandArgument, CommandSpec } from '../spec.ts';
import type { CommandEntry } from '../table.ts';

/** One element of COMMAND's reply: the ten fields of Redis 7. */
export function writeCommandInfo(reply: ReplyWriter, entry: CommandEntry): void {
  const { spec } = entry;
  reply.array(10);
  reply.bulkText(entry.fullName);
  reply.integer(spec.arity);
  writeFlags(reply, spec.flags);
  reply.integer(spec.keys.first);
  reply.integer(spec.keys.last);
  reply.integer(spec.keys.step);
  writeFlags(reply, spec.aclCategories);
  reply.set(spec.tips?.length ?? 0);
  for (const tip of spec.tips ?? []) reply.bulkText(tip);
  writeKeySpecifications(reply, spec);
  const subcommands = entry.subcommands?.entries ?? [];
  reply.set(subcommands.length);
  for (const subcommand of subcommands) writeCommandInfo(reply, subcommand);
}

function writeFlags(reply: ReplyWriter, flags: readonly string[]): void {
  reply.set(flags.length);
  for (const flag of flags) reply.simple(flag);
}

function writeKeySpecifications(reply: ReplyWriter, spec: CommandSpec): void {
  const { first, last, step } = spec.keys;
  if (first === 0) {
    reply.set(0);
    return;
  }
  reply.set(1);
  reply.map(3);
  reply.bulkText('flags');
  writeFlags(reply, spec.keyFlags ?? []);
  reply.bulkText('begin_search');
  writeSearch(reply, 'index', [['index', first]]);
  reply.bulkText('find_keys');
  // Relative to the first key, unless it counts from the end.
  const lastKey = last < 0 ? last : last - first;
  writeSearch(reply, 'range', [
    ['lastkey', lastKey],
    ['keystep', step],
    ['limit', 0],
  ]);
}

function writeSearch(reply: ReplyWriter, type: string, spec: readonly (readonly [string, number])[]): void {
  reply.map(2);
  reply.bulkText('type');
  reply.bulkText(type);
  reply.bulkText('spec');
  reply.map(spec.length);
  for (const [name, value] of spec) {
    reply.bulkText(name);
    reply.integer(value);
  }
}

/** A map whose fields are known only one by one: each says how it writes its value. */
type Field = readonly [name: string, write: () => void];

function writeFields(reply: ReplyWriter, fields: readonly Field[]): void {
  reply.map(fields.length);
  for (const [name, write] of fields) {
    reply.bulkText(name);
    write();
  }
}

/** One command's entry of COMMAND DOCS: its name and the map that describes it. */
export function writeCommandDocs(reply: ReplyWriter, entry: CommandEntry): void {
  const { spec } = entry;
  const text = (value: string) => () => reply.bulkText(value);
  const fields: Field[] = [
    ['summary', text(spec.summary)],
    ['since', text(spec.since)],
    ['group', text(spec.group)],
    ['complexity', text(spec.complexity)],
  ];
  const { arguments: list } = spec;
  if (list !== undefined) fields.push(['arguments', () => writeArguments(reply, list)]);
  const subcommands = entry.subcommands?.entries;
  if (subcommands !== undefined) {
    fields.push([
      'subcommands',
      () => {
        reply.map(subcommands.length);
        for (const subcommand of subcommands) writeCommandDocs(reply, subcommand);
      },
    ]);
  }
  reply.bulkText(entry.fullName);
  writeFields(reply, fields);
}

function writeArguments(reply: ReplyWriter, list: readonly CommandArgument[]): void {
  reply.array(list.length);
  for (const argument of list) writeArgument(reply, argument);
}

function writeArgument(reply: ReplyWriter, argument: CommandArgument): void {
  const text = (value: string) => () => reply.bulkText(value);
  const { name, type, keySpecIndex, token, since, arguments: inner } = argument;
  const fields: Field[] = [
    ['name', text(name)],
    ['type', text(type)],
  ];
  // Since 7.2: what hints show. Containers show their parts instead.
  if (inner === undefined) fields.push(['display_text', text(name)]);
  if (keySpecIndex !== undefined) fields.push(['key_spec_index', () => reply.integer(keySpecIndex)]);
  if (token !== undefined) fields.push(['token', text(token)]);
  if (since !== undefined) fields.push(['since', text(since)]);
  const flags = argumentFlags(argument);
  if (flags.length > 0) fields.push(['flags', () => writeFlags(reply, flags)]);
  if (inner !== undefined) fields.push(['arguments', () => writeArguments(reply, inner)]);
  writeFields(reply, fields);
}

function argumentFlags(argument: CommandArgument): string[] {
  const flags: string[] = [];
  if (argument.optional === true) flags.push('optional');
  if (argument.multiple === true) flags.push('multiple');
  if (argument.multipleToken === true) flags.push('multiple_token');
  return flags;
}
