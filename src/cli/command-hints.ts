import type { ArgumentDoc, CommandDoc } from './command-docs.ts';

/** `key`, `[NX|XX]`, `[EX seconds]`, `key [key ...]`: how redis-cli writes an argument. */
export function argumentSyntax(argument: ArgumentDoc): string {
  const one = withToken(argument, bareSyntax(argument));
  const repeated = argument.multipleToken ? one : bareSyntax(argument);
  const text = argument.multiple ? `${one} [${repeated} ...]` : one;
  return argument.optional ? `[${text}]` : text;
}

function bareSyntax(argument: ArgumentDoc): string {
  if (argument.type === 'oneof') return argument.parts.map(argumentSyntax).join('|');
  if (argument.type === 'block') return argument.parts.map(argumentSyntax).join(' ');
  return argument.type === 'pure-token' ? '' : argument.name;
}

function withToken({ token }: ArgumentDoc, bare: string): string {
  if (token === undefined) return bare;
  const shown = token === '' ? '""' : token;
  return bare === '' ? shown : `${shown} ${bare}`;
}

export function commandSyntax(command: CommandDoc): string {
  return [command.name.toUpperCase(), ...command.parts.map(argumentSyntax)].join(' ');
}

/** The command a line begins with: of two words where there is one, as `client setname`. */
export function findCommand(words: readonly string[], docs: readonly CommandDoc[]): CommandDoc | undefined {
  const [first = '', second = ''] = words.map((word) => word.toLowerCase());
  return docs.find(({ name }) => name === `${first} ${second}`) ?? docs.find(({ name }) => name === first);
}

/** What may still follow `words`, or '' when nothing is known. */
export function hintFor(words: readonly string[], docs: readonly CommandDoc[]): string {
  const command = findCommand(words, docs);
  if (command === undefined) return '';
  const given = words.slice(command.name.split(' ').length);
  return remaining(command.parts, given).map(argumentSyntax).join(' ');
}

/**
 * Required arguments are used up in their order; an optional one once its token is there. An argument that may be
 * repeated stays.
 */
function remaining(parts: readonly ArgumentDoc[], given: readonly string[]): ArgumentDoc[] {
  const left: ArgumentDoc[] = [];
  let at = 0;
  const typed = new Set(given.map((word) => word.toUpperCase()));
  for (const part of parts) {
    if (part.optional) {
      if (!tokensOf(part).some((token) => typed.has(token))) left.push(part);
    } else if (part.multiple) {
      left.push(part);
      at = given.length;
    } else if (at < given.length) at += wordsOf(part);
    else left.push(part);
  }
  return left;
}

function wordsOf(argument: ArgumentDoc): number {
  const token = argument.token === undefined ? 0 : 1;
  if (argument.type === 'pure-token') return 1;
  if (argument.type !== 'block') return token + 1;
  return token + argument.parts.reduce((sum, part) => sum + (part.optional ? 0 : wordsOf(part)), 0);
}

function tokensOf(argument: ArgumentDoc): string[] {
  const own = argument.token === undefined ? [] : [argument.token.toUpperCase()];
  return [...own, ...argument.parts.flatMap(tokensOf)];
}
