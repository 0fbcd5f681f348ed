import { asEpochMillis, type EpochMillis, NO_EXPIRY } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { invalidExpireTime, NOT_AN_INTEGER, SYNTAX_ERROR } from '../errors.ts';
import { dueTime } from '../expiry.ts';
import { parseInteger } from '../integer.ts';
import type { CommandSpec } from '../spec.ts';
import { choiceArgument, KEY_ARGUMENT, ONE_KEY, tokenArgument, VALUE_ARGUMENT } from '../spec-parts.ts';

const PLAIN_ARGUMENTS = 3;

/** What stands behind key and value. One object serves all SETs: it is used within one run only. */
class SetOptions {
  onlyIfAbsent = false;
  onlyIfPresent = false;
  returnsOld = false;
  keepsExpiry = false;
  /** Argument that holds the time; 0 = none. */
  timeIndex = 0;
  unitMs = 1;
  isAbsolute = false;

  /** False: a syntax error. */
  parse(context: CommandContext): boolean {
    const { args } = context;
    this.#clear();
    for (let index = PLAIN_ARGUMENTS; index < args.count; index += 1) {
      if (args.is(index, 'NX') && !this.onlyIfPresent) this.onlyIfAbsent = true;
      else if (args.is(index, 'XX') && !this.onlyIfAbsent) this.onlyIfPresent = true;
      else if (args.is(index, 'GET')) this.returnsOld = true;
      else if (args.is(index, 'KEEPTTL') && this.timeIndex === 0) this.keepsExpiry = true;
      else if (this.#parseTime(context, index)) index += 1;
      else return false;
    }
    return true;
  }

  /** True if argument `index` says what the next one, a time, means. */
  #parseTime(context: CommandContext, index: number): boolean {
    const { args } = context;
    if (this.keepsExpiry || index + 1 >= args.count) return false;
    if (args.is(index, 'EX')) return this.#time(index + 1, 1000, false);
    if (args.is(index, 'PX')) return this.#time(index + 1, 1, false);
    if (args.is(index, 'EXAT')) return this.#time(index + 1, 1000, true);
    return args.is(index, 'PXAT') && this.#time(index + 1, 1, true);
  }

  /** False: a time of another kind stands before it. Of two of one kind the last counts, as in Redis. */
  #time(index: number, unitMs: number, isAbsolute: boolean): boolean {
    if (this.timeIndex !== 0 && (unitMs !== this.unitMs || isAbsolute !== this.isAbsolute)) return false;
    this.timeIndex = index;
    this.unitMs = unitMs;
    this.isAbsolute = isAbsolute;
    return true;
  }

  #clear(): void {
    this.onlyIfAbsent = false;
    this.onlyIfPresent = false;
    this.returnsOld = false;
    this.keepsExpiry = false;
    this.timeIndex = 0;
  }
}

const options = new SetOptions();

function run(context: CommandContext): void {
  if (context.args.count > PLAIN_ARGUMENTS) {
    runWithOptions(context);
    return;
  }
  if (!context.fits(context.args.length(2))) return;
  context.reply.ok();
  context.putArgument(1, 2, NO_EXPIRY);
}

function runWithOptions(context: CommandContext): void {
  const { args, entry, reply } = context;
  if (!options.parse(context)) {
    context.fail(SYNTAX_ERROR);
    return;
  }
  const { onlyIfAbsent, onlyIfPresent, returnsOld, keepsExpiry, timeIndex, unitMs } = options;
  let expiresAtMs: EpochMillis | null = NO_EXPIRY;
  if (timeIndex !== 0) expiresAtMs = expiryOf(context, timeIndex, unitMs, options.isAbsolute, 'set');
  if (expiresAtMs === null || !context.fits(args.length(2))) return;

  const looks = onlyIfAbsent || onlyIfPresent || returnsOld || keepsExpiry;
  if (looks && !context.readAppended(1, returnsOld)) return;
  if (returnsOld) context.countLookup();
  const wanted = !(onlyIfAbsent && entry.found) && !(onlyIfPresent && !entry.found);
  // The old value goes out before the append: its bytes may lie where the append writes.
  if (returnsOld) context.replyValue();
  else if (wanted) reply.ok();
  else reply.nil();
  if (!wanted) return;
  if (keepsExpiry && entry.found) expiresAtMs = asEpochMillis(entry.expiresAtMs);
  context.putArgument(1, 2, expiresAtMs);
}

/** The due time that argument `index` asks for; null if it was refused (and the error is the reply). */
export function expiryOf(
  context: CommandContext,
  index: number,
  unitMs: number,
  isAbsolute: boolean,
  commandName: string,
): EpochMillis | null {
  const { args } = context;
  const amount = parseInteger(args.bytes, args.start(index), args.end(index));
  if (Number.isNaN(amount)) {
    context.fail(NOT_AN_INTEGER);
    return null;
  }
  const dueMs = amount > 0 ? dueTime(amount, unitMs, isAbsolute ? 0 : context.clock.wallMs()) : Number.NaN;
  if (!Number.isNaN(dueMs)) return asEpochMillis(dueMs);
  context.fail(invalidExpireTime(commandName));
  return null;
}

export const set = {
  name: 'set',
  arity: -3,
  flags: ['write', 'denyoom'],
  keys: ONE_KEY,
  keyFlags: ['RW', 'access', 'update', 'variable_flags'],
  aclCategories: ['@write', '@string', '@slow'],
  group: 'string',
  since: '1.0.0',
  complexity: 'O(1)',
  summary:
    'Stores a value under a key, whatever the key held before; options make it conditional or let it expire.',
  arguments: [
    KEY_ARGUMENT,
    VALUE_ARGUMENT,
    choiceArgument('condition', [tokenArgument('NX'), tokenArgument('XX')], '2.6.12'),
    tokenArgument('GET', '6.2.0', true),
    choiceArgument('expiration', [
      { name: 'seconds', type: 'integer', token: 'EX', since: '2.6.12' },
      { name: 'milliseconds', type: 'integer', token: 'PX', since: '2.6.12' },
      { name: 'unix-time-seconds', type: 'unix-time', token: 'EXAT', since: '6.2.0' },
      { name: 'unix-time-milliseconds', type: 'unix-time', token: 'PXAT', since: '6.2.0' },
      tokenArgument('KEEPTTL', '6.0.0'),
    ]),
  ],
  run,
} satisfies CommandSpec;
