import type { CommandContext } from '../context.ts';
import { Glob } from '../glob.ts';
import { helpOf } from '../help.ts';
import type { ServerPorts } from '../ports.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';
import { redisSettings } from './redis-config.ts';

const GLOB_SIGNS = /[*?[]/;

/** Every setting, our own names and Redis', sorted by name. */
function allSettings(server: ServerPorts): [string, string][] {
  const own = new Map(server.config.entries());
  const settings = new Map([...redisSettings(server, own), ...own]);
  return [...settings].sort(([left], [right]) => (left < right ? -1 : 1));
}

function runGet({ args, reply, server }: CommandContext): void {
  const settings = allSettings(server);
  const found = new Map<string, string>();
  for (let index = 2; index < args.count; index += 1) {
    const pattern = args.text(index);
    if (GLOB_SIGNS.test(pattern)) {
      const glob = new Glob(args.copy(index), true);
      for (const [name, value] of settings) if (globMatches(glob, name)) found.set(name, value);
    } else {
      // A plain name is answered in the spelling it was asked for.
      const match = settings.find(([name]) => name.toLowerCase() === pattern.toLowerCase());
      if (match !== undefined) found.set(pattern, match[1]);
    }
  }
  reply.map(found.size);
  for (const [name, value] of found) {
    reply.bulkText(name);
    reply.bulkText(value);
  }
}

function globMatches(glob: Glob, name: string): boolean {
  return glob.matches(Buffer.from(name), 0, Buffer.byteLength(name));
}

function runResetstat({ reply, server }: CommandContext): void {
  server.counters.reset();
  for (const entry of server.table.all()) entry.resetStatistics();
  reply.ok();
}

const common = {
  flags: ['admin', 'noscript', 'loading', 'stale'],
  keys: NO_KEYS,
  aclCategories: ['@admin', '@slow', '@dangerous'],
  group: 'server',
  since: '2.0.0',
} as const;

const get = {
  ...common,
  name: 'get',
  arity: -3,
  complexity: 'O(N) where N is the number of settings and patterns.',
  summary: 'Returns the settings whose names match, in our own names and in those of Redis.',
  arguments: [
    { name: 'parameter', type: 'block', multiple: true, arguments: [{ name: 'parameter', type: 'string' }] },
  ],
  run: runGet,
} satisfies CommandSpec;

const resetstat = {
  ...common,
  name: 'resetstat',
  arity: 2,
  complexity: 'O(1)',
  summary: 'Sets the counters of INFO back to zero.',
  run: runResetstat,
} satisfies CommandSpec;

const subcommands: readonly CommandSpec[] = [get, resetstat];

export const config = {
  name: 'config',
  arity: -2,
  flags: [],
  keys: NO_KEYS,
  aclCategories: ['@slow'],
  group: 'server',
  since: '2.0.0',
  complexity: 'Depends on the sub-command.',
  summary: 'Sub-commands about the settings of the server.',
  subcommands: [
    ...subcommands,
    helpOf('config', subcommands, { group: 'server', since: '5.0.0', aclCategories: ['@slow'] }),
  ],
} satisfies CommandSpec;
