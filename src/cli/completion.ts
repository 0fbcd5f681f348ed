import type { CommandDoc } from './command-docs.ts';

const OWN_COMMANDS = ['help', 'exit', 'quit', 'clear'] as const;

/**
 * Names that a line may go on to, and the part of the line they replace: what readline asks of a completer. The case
 * of what was typed is kept; `help` is completed with the names of commands.
 */
export function completeLine(line: string, docs: readonly CommandDoc[]): [string[], string] {
  const names = [...new Set([...docs.map(({ name }) => name), ...OWN_COMMANDS])].sort();
  const [, help = '', typed = ''] = /^(\s*help\s+)?(.*)$/is.exec(line) ?? [];
  const prefix = typed.trimStart();
  const upper = prefix !== '' && prefix === prefix.toUpperCase() && prefix !== prefix.toLowerCase();
  const hits = names
    .filter((name) => name.startsWith(prefix.toLowerCase()))
    .filter((name) => help === '' || !OWN_COMMANDS.includes(name as (typeof OWN_COMMANDS)[number]))
    // A container's sub-commands come once its own word is typed, so that TAB is not answered with all of them.
    .filter((name) => prefix.includes(' ') || !name.includes(' '))
    .map((name) => `${upper ? name.toUpperCase() : name} `);
  return [hits, prefix];
}
