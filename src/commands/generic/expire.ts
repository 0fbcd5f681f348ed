import { asEpochMillis } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { invalidExpireTime, NOT_AN_INTEGER } from '../errors.ts';
import { dueTime } from '../expiry.ts';
import { parseInteger } from '../integer.ts';
import type { CommandArgument, CommandSpec } from '../spec.ts';
import { choiceArgument, KEY_ARGUMENT, ONE_KEY, tokenArgument } from '../spec-parts.ts';

const NX = 1;
const XX = 2;
const GT = 4;
const LT = 8;
const NOT_UNDERSTOOD = -1;

function expireIn(context: CommandContext, unitMs: number, commandName: string): void {
  const conditions = parseConditions(context);
  if (conditions === NOT_UNDERSTOOD) return;
  const dueMs = parseDueTime(context, unitMs, commandName);
  if (Number.isNaN(dueMs)) return;
  if (!context.readAppended(1, false)) return;
  const { entry, reply } = context;
  if (!entry.found || !allows(conditions, entry.expiresAtMs, dueMs)) {
    reply.integer(0);
    return;
  }
  reply.integer(1);
  if (dueMs <= context.clock.wallMs()) context.remove(1);
  else context.changeExpiry(1, asEpochMillis(dueMs));
}

/** Bits of the options; NOT_UNDERSTOOD if they were refused (and the error is the reply). */
function parseConditions(context: CommandContext): number {
  const { args } = context;
  let conditions = 0;
  for (let index = 3; index < args.count; index += 1) {
    if (args.is(index, 'NX')) conditions |= NX;
    else if (args.is(index, 'XX')) conditions |= XX;
    else if (args.is(index, 'GT')) conditions |= GT;
    else if (args.is(index, 'LT')) conditions |= LT;
    else return refuse(context, `ERR Unsupported option ${args.text(index)}`);
  }
  if ((conditions & NX) !== 0 && conditions !== NX) {
    return refuse(context, 'ERR NX and XX, GT or LT options at the same time are not compatible');
  }
  if ((conditions & (GT | LT)) === (GT | LT)) {
    return refuse(context, 'ERR GT and LT options at the same time are not compatible');
  }
  return conditions;
}

function refuse(context: CommandContext, text: string): number {
  context.fail(text);
  return NOT_UNDERSTOOD;
}

function parseDueTime(context: CommandContext, unitMs: number, commandName: string): number {
  const { args, clock } = context;
  const amount = parseInteger(args.bytes, args.start(2), args.end(2));
  const dueMs = dueTime(amount, unitMs, clock.wallMs());
  if (Number.isNaN(amount)) context.fail(NOT_AN_INTEGER);
  else if (Number.isNaN(dueMs)) context.fail(invalidExpireTime(commandName));
  return dueMs;
}

/** `currentMs` 0 = the key never expires, which GT and LT take for infinitely late. */
function allows(conditions: number, currentMs: number, dueMs: number): boolean {
  if ((conditions & NX) !== 0 && currentMs !== 0) return false;
  if ((conditions & XX) !== 0 && currentMs === 0) return false;
  if ((conditions & GT) !== 0 && (currentMs === 0 || dueMs <= currentMs)) return false;
  return !((conditions & LT) !== 0 && currentMs !== 0 && dueMs >= currentMs);
}

function expireArguments(unit: string): readonly CommandArgument[] {
  const conditions = ['NX', 'XX', 'GT', 'LT'].map((token) => tokenArgument(token));
  return [KEY_ARGUMENT, { name: unit, type: 'integer' }, choiceArgument('condition', conditions, '7.0.0')];
}

const common = {
  arity: -3,
  flags: ['write', 'fast'],
  keys: ONE_KEY,
  keyFlags: ['RW', 'update'],
  aclCategories: ['@keyspace', '@write', '@fast'],
  group: 'generic',
  complexity: 'O(1)',
} as const;

export const expire = {
  ...common,
  name: 'expire',
  since: '1.0.0',
  summary: 'Lets a key expire after so many seconds; a time in the past deletes it.',
  arguments: expireArguments('seconds'),
  run: (context: CommandContext) => expireIn(context, 1000, 'expire'),
} satisfies CommandSpec;

export const pexpire = {
  ...common,
  name: 'pexpire',
  since: '2.6.0',
  summary: 'Lets a key expire after so many milliseconds; a time in the past deletes it.',
  arguments: expireArguments('milliseconds'),
  run: (context: CommandContext) => expireIn(context, 1, 'pexpire'),
} satisfies CommandSpec;
