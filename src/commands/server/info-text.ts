/** One line of INFO. */
export type InfoField = readonly [name: string, value: string | number];

export interface InfoSection {
  readonly title: string;
  readonly fields: readonly InfoField[];
}

/** Sections as INFO prints them: title, `name:value` lines, an empty line between two. */
export function infoText(sections: readonly InfoSection[]): string {
  return sections
    .map(
      ({ title, fields }) =>
        `# ${title}\r\n${fields.map(([name, value]) => `${name}:${value}\r\n`).join('')}`,
    )
    .join('\r\n');
}

const UNITS = ['K', 'M', 'G', 'T', 'P'];

/** Bytes for people, as Redis writes them: 512B, 1.50K, 2.25G. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let value = bytes;
  let unit = '';
  for (const next of UNITS) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${value.toFixed(2)}${unit}`;
}

/** `part` of `whole` with two decimals, 0.00 of nothing. */
export function ratio(part: number, whole: number, factor = 1): string {
  return (whole === 0 ? 0 : (part / whole) * factor).toFixed(2);
}
