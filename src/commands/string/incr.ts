import { asEpochMillis, NO_EXPIRY } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { NOT_AN_INTEGER } from '../errors.ts';
import { INT64_LOWEST, IntegerText, isInt64, parseBigInteger, parseInteger } from '../integer.ts';
import type { CommandSpec } from '../spec.ts';
import { KEY_ARGUMENT, ONE_KEY } from '../spec-parts.ts';

const text = new IntegerText();

/** Adds `delta` to the key's value; `deltaIndex` is the argument it came from (0: none), `sign` what it is to be times. */
function add(context: CommandContext, delta: number, deltaIndex: number, sign: 1 | -1): void {
  if (!context.readAppended(1)) return;
  const { entry } = context;
  const value = entry.found ? parseInteger(entry.bytes, entry.start, entry.end) : 0;
  if (Number.isNaN(value)) {
    context.fail(NOT_AN_INTEGER);
    return;
  }
  const sum = value + delta;
  // Beyond the safe integers, and for plus or minus Infinity, the doubles do not tell.
  if (!Number.isSafeInteger(sum)) {
    addBig(context, delta, deltaIndex, sign);
    return;
  }
  text.write(sum);
  context.reply.integer(sum);
  putText(context);
}

function addBig(context: CommandContext, delta: number, deltaIndex: number, sign: 1 | -1): void {
  const { args, entry, reply } = context;
  const value = entry.found ? parseBigInteger(entry.bytes, entry.start, entry.end) : 0n;
  const bigDelta =
    deltaIndex === 0
      ? BigInt(delta)
      : parseBigInteger(args.bytes, args.start(deltaIndex), args.end(deltaIndex)) * BigInt(sign);
  const sum = value + bigDelta;
  if (!isInt64(sum)) {
    context.fail('ERR increment or decrement would overflow');
    return;
  }
  const digits = sum.toString();
  text.writeText(digits);
  reply.integerText(digits);
  putText(context);
}

function putText(context: CommandContext): void {
  const { entry } = context;
  const expiresAtMs = entry.found ? asEpochMillis(entry.expiresAtMs) : NO_EXPIRY;
  context.put(1, text.bytes, text.start, text.end, expiresAtMs);
}

function addArgument(context: CommandContext, sign: 1 | -1): void {
  const { args } = context;
  const amount = parseInteger(args.bytes, args.start(2), args.end(2));
  if (Number.isNaN(amount)) {
    context.fail(NOT_AN_INTEGER);
    return;
  }
  if (sign < 0 && amount === Number.NEGATIVE_INFINITY && isLowest(context)) {
    context.fail('ERR decrement would overflow');
    return;
  }
  add(context, amount * sign, 2, sign);
}

/** The lowest 64-bit integer has no negative. */
function isLowest({ args }: CommandContext): boolean {
  return parseBigInteger(args.bytes, args.start(2), args.end(2)) === INT64_LOWEST;
}

const common = {
  flags: ['write', 'denyoom', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['RW', 'access', 'update'],
  aclCategories: ['@write', '@string', '@fast'],
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
} as const;

export const incr = {
  ...common,
  name: 'incr',
  arity: 2,
  summary: 'Adds 1 to the integer value of a key; a missing key counts as 0.',
  arguments: [KEY_ARGUMENT],
  run: (context: CommandContext) => add(context, 1, 0, 1),
} satisfies CommandSpec;

export const decr = {
  ...common,
  name: 'decr',
  arity: 2,
  summary: 'Takes 1 from the integer value of a key; a missing key counts as 0.',
  arguments: [KEY_ARGUMENT],
  run: (context: CommandContext) => add(context, -1, 0, 1),
} satisfies CommandSpec;

export const incrby = {
  ...common,
  name: 'incrby',
  arity: 3,
  summary: 'Adds a number to the integer value of a key; a missing key counts as 0.',
  arguments: [KEY_ARGUMENT, { name: 'increment', type: 'integer' }],
  run: (context: CommandContext) => addArgument(context, 1),
} satisfies CommandSpec;

export const decrby = {
  ...common,
  name: 'decrby',
  arity: 3,
  summary: 'Takes a number from the integer value of a key; a missing key counts as 0.',
  arguments: [KEY_ARGUMENT, { name: 'decrement', type: 'integer' }],
  run: (context: CommandContext) => addArgument(context, -1),
} satisfies CommandSpec;
