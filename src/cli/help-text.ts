import type { CommandDoc } from './command-docs.ts';
import { commandSyntax } from './command-hints.ts';

const GENERAL = `caskade cli: type a command, as in: set hello 1

  help COMMAND    what a command does, as in: help set
  help @GROUP     the commands of a group, as in: help @string
  N COMMAND       runs the command N times, as in: 3 incr counter
  clear           clears the screen
  exit, quit      leaves, as does Ctrl-D
  TAB completes, Ctrl-R searches the history, Ctrl-C cancels the line

Words with spaces are quoted: "line\\n" knows \\n \\r \\t \\b \\a \\xHH, 'as it is' knows only \\'.
`;

/** The answer to `help` and the words after it. */
export function helpText(topic: readonly string[], docs: readonly CommandDoc[]): string {
  const wanted = topic.join(' ').toLowerCase();
  if (wanted === '') return GENERAL;
  if (docs.length === 0) return 'The server does not describe its commands (COMMAND DOCS).\n';
  const found = wanted.startsWith('@')
    ? docs.filter(({ group }) => group === wanted.slice(1))
    : docs.filter(({ name }) => name === wanted || name.startsWith(`${wanted} `));
  if (found.length === 0) return `No help on '${topic.join(' ')}': 'help' lists what can be asked.\n`;
  return found.map(describe).join('');
}

function describe(command: CommandDoc): string {
  const facts = [
    ['summary', command.summary],
    ['since', command.since],
    ['group', command.group],
  ].filter(([, text]) => text !== '');
  return `\n  ${commandSyntax(command)}\n${facts.map(([name, text]) => `  ${name}: ${text}\n`).join('')}`;
}
