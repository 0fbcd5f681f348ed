import { asEpochMillis, NO_EXPIRY } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { KEY_ARGUMENT, ONE_KEY, VALUE_ARGUMENT } from '../spec-parts.ts';

/** Results up to this size are put together in one buffer that is kept. */
const SCRATCH_BYTES = 64 * 1024;
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

function run(context: CommandContext): void {
  if (!context.readAppended(1)) return;
  const { args, entry, reply } = context;
  const oldLength = entry.found ? entry.valueLength : 0;
  const length = oldLength + args.length(2);
  if (!context.fits(length)) return;
  reply.integer(length);
  if (oldLength === 0) {
    context.putArgument(1, 2, entry.found ? asEpochMillis(entry.expiresAtMs) : NO_EXPIRY);
  } else {
    const joined = length <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(length);
    joined.set(entry.bytes.subarray(entry.start, entry.end), 0);
    args.bytes.copy(joined, oldLength, args.start(2), args.end(2));
    context.put(1, joined, 0, length, asEpochMillis(entry.expiresAtMs));
  }
}

export const append = {
  name: 'append',
  arity: 3,
  flags: ['write', 'denyoom', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['RW', 'insert'],
  aclCategories: ['@write', '@string', '@fast'],
  group: 'string',
  since: '2.0.0',
  complexity: 'O(N) where N is the length of the new value: it is written to the log as a whole.',
  summary:
    'Adds bytes at the end of the value of a key, which is created if it is missing; answers the new length.',
  arguments: [KEY_ARGUMENT, VALUE_ARGUMENT],
  run,
} satisfies CommandSpec;
