import { MovedError } from '../cluster/index.ts';
import { CaskadeError } from '../model/errors.ts';

/** Error texts that several commands share, as Redis words them: clients compare them. */
export const SYNTAX_ERROR = 'ERR syntax error';
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
export const CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";
export const VALUE_TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)';

export function invalidExpireTime(commandName: string): string {
  return `ERR invalid expire time in '${commandName}' command`;
}

/** `fullName`: as in 'get' or 'client|id'. */
export function wrongArity(fullName: string): string {
  return `ERR wrong number of arguments for '${fullName}' command`;
}

/**
 * Of a partition's refusal. MOVED has to name a slot and an address: who is not the leader any more, and knows of no
 * other, says that nothing was appended.
 */
export function refusalText(error: CaskadeError): string {
  const isNameless = error.code === 'notLeader' && !(error instanceof MovedError);
  return (isNameless ? new CaskadeError('tryAgain', error.message) : error).respText;
}
