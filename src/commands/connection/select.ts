import { LIMITS } from '../../model/limits.ts';
import { asDatabaseId } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { NOT_AN_INTEGER } from '../errors.ts';
import { parseInteger } from '../integer.ts';
import { modeOf } from '../ports.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

function run(context: CommandContext): void {
  const { args, reply, session } = context;
  const index = parseInteger(args.bytes, args.start(1), args.end(1));
  if (Number.isNaN(index)) {
    context.fail(NOT_AN_INTEGER);
    return;
  }
  if (index > INT32_MAX || index < INT32_MIN) {
    context.fail(`ERR value is out of range, value must between ${INT32_MIN} and ${INT32_MAX}`);
    return;
  }
  if (index !== 0 && modeOf(context.server) === 'cluster') {
    context.fail('ERR SELECT is not allowed in cluster mode');
    return;
  }
  if (index < 0 || index >= LIMITS.databasesMax) {
    context.fail('ERR DB index is out of range');
    return;
  }
  session.database = asDatabaseId(index);
  reply.ok();
}

export const select = {
  name: 'select',
  arity: 2,
  flags: ['loading', 'stale', 'fast'],
  keys: NO_KEYS,
  aclCategories: ['@fast', '@connection'],
  group: 'connection',
  since: '1.0.0',
  complexity: 'O(1)',
  summary: 'Chooses the database of this connection.',
  arguments: [{ name: 'index', type: 'integer' }],
  run,
} satisfies CommandSpec;
