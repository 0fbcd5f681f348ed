import type { Reply } from '../resp/reply.ts';
import { type ByteText, fromBytes } from './byte-text.ts';
import { asText } from './format-json.ts';
import { formatForTerminal } from './format-terminal.ts';

export const RECORD_NOT_FOUND = 'record not found';
export const EXPIRE_NOT_SET = 'expire not set';

/** Answers undefined where it has no words of its own: the reply is then shown as redis-cli shows it. */
type Wording = (reply: Reply, words: readonly string[]) => ByteText | undefined;

/** The plain value, unless its bytes could steer the terminal or are not text: then quoted. */
const plainValue: Wording = (reply) => {
  if (reply.kind !== 'bulk') return missing(reply, []);
  const text = asText(reply.bytes);
  const safe = text !== undefined && !UNSAFE.test(text);
  return safe ? `${fromBytes(reply.bytes)}\n` : undefined;
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

const missing: Wording = (reply) =>
  reply.kind === 'nil' || reply.kind === 'nilArray' ? `${RECORD_NOT_FOUND}\n` : undefined;

const missingElements: Wording = (reply) =>
  reply.kind === 'array' ? formatForTerminal(reply, { nil: RECORD_NOT_FOUND }) : missing(reply, []);

const onlyWithGetOption: Wording = (reply, words) =>
  words.slice(3).some((word) => word.toLowerCase() === 'get') ? missing(reply, words) : undefined;

/** 1 is done and 0 is a missing key, which holds only while the command has exactly `length` words. */
const doneOrMissing =
  (length: number): Wording =>
  (reply, words) => {
    if (reply.kind !== 'integer' || words.length !== length) return undefined;
    return Number(reply.value) === 0 ? `${RECORD_NOT_FOUND}\n` : 'OK\n';
  };

const secondsLeft: Wording = (reply) => {
  if (reply.kind !== 'integer') return undefined;
  if (Number(reply.value) === -2) return `${RECORD_NOT_FOUND}\n`;
  return Number(reply.value) === -1 ? `${EXPIRE_NOT_SET}\n` : `${reply.value}\n`;
};

/** The commands that a terminal answers in the words of SimpleKV, our predecessor. All else prints as in redis-cli. */
const WORDINGS: ReadonlyMap<string, Wording> = new Map<string, Wording>([
  ['get', plainValue],
  ['del', doneOrMissing(2)],
  ['expire', doneOrMissing(3)],
  ['ttl', secondsLeft],
  ['getdel', missing],
  ['getex', missing],
  ['getset', missing],
  ['dump', missing],
  ['mget', missingElements],
  ['set', onlyWithGetOption],
]);

/** The reply in the predecessor's words, or undefined where redis-cli's form holds. `words[0]` is the command. */
export function predecessorWords(words: readonly string[], reply: Reply): ByteText | undefined {
  return WORDINGS.get(words[0]?.toLowerCase() ?? '')?.(reply, words);
}
