import type { Reply } from '../resp/reply.ts';
import { type ByteText, fromBytes, fromText } from './byte-text.ts';

/** redis-cli's form for a pipe: the bare bytes, one element a line. No line feed at the end, except after an error. */
export function formatRaw(reply: Reply): ByteText {
  switch (reply.kind) {
    case 'simple':
      return fromText(reply.text);
    case 'error':
      return `${fromText(reply.text)}\n`;
    case 'integer':
      return `${reply.value}`;
    case 'bulk':
    case 'verbatim':
      return fromBytes(reply.bytes);
    case 'nil':
    case 'nilArray':
      return '';
    case 'boolean':
      return reply.value ? '(true)' : '(false)';
    case 'double':
    case 'bigNumber':
      return reply.text;
    case 'array':
    case 'set':
    case 'push':
      return reply.items.map(formatRaw).join('\n');
    case 'map':
      return reply.entries.map(([key, value]) => `${formatRaw(key)} ${formatRaw(value)}`).join('\n');
    case 'attribute':
      return formatRaw(reply.reply);
  }
}
