import type { Reply } from '../resp/reply.ts';

export interface ArgumentDoc {
  readonly name: string;
  readonly type: string;
  readonly token: string | undefined;
  readonly optional: boolean;
  readonly multiple: boolean;
  readonly multipleToken: boolean;
  readonly parts: readonly ArgumentDoc[];
}

export interface CommandDoc {
  /** Lower case; a sub-command's holds both words, as in `client setname`. */
  readonly name: string;
  readonly summary: string;
  readonly since: string;
  readonly group: string;
  readonly parts: readonly ArgumentDoc[];
}

/** Reads a reply of COMMAND DOCS, RESP2 or RESP3; what it does not understand is left out. Sorted by name. */
export function parseCommandDocs(reply: Reply): CommandDoc[] {
  return entriesOf(reply)
    .flatMap(([name, doc]) => commandsOf(textOf(name), doc))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

function commandsOf(fullName: string, doc: Reply): CommandDoc[] {
  const fields = fieldsOf(doc);
  const name = fullName.toLowerCase().replace('|', ' ');
  const command: CommandDoc = {
    name,
    summary: textOf(fields.get('summary')),
    since: textOf(fields.get('since')),
    group: textOf(fields.get('group')),
    parts: itemsOf(fields.get('arguments')).map(argumentOf),
  };
  const subcommands = entriesOf(fields.get('subcommands'));
  return [command, ...subcommands.flatMap(([sub, subDoc]) => commandsOf(textOf(sub), subDoc))];
}

function argumentOf(reply: Reply): ArgumentDoc {
  const fields = fieldsOf(reply);
  const flags = itemsOf(fields.get('flags')).map(textOf);
  const token = textOf(fields.get('token'));
  return {
    name: textOf(fields.get('display_text')) || textOf(fields.get('name')),
    type: textOf(fields.get('type')),
    token: token === '' ? undefined : token,
    optional: flags.includes('optional'),
    multiple: flags.includes('multiple'),
    multipleToken: flags.includes('multiple_token'),
    parts: itemsOf(fields.get('arguments')).map(argumentOf),
  };
}

function fieldsOf(reply: Reply | undefined): Map<string, Reply> {
  return new Map(entriesOf(reply).map(([key, value]) => [textOf(key), value]));
}

/** Entries of a map, or of the flat array that RESP2 sends in its place. */
function entriesOf(reply: Reply | undefined): (readonly [Reply, Reply])[] {
  if (reply?.kind === 'map') return [...reply.entries];
  const items = itemsOf(reply);
  const entries: (readonly [Reply, Reply])[] = [];
  for (let at = 0; at + 1 < items.length; at += 2) entries.push([items[at] as Reply, items[at + 1] as Reply]);
  return entries;
}

function itemsOf(reply: Reply | undefined): readonly Reply[] {
  return reply?.kind === 'array' || reply?.kind === 'set' ? reply.items : [];
}

function textOf(reply: Reply | undefined): string {
  if (reply?.kind === 'bulk') return reply.bytes.toString();
  return reply?.kind === 'simple' ? reply.text : '';
}
