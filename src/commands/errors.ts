/** Error texts that several commands share, as Redis words them: clients compare them. */
export const SYNTAX_ERROR = 'ERR syntax error';
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const VALUE_TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)';

export function invalidExpireTime(commandName: string): string {
  return `ERR invalid expire time in '${commandName}' command`;
}

/** `fullName`: as in 'get' or 'client|id'. */
export function wrongArity(fullName: string): string {
  return `ERR wrong number of arguments for '${fullName}' command`;
}
