import { LIMITS } from '../../model/limits.ts';
import type { CommandContext } from '../context.ts';

/** A copy of the glob pattern in argument `index`; null if it was refused (and the error is the reply). */
export function patternOf(context: CommandContext, index: number): Buffer | null {
  const { args } = context;
  if (args.length(index) <= LIMITS.patternBytesMax) return args.copy(index);
  context.fail(`ERR pattern of ${args.length(index)} bytes: ${LIMITS.patternBytesMax} are allowed`);
  return null;
}
