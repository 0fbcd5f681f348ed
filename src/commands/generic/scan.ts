import { LIMITS } from '../../model/limits.ts';
import type { CommandContext } from '../context.ts';
import { NOT_AN_INTEGER, SYNTAX_ERROR } from '../errors.ts';
import { Glob } from '../glob.ts';
import { parseInteger } from '../integer.ts';
import { KeyList } from '../key-list.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';
import { patternOf } from './pattern.ts';

/** Positions within a partition are below it; a cursor is partition id times it plus position, below 2^53. */
export const POSITIONS = 2 ** 33;
const COUNT_DEFAULT = 10;
const MATCH_ALL = Buffer.from('*');
const UINT64_MAX = 2n ** 64n - 1n;

interface ScanOptions {
  readonly glob: Glob;
  readonly count: number;
  /** False: TYPE asked for something that no key is. */
  readonly isStringWanted: boolean;
}

function run(context: CommandContext): void {
  const cursor = parseCursor(context);
  if (cursor === null) return;
  const options = parseOptions(context);
  if (options === null || !context.allSettled()) return;
  const list = new KeyList();
  const next = scanFrom(context, cursor, options, list);
  context.reply.array(2);
  context.reply.bulkText(String(next));
  list.write(context.reply);
}

function parseCursor(context: CommandContext): number | null {
  const cursor = cursorOf(context.args.text(1));
  if (cursor === null) context.fail('ERR invalid cursor');
  return cursor;
}

/** A number as the C library reads one, which is how Redis takes it: the empty text is 0. Null: it is none. */
export function cursorOf(text: string): number | null {
  if (!/^[+-]?\d{0,20}$/.test(text)) return null;
  const value = BigInt(text.replace(/^[+-]/, '') || '0');
  if (value > UINT64_MAX) return null;
  // A negative one wraps around in C and lies behind every key.
  return text.startsWith('-') && value > 0n ? Number(UINT64_MAX) : Number(value);
}

function parseOptions(context: CommandContext): ScanOptions | null {
  const { args } = context;
  let glob: Glob | null = null;
  let count = COUNT_DEFAULT;
  let isStringWanted = true;
  for (let index = 2; index < args.count; index += 2) {
    const hasValue = index + 1 < args.count;
    if (hasValue && args.is(index, 'COUNT')) {
      count = parseInteger(args.bytes, args.start(index + 1), args.end(index + 1));
      if (Number.isNaN(count)) return refuse(context, NOT_AN_INTEGER);
      if (count < 1) return refuse(context, SYNTAX_ERROR);
    } else if (hasValue && args.is(index, 'MATCH')) {
      const pattern = patternOf(context, index + 1);
      if (pattern === null) return null;
      glob = new Glob(pattern);
    } else if (hasValue && args.is(index, 'TYPE')) {
      isStringWanted = args.is(index + 1, 'STRING');
    } else {
      return refuse(context, SYNTAX_ERROR);
    }
  }
  return { glob: glob ?? new Glob(MATCH_ALL), count: Math.min(count, LIMITS.keysPerSlice), isStringWanted };
}

function refuse(context: CommandContext, text: string): null {
  context.fail(text);
  return null;
}

/** Visits about `count` keys from `cursor` on and returns the cursor to go on from, 0 at the end. */
function scanFrom(context: CommandContext, cursor: number, options: ScanOptions, list: KeyList): number {
  const { clock, router, session } = context;
  const untilMs = clock.monotonicMs() + LIMITS.sliceMsMax;
  let position = cursor % POSITIONS;
  let visited = 0;
  const visit = (bytes: Uint8Array, start: number, end: number): void => {
    visited += 1;
    if (options.isStringWanted && (options.glob.matchesAll || options.glob.matches(bytes, start, end))) {
      list.add(bytes, start, end);
    }
  };
  const fromId = Math.floor(cursor / POSITIONS);
  // No call ends where it began, however late it is: from partition 0 that cursor would say that all is done.
  let isBegun = false;
  for (const partition of router.partitions) {
    if (partition.id < fromId) continue;
    if (partition.id > fromId) position = 0;
    const start = partition.id * POSITIONS;
    if (isBegun && (visited >= options.count || clock.monotonicMs() >= untilMs)) return start + position;
    isBegun = true;
    do {
      const step = Math.min(options.count - visited, LIMITS.keysPerStep);
      position = partition.scan(session.database, position, step, visit);
    } while (position !== 0 && visited < options.count && clock.monotonicMs() < untilMs);
    if (position !== 0) return start + position;
  }
  return 0;
}

export const scan = {
  name: 'scan',
  arity: -2,
  flags: ['readonly'],
  keys: NO_KEYS,
  aclCategories: ['@keyspace', '@read', '@slow'],
  tips: ['nondeterministic_output', 'request_policy:special'],
  scatter: { split: 'cursor', gather: 'cursor' },
  group: 'generic',
  since: '2.8.0',
  complexity: 'O(1) for every call, O(N) for a whole scan, where N is the number of keys.',
  summary: 'Walks over the keys in steps: each call returns some of them and the cursor for the next call.',
  arguments: [
    { name: 'cursor', type: 'integer' },
    { name: 'pattern', type: 'pattern', token: 'MATCH', optional: true },
    { name: 'count', type: 'integer', token: 'COUNT', optional: true },
    { name: 'type', type: 'string', token: 'TYPE', since: '6.0.0', optional: true },
  ],
  run,
} satisfies CommandSpec;
