import type { CommandArgument, KeyRange } from './spec.ts';

/** The key is the first argument. */
export const ONE_KEY: KeyRange = { first: 1, last: 1, step: 1 };
/** Every argument is a key. */
export const ALL_KEYS: KeyRange = { first: 1, last: -1, step: 1 };
/** Keys and values take turns. */
export const KEY_VALUE_PAIRS: KeyRange = { first: 1, last: -1, step: 2 };
export const NO_KEYS: KeyRange = { first: 0, last: 0, step: 0 };

export const KEY_ARGUMENT: CommandArgument = { name: 'key', type: 'key', keySpecIndex: 0 };
export const KEYS_ARGUMENT: CommandArgument = { ...KEY_ARGUMENT, multiple: true };
export const VALUE_ARGUMENT: CommandArgument = { name: 'value', type: 'string' };

/** An argument that is nothing but its token. */
export function tokenArgument(token: string, since?: string, optional = false): CommandArgument {
  const argument = { name: token.toLowerCase(), type: 'pure-token', token, optional } as const;
  return since === undefined ? argument : { ...argument, since };
}

/** One of several tokens. */
export function choiceArgument(
  name: string,
  tokens: readonly CommandArgument[],
  since?: string,
): CommandArgument {
  const argument = { name, type: 'oneof', optional: true, arguments: tokens } as const;
  return since === undefined ? argument : { ...argument, since };
}
