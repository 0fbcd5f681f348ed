import type { Action, Operation, Outcome } from './history.ts';

/**
 * A history as text, one operation a line: `client start-end action: reply`. `?` for an end nobody knows, `refused` for
 * a reply that says so. Times are positions and milliseconds at once; equal ones happen in the order of the lines,
 * answers after invocations.
 *
 *   a 1-4 SET k v1: OK
 *   b 2-? INCR k: unknown
 */
export function writtenHistory(text: string): readonly Operation[] {
  return text
    .trim()
    .split('\n')
    .map((line, index) => operationOf(line.trim(), index + 1));
}

const LINE = /^(\w) (\d+)-(\d+|\?) ([^:]+): (.*)$/;

function operationOf(line: string, id: number): Operation {
  const match = LINE.exec(line);
  if (match === null) throw new Error(`not an operation: ${line}`);
  const [, client = '', start = '', end = '', action = '', reply = ''] = match;
  const invoked = Number(start) + id / 1000;
  const returned = end === '?' ? Number.POSITIVE_INFINITY : Number(end) + 0.5 + id / 1000;
  return {
    id,
    client: client.charCodeAt(0) - 'a'.charCodeAt(0),
    partition: 0,
    action: actionOf(action),
    consistency: 'leader',
    invoked,
    returned,
    invokedAtMs: invoked,
    returnedAtMs: returned,
    outcome: outcomeOf(reply),
  };
}

function outcomeOf(text: string): Outcome {
  if (text === 'unknown' || text === 'refused') return { kind: text, reason: 'written' };
  const [reply = '', wall] = text.split(' at ');
  return wall === undefined ? { kind: 'done', reply } : { kind: 'done', reply, wallMs: Number(wall) };
}

function actionOf(text: string): Action {
  const [verb = '', key = '', ...rest] = text.split(' ');
  const keys = [key, ...rest];
  switch (verb) {
    case 'GET':
      return { kind: 'get', key };
    case 'SET':
      if (rest[1] === 'NX') return { kind: 'setIfAbsent', key, value: rest[0] as string };
      return { kind: 'set', key, value: rest[0] as string, dueMs: Number(rest[2] ?? 0) };
    case 'CAS':
      return {
        kind: 'compareAndSet',
        key,
        expected: rest[0] === 'nil' ? null : (rest[0] as string),
        value: rest[1] as string,
      };
    case 'EXEC':
      return {
        kind: 'setIfUnchanged',
        key,
        version: 0,
        expected: rest[0] === 'nil' ? null : (rest[0] as string),
        value: rest[1] as string,
      };
    case 'INCR':
      return { kind: 'increment', key };
    case 'DEL':
      return keys.length > 1 ? { kind: 'multiDelete', keys } : { kind: 'delete', key };
    case 'PEXPIREAT':
      return { kind: 'expireAt', key, dueMs: Number(rest[0]) };
    case 'MGET':
      return { kind: 'multiGet', keys };
    case 'MSET':
      return {
        kind: 'multiSet',
        keys: keys.filter((_, at) => at % 2 === 0),
        values: keys.filter((_, at) => at % 2 === 1),
      };
    case 'FLUSHDB':
      return { kind: 'flush' };
    default:
      throw new Error(`not an action: ${text}`);
  }
}
