import type { CommandArgument } from './spec.ts';

/** Arguments as a usage line: 'key value [NX|XX] [EX <seconds>]'. */
export function describeArguments(list: readonly CommandArgument[]): string {
  return list.map(describe).join(' ');
}

function describe(argument: CommandArgument): string {
  const parts = [argument.token ?? '', describeValue(argument)].filter((part) => part !== '');
  const once = parts.join(' ');
  const repeated = argument.multiple === true ? `${once} [${once} ...]` : once;
  return argument.optional === true ? `[${repeated}]` : repeated;
}

function describeValue(argument: CommandArgument): string {
  const inner = argument.arguments ?? [];
  switch (argument.type) {
    case 'pure-token':
      return '';
    case 'oneof':
      return inner.map(describe).join('|');
    case 'block':
      return describeArguments(inner);
    default:
      return `<${argument.name}>`;
  }
}
