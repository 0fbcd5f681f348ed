/** Sizes and durations as people write them: `64mb`, `500ms`. Without a unit they are bytes and milliseconds. */

const KiB = 1024;
/** Redis' own convention: `mb` counts in 1024s, `m` in 1000s. */
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: KiB,
  kib: KiB,
  m: 1000 ** 2,
  mb: KiB ** 2,
  mib: KiB ** 2,
  g: 1000 ** 3,
  gb: KiB ** 3,
  gib: KiB ** 3,
};

const MILLISECONDS_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function parse(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^(\d+) ?([a-z]*)$/i.exec(text);
  const factor = units[match?.[2]?.toLowerCase() ?? ''];
  if (match === null || factor === undefined) return null;
  const value = Number(match[1]) * factor;
  return Number.isSafeInteger(value) ? value : null;
}

/** Writes `value` with the largest of `names` that divides it. */
function format(value: number, units: Readonly<Record<string, number>>, names: readonly string[]): string {
  const unit = names.find((name) => value !== 0 && value % (units[name] ?? 0) === 0);
  return unit === undefined ? String(value) : `${value / (units[unit] ?? 1)}${unit}`;
}

export const parseBytes = (text: string): number | null => parse(text, BYTES_PER_UNIT);
export const formatBytes = (bytes: number): string => format(bytes, BYTES_PER_UNIT, ['gb', 'mb', 'kb']);
export const parseMilliseconds = (text: string): number | null => parse(text, MILLISECONDS_PER_UNIT);
export const formatMilliseconds = (ms: number): string =>
  format(ms, MILLISECONDS_PER_UNIT, ['d', 'h', 'min', 's', 'ms']);
