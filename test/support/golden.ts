import { readFileSync } from 'node:fs';

/**
 * Loads annotated bytes from test/golden/<name>: hex digits in any grouping; "text in quotes" stands for its UTF-8 bytes;
 * '#' begins a comment that ends with the line.
 */
export function loadGolden(name: string): Buffer {
  return parseGolden(readFileSync(`test/golden/${name}`, 'utf8'));
}

export function parseGolden(text: string): Buffer {
  const parts: Buffer[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    let rest = line;
    while (rest !== '') {
      const token = /^(?:\s+|#.*|"(?<quoted>[^"]*)"|(?<hex>(?:[0-9a-fA-F]{2})+))/.exec(rest);
      if (token === null)
        throw new Error(`line ${index + 1}: '${rest}' is neither hex nor quoted text nor a comment`);
      const { quoted, hex } = token.groups ?? {};
      if (quoted !== undefined) parts.push(Buffer.from(quoted));
      if (hex !== undefined) parts.push(Buffer.from(hex, 'hex'));
      rest = rest.slice(token[0].length);
    }
  }
  return Buffer.concat(parts);
}
