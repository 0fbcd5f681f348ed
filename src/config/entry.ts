import { z } from 'zod';
import { formatAddress, isHost, PORT_MAX, parseAddress } from './address.ts';
import { formatBytes, formatMilliseconds, parseBytes, parseMilliseconds } from './units.ts';

/**
 * One configuration key: what may be written, what it becomes, its default and its meaning, in one place. Every
 * source (file, environment, flag) gives text, so a value means the same wherever it stands.
 */
export interface Entry<Value> {
  readonly schema: z.ZodType<Value, string>;
  readonly fallback: Value;
  /** What may be written, as the end of a sentence: "an integer from 1 to 9". */
  readonly allowed: string;
  readonly doc: string;
  /** Never shown, neither in an error nor in the effective configuration. */
  readonly secret: boolean;
  /** May be written as a YAML list. */
  readonly list: boolean;
  /** The value as one would write it. */
  show(value: Value): string;
}

interface Facts<Value> {
  readonly default: Value;
  readonly doc: string;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

function entry<Value>(
  facts: Facts<Value>,
  form: Pick<Entry<Value>, 'schema' | 'allowed' | 'show'> & Partial<Pick<Entry<Value>, 'secret' | 'list'>>,
): Entry<Value> {
  return { secret: false, list: false, ...form, fallback: facts.default, doc: facts.doc };
}

/** A schema from a parser that answers null for what it does not understand. */
function parsed<Value>(parse: (text: string) => Value | null): z.ZodType<Value, string> {
  return z.string().transform((text, context) => {
    const value = parse(text.trim());
    if (value !== null) return value;
    context.addIssue({ code: 'custom', message: 'not understood' });
    return z.NEVER;
  });
}

function inRange(parse: (text: string) => number | null, { min, max }: Range): z.ZodType<number, string> {
  return parsed(parse).pipe(z.number().min(min).max(max));
}

const parseInteger = (text: string): number | null => (/^-?\d{1,15}$/.test(text) ? Number(text) : null);
const parseDecimal = (text: string): number | null => (/^\d+(?:\.\d+)?$/.test(text) ? Number(text) : null);

/** `String` itself takes anything. */
const plainly = <Value extends string | number | boolean>(value: Value): string => String(value);

export function integer(facts: Facts<number> & Range): Entry<number> {
  return entry(facts, {
    schema: inRange(parseInteger, facts),
    allowed: `an integer from ${facts.min} to ${facts.max}`,
    show: plainly,
  });
}

export function port(facts: Facts<number>): Entry<number> {
  return integer({ ...facts, min: 0, max: PORT_MAX });
}

export function ratio(facts: Facts<number> & Range): Entry<number> {
  return entry(facts, {
    schema: inRange(parseDecimal, facts),
    allowed: `a number from ${facts.min} to ${facts.max}`,
    show: plainly,
  });
}

export function bytes(facts: Facts<number> & Range): Entry<number> {
  return entry(facts, {
    schema: inRange(parseBytes, facts),
    allowed: `a size from ${formatBytes(facts.min)} to ${formatBytes(facts.max)}, such as 64mb`,
    show: formatBytes,
  });
}

export function duration(facts: Facts<number> & Range): Entry<number> {
  return entry(facts, {
    schema: inRange(parseMilliseconds, facts),
    allowed: `a duration from ${formatMilliseconds(facts.min)} to ${formatMilliseconds(facts.max)}, such as 500ms`,
    show: formatMilliseconds,
  });
}

const TRUE = ['true', 'yes', 'on', '1'];
const FALSE = ['false', 'no', 'off', '0'];

export function flag(facts: Facts<boolean>): Entry<boolean> {
  return entry(facts, {
    schema: parsed((text) => {
      if (TRUE.includes(text.toLowerCase())) return true;
      return FALSE.includes(text.toLowerCase()) ? false : null;
    }),
    allowed: 'true or false',
    show: plainly,
  });
}

export function oneOf<const Name extends string>(
  names: readonly Name[],
  facts: Facts<NoInfer<Name>>,
): Entry<Name> {
  return entry(facts, {
    schema: parsed((text) => names.find((name) => name === text.toLowerCase()) ?? null),
    allowed: names.join(' | '),
    show: plainly,
  });
}

export function text(
  facts: Facts<string> & { pattern: RegExp; allowed: string; secret?: boolean },
): Entry<string> {
  return entry(facts, {
    schema: parsed((value) => (facts.pattern.test(value) ? value : null)),
    allowed: facts.allowed,
    secret: facts.secret ?? false,
    show: plainly,
  });
}

export function host(facts: Facts<string>): Entry<string> {
  return entry(facts, {
    schema: parsed((value) => (isHost(value) ? value : null)),
    allowed: 'a host name or an IP address',
    show: plainly,
  });
}

/** HOST:PORT pairs, as a YAML list or separated by commas. */
export function addresses(facts: Facts<readonly string[]>): Entry<readonly string[]> {
  return entry(facts, {
    schema: parsed((value) => {
      const all = value.split(',').map((part) => parseAddress(part.trim()));
      const good = all.flatMap((address) => (address === null ? [] : [formatAddress(address)]));
      return good.length === all.length ? good : null;
    }),
    allowed: 'one or more HOST:PORT, as a list or separated by commas',
    list: true,
    show: (value) => value.join(','),
  });
}
