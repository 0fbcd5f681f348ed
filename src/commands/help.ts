import { describeArguments } from './argument-hints.ts';
import type { CommandContext } from './context.ts';
import type { CommandSpec } from './spec.ts';
import { NO_KEYS } from './spec-parts.ts';

/** The HELP sub-command of a container: its text comes from the sub-commands' own data. */
export function helpOf(
  container: string,
  subcommands: readonly CommandSpec[],
  placement: Pick<CommandSpec, 'group' | 'since' | 'aclCategories'>,
): CommandSpec {
  const spec: CommandSpec = {
    ...placement,
    name: 'help',
    arity: 2,
    flags: ['loading', 'stale'],
    keys: NO_KEYS,
    complexity: 'O(1)',
    summary: 'Lists the sub-commands.',
    run: ({ reply }: CommandContext) => {
      const lines = helpLines(container, [...subcommands, spec]);
      reply.array(lines.length);
      for (const line of lines) reply.simple(line);
    },
  };
  return spec;
}

function helpLines(container: string, subcommands: readonly CommandSpec[]): string[] {
  const title = `${container.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`;
  const entries = subcommands.flatMap((spec) => [
    [spec.name.toUpperCase(), describeArguments(spec.arguments ?? [])].join(' ').trimEnd(),
    `    ${spec.summary}`,
  ]);
  return [title, ...entries];
}
