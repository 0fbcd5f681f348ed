import { LIMITS } from '../../model/limits.ts';
import type { CommandContext } from '../context.ts';

const FIRST_PRINTABLE = 0x21;
const LAST_PRINTABLE = 0x7e;

/**
 * The name, library name or version in argument `index`; null if it was refused (and the error is the reply). They
 * appear in lists with spaces between the fields, so none may hold a space or anything that does not print.
 */
export function clientAttribute(context: CommandContext, index: number, what: string): string | null {
  const { args } = context;
  if (args.length(index) > LIMITS.clientNameBytesMax) {
    context.fail(`ERR ${what} of ${args.length(index)} bytes: ${LIMITS.clientNameBytesMax} are allowed`);
    return null;
  }
  for (let at = args.start(index); at < args.end(index); at += 1) {
    const byte = args.bytes[at] as number;
    if (byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE) continue;
    context.fail(`ERR ${what} cannot contain spaces, newlines or special characters.`);
    return null;
  }
  return args.text(index);
}
