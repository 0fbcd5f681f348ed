import type { Expiry, KeyValueClient } from '../client/key-value-client.ts';
import { CaskadeError } from '../model/errors.ts';
import type { Reply } from '../resp/reply.ts';

interface GrpcCommand {
  /** Least and most words behind the name. */
  readonly words: readonly [number, number];
  readonly parameters: readonly string[];
  readonly summary: string;
  readonly run: (client: KeyValueClient, words: readonly Buffer[]) => Promise<Reply>;
}

const COMMANDS: ReadonlyMap<string, GrpcCommand> = new Map<string, GrpcCommand>([
  [
    'get',
    {
      words: [1, 1],
      parameters: ['key'],
      summary: 'Reads a value.',
      run: async (client, [key]) => {
        const { value } = await client.get(key as Buffer);
        return value === null ? { kind: 'nil' } : { kind: 'bulk', bytes: Buffer.from(value) };
      },
    },
  ],
  [
    'set',
    {
      words: [2, 4],
      parameters: ['key', 'value', '[EX seconds|PX milliseconds]'],
      summary: 'Stores a value.',
      run: async (client, [key, value, unit, amount]) => {
        await client.set(key as Buffer, value as Buffer, expiryOf(unit, amount));
        return { kind: 'simple', text: 'OK' };
      },
    },
  ],
  [
    'del',
    {
      words: [1, 1],
      parameters: ['key'],
      summary: 'Deletes a key.',
      run: async (client, [key]) => oneIf((await client.delete(key as Buffer)).found),
    },
  ],
  ['expire', expireIn(1000, 'seconds')],
  ['pexpire', expireIn(1, 'milliseconds')],
  ['ttl', remaining(1000, 'seconds')],
  ['pttl', remaining(1, 'milliseconds')],
]);

/** Runs one command; what it was called with wrongly is an error reply. Rejects as the client does. */
export async function runGrpcCommand(
  client: KeyValueClient,
  name: string,
  words: readonly Buffer[],
): Promise<Reply> {
  const command = COMMANDS.get(name);
  if (command === undefined) {
    const known = [...COMMANDS.keys()].join(', ');
    return { kind: 'error', text: `ERR unknown command '${name}': over gRPC there are ${known}` };
  }
  const [least, most] = command.words;
  if (words.length < least || words.length > most)
    return { kind: 'error', text: `ERR wrong number of arguments for '${name}' command` };
  return command.run(client, words);
}

/** In the form of COMMAND DOCS, for hints and help. */
export function commandDocs(): Reply {
  const docs = [...COMMANDS].flatMap(([name, { parameters, summary }]) => [
    bulk(name),
    array(
      bulk('summary'),
      bulk(summary),
      bulk('arguments'),
      array(
        ...parameters.map((parameter) => array(bulk('name'), bulk(parameter), bulk('type'), bulk('string'))),
      ),
    ),
  ]);
  return array(...docs);
}

function expireIn(unitMs: number, unit: string): GrpcCommand {
  return {
    words: [2, 2],
    parameters: ['key', unit],
    summary: `Lets a key expire after so many ${unit}; none, or less, deletes it.`,
    run: async (client, [key, amount]) => {
      const ttlMs = Math.max(0, integerOf(amount) * unitMs);
      return oneIf((await client.expire(key as Buffer, { ttlMs })).found);
    },
  };
}

function remaining(unitMs: number, unit: string): GrpcCommand {
  return {
    words: [1, 1],
    parameters: ['key'],
    summary: `How many ${unit} a key still lives; -1: for ever, -2: there is none.`,
    run: async (client, [key]) => {
      const { found, ttlMs } = await client.ttl(key as Buffer);
      if (!found) return { kind: 'integer', value: -2 };
      return { kind: 'integer', value: ttlMs === null ? -1 : Math.round(ttlMs / unitMs) };
    },
  };
}

function expiryOf(unit: Buffer | undefined, amount: Buffer | undefined): Expiry {
  if (unit === undefined) return {};
  const name = unit.toString().toLowerCase();
  if (amount === undefined || (name !== 'ex' && name !== 'px'))
    throw new CaskadeError('invalidArgument', 'syntax error');
  return { ttlMs: integerOf(amount) * (name === 'ex' ? 1000 : 1) };
}

function integerOf(word: Buffer | undefined): number {
  const number = Number(word?.toString());
  if (/^-?\d+$/.test(word?.toString() ?? '') && Number.isSafeInteger(number)) return number;
  throw new CaskadeError('invalidArgument', 'value is not an integer or out of range');
}

const oneIf = (found: boolean): Reply => ({ kind: 'integer', value: found ? 1 : 0 });
const bulk = (text: string): Reply => ({ kind: 'bulk', bytes: Buffer.from(text) });
const array = (...items: Reply[]): Reply => ({ kind: 'array', items });
