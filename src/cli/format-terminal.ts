import type { Reply } from '../resp/reply.ts';
import { type ByteText, fromBytes, fromText } from './byte-text.ts';
import { quoteArgument } from './quote-argument.ts';

/** How a null is shown: redis-cli's `(nil)` unless the caller has other words for it. */
export interface TerminalFormOptions {
  readonly nil?: string;
}

/** redis-cli's form on a terminal: typed, numbered, nested by indentation. Ends in a line feed. */
export function formatForTerminal(reply: Reply, options: TerminalFormOptions = {}): ByteText {
  return format(reply, '', options.nil ?? '(nil)');
}

function format(reply: Reply, prefix: string, nil: string): ByteText {
  switch (reply.kind) {
    case 'simple':
      return `${fromText(reply.text)}\n`;
    case 'error':
      return `(error) ${fromText(reply.text)}\n`;
    case 'integer':
      return `(integer) ${reply.value}\n`;
    case 'bulk':
      return `${quoteArgument(reply.bytes)}\n`;
    case 'nil':
    case 'nilArray':
      return `${nil}\n`;
    case 'boolean':
      return reply.value ? '(true)\n' : '(false)\n';
    case 'double':
      return `(double) ${reply.text}\n`;
    case 'bigNumber':
      return `(big number) ${reply.text}\n`;
    case 'verbatim':
      return `${fromBytes(reply.bytes)}\n`;
    case 'array':
    case 'push':
      return formatItems(reply.items, { separator: ')', empty: '(empty array)' }, prefix, nil);
    case 'set':
      return formatItems(reply.items, { separator: '~', empty: '(empty set)' }, prefix, nil);
    case 'map':
      return formatMap(reply.entries, prefix, nil);
    case 'attribute':
      // What is said about a reply is not part of it.
      return format(reply.reply, prefix, nil);
  }
}

interface AggregateStyle {
  readonly separator: string;
  readonly empty: string;
}

function formatItems(
  items: readonly Reply[],
  { separator, empty }: AggregateStyle,
  prefix: string,
  nil: string,
): ByteText {
  if (items.length === 0) return `${empty}\n`;
  const width = String(items.length).length;
  const nested = prefix + ' '.repeat(width + 2);
  return items
    .map((item, index) => label(index, width, separator, prefix) + format(item, nested, nil))
    .join('');
}

function formatMap(entries: readonly (readonly [Reply, Reply])[], prefix: string, nil: string): ByteText {
  if (entries.length === 0) return '(empty hash)\n';
  const width = String(entries.length).length;
  const nested = prefix + ' '.repeat(width + 2);
  return entries
    .map(([key, value], index) => {
      const keyText = format(key, nested, nil).slice(0, -1);
      const valueText = format(value, nested, nil);
      const gap = spansLines(valueText) ? `\n${nested}` : '';
      return `${label(index, width, '#', prefix)}${keyText} => ${gap}${valueText}`;
    })
    .join('');
}

/** The first label of an aggregate carries no prefix: the parent's label stands before it. */
function label(index: number, width: number, separator: string, prefix: string): string {
  return `${index === 0 ? '' : prefix}${String(index + 1).padStart(width)}${separator} `;
}

function spansLines(text: string): boolean {
  return text.indexOf('\n') < text.length - 1;
}
