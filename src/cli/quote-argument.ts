const LETTERS: ReadonlyMap<number, string> = new Map([
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
  [0x08, '\\b'],
  [0x07, '\\a'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
]);

function quoteByte(byte: number): string {
  const escaped = LETTERS.get(byte);
  if (escaped !== undefined) return escaped;
  if (byte >= 0x20 && byte <= 0x7e) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/** Bytes as one double-quoted word in redis-cli's form: `splitArguments` reads the same bytes back. */
export function quoteArgument(bytes: Uint8Array): string {
  let text = '"';
  for (const byte of bytes) text += quoteByte(byte);
  return `${text}"`;
}
