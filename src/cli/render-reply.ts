import type { Reply } from '../resp/reply.ts';
import { type ByteText, toBytes } from './byte-text.ts';
import { formatJson } from './format-json.ts';
import { formatRaw } from './format-raw.ts';
import { formatForTerminal } from './format-terminal.ts';
import { predecessorWords } from './predecessor-words.ts';

/**
 * `words`: a terminal, in the predecessor's words. `terminal`: redis-cli's on a terminal. `raw`: redis-cli's in a
 * pipe. `json`: one line of JSON a reply.
 */
export type OutputForm = 'words' | 'terminal' | 'raw' | 'json';

export function chooseForm(options: { redis: boolean; json: boolean; terminal: boolean }): OutputForm {
  if (options.json) return 'json';
  if (!options.terminal) return 'raw';
  return options.redis ? 'terminal' : 'words';
}

/** Replies that are made to be read as they are: redis-cli prints them raw wherever it runs. */
const READABLE: ReadonlySet<string> = new Set([
  'info',
  'lolwut',
  'client list',
  'client info',
  'cluster info',
  'cluster nodes',
  'memory doctor',
  'memory malloc-stats',
  'latency doctor',
  'latency graph',
]);

function isReadable(words: readonly string[]): boolean {
  const [first = '', second = ''] = words.map((word) => word.toLowerCase());
  return READABLE.has(first) || READABLE.has(`${first} ${second}`);
}

/** The bytes to print for a reply; `words` is the command it answers. */
export function renderReply(form: OutputForm, words: readonly string[], reply: Reply): Buffer {
  return toBytes(render(form, words, reply));
}

function render(form: OutputForm, words: readonly string[], reply: Reply): ByteText {
  if (form === 'json') return `${Buffer.from(formatJson(reply)).toString('latin1')}\n`;
  if (isReadable(words) && reply.kind !== 'error') return withLineEnd(formatRaw(reply));
  if (form === 'raw') return `${formatRaw(reply)}\n`;
  if (form === 'words') return predecessorWords(words, reply) ?? formatForTerminal(reply);
  return formatForTerminal(reply);
}

const withLineEnd = (text: ByteText): ByteText => (text.endsWith('\n') ? text : `${text}\n`);
