import type { Reply } from '../resp/reply.ts';

/**
 * One line of valid JSON, without a line feed. Unlike redis-cli's, it can always be parsed: an error is
 * `{"error":"ERR ..."}`, bytes that are not UTF-8 are `{"base64":"..."}`, infinities and NaN are strings.
 */
export function formatJson(reply: Reply): string {
  switch (reply.kind) {
    case 'simple':
      return JSON.stringify(reply.text);
    case 'error':
      return JSON.stringify({ error: reply.text });
    case 'integer':
      return `${reply.value}`;
    case 'bulk':
    case 'verbatim':
      return formatBytes(reply.bytes);
    case 'nil':
    case 'nilArray':
      return 'null';
    case 'boolean':
      return reply.value ? 'true' : 'false';
    case 'double':
      return Number.isFinite(reply.value) ? JSON.stringify(reply.value) : JSON.stringify(reply.text);
    case 'bigNumber':
      return reply.text.replace(/^\+/, '');
    case 'array':
    case 'set':
    case 'push':
      return `[${reply.items.map(formatJson).join(',')}]`;
    case 'map':
      return `{${reply.entries.map(([key, value]) => `${formatKey(key)}:${formatJson(value)}`).join(',')}}`;
    case 'attribute':
      return formatJson(reply.reply);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function formatBytes(bytes: Buffer): string {
  const text = asText(bytes);
  return text === undefined ? JSON.stringify({ base64: bytes.toString('base64') }) : JSON.stringify(text);
}

/** The bytes as text, or undefined when they are not UTF-8. */
export function asText(bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    // The only way a fatal decoder says "not UTF-8".
    return undefined;
  }
}

/** JSON knows only strings as keys. */
function formatKey(key: Reply): string {
  const text = formatJson(key);
  return text.startsWith('"') ? text : JSON.stringify(text);
}
