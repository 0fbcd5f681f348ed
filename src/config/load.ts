import type { Assignment, Layer, Reading } from './assignment.ts';
import { ConfigError } from './config-error.ts';
import { readEnvironment } from './environment-source.ts';
import { nearestName } from './nearest.ts';
import { findPredecessorKey, PREDECESSOR_KEYS, predecessorNotice } from './predecessor.ts';
import { CONFIG_RULES } from './rules.ts';
import { CONFIG_ENTRIES, CONFIG_SECTIONS, type Config, type ConfigKey, type KeyedEntry } from './table.ts';
import { readYaml } from './yaml-source.ts';

export interface ConfigFlag {
  /** As typed: `--storage.flush`, `--addr`. */
  readonly flag: string;
  readonly key: string;
  readonly value: string;
}

export interface ConfigSources {
  readonly file?: { readonly path: string; readonly text: string } | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly flags?: readonly ConfigFlag[];
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where each value comes from: `default`, `conf/x.yaml:12`, `environment CASKADE_...`, `flag --...`. */
  readonly origins: ReadonlyMap<ConfigKey, string>;
  readonly warnings: readonly string[];
}

/** Keys that people look for elsewhere; accepted without a word. */
const SYNONYMS: Readonly<Record<string, ConfigKey>> = {
  'storage.flush': 'cluster.flush',
  'storage.flushintervalms': 'cluster.flushIntervalMs',
};

/**
 * The effective configuration: defaults, then the file, then the environment, then flags.
 * @throws ConfigError that names every problem of every source.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const readings = [
    sources.file === undefined ? null : readYaml(sources.file.path, sources.file.text),
    readEnvironment(sources.environment ?? {}),
    readFlags(sources.flags ?? []),
  ].filter((reading) => reading !== null);
  const loading = new Loading();
  for (const reading of readings) loading.add(reading);
  return loading.finish();
}

function readFlags(flags: readonly ConfigFlag[]): Reading {
  const assignments = flags.map(
    ({ flag, key, value }): Assignment => ({ layer: 'flag', source: `flag ${flag}`, key, value }),
  );
  return { assignments, problems: [], warnings: [] };
}

class Loading {
  readonly #values = new Map<ConfigKey, unknown>();
  readonly #origins = new Map<ConfigKey, string>();
  readonly #layers = new Map<ConfigKey, { layer: Layer; source: string }>();
  readonly #refused = new Set<ConfigKey>();
  readonly #problems: string[] = [];
  readonly #warnings = new Set<string>();

  add(reading: Reading): void {
    this.#problems.push(...reading.problems);
    for (const warning of reading.warnings) this.#warnings.add(warning);
    for (const assignment of reading.assignments) this.#assign(assignment);
  }

  finish(): LoadedConfig {
    const config = buildConfig(this.#values);
    for (const { keys, violation } of CONFIG_RULES) {
      if (keys.some((key) => this.#refused.has(key))) continue;
      const text = violation(config);
      if (text !== null) this.#problems.push(`${this.#sourceOfRule(keys)}: ${text}`);
    }
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
    const origins = new Map(CONFIG_ENTRIES.map(({ key }) => [key, this.#origins.get(key) ?? 'default']));
    return { config, origins, warnings: [...this.#warnings] };
  }

  #sourceOfRule(keys: readonly ConfigKey[]): string {
    const given = new Set(keys.flatMap((key) => this.#origins.get(key) ?? []));
    return given.size === 0 ? 'default' : [...given].join(', ');
  }

  #assign(assignment: Assignment): void {
    const found = this.#resolve(assignment);
    if (found === null) return;
    const { key, entry } = found;
    const earlier = this.#layers.get(key);
    if (earlier?.layer === assignment.layer) {
      this.#problems.push(`${assignment.source}: ${key}: given twice; first by ${earlier.source}`);
    }
    this.#layers.set(key, { layer: assignment.layer, source: assignment.source });
    const parsed = parseValue(entry, assignment.value);
    if (parsed === null) {
      this.#refused.add(key);
      this.#problems.push(
        `${assignment.source}: ${describeKey(assignment.key, key)}: ${refusal(found, assignment)}`,
      );
      return;
    }
    this.#values.set(key, parsed.value);
    this.#origins.set(key, assignment.source);
  }

  #resolve(assignment: Assignment): KeyedEntry | null {
    const wanted = assignment.key.toLowerCase();
    const canonical = SYNONYMS[wanted]?.toLowerCase() ?? wanted;
    const known = CONFIG_ENTRIES.find(({ key }) => key.toLowerCase() === canonical);
    if (known !== undefined) return known;
    const predecessor = findPredecessorKey(wanted);
    if (predecessor !== undefined) {
      this.#warnings.add(`${assignment.source.replace(/:\d+$/, '')}: ${predecessorNotice(predecessor)}`);
      return CONFIG_ENTRIES.find(({ key }) => key === predecessor.becomes) ?? null;
    }
    const section = CONFIG_SECTIONS.find(({ name }) => name === wanted);
    // `storage:` with every key under it commented out says nothing, and is common.
    if (section !== undefined && assignment.value === '') return null;
    this.#problems.push(`${assignment.source}: ${unknownKey(assignment, section?.name)}`);
    return null;
  }
}

function unknownKey({ key, value }: Assignment, section: string | undefined): string {
  if (section !== undefined) {
    const keys = CONFIG_ENTRIES.filter((known) => known.key.startsWith(`${section}.`)).map(
      (known) => known.key,
    );
    return `${section}: "${String(value)}" is given to a whole section; its keys are ${keys.join(', ')}`;
  }
  const known = [...CONFIG_ENTRIES.map((entry) => entry.key), ...PREDECESSOR_KEYS.map((row) => row.key)];
  const nearest = nearestName(key, known);
  const hint = nearest === null ? 'docs/CONFIG.md lists all keys' : `nearest known key: ${nearest}`;
  return `${key}: unknown key; ${hint}`;
}

function parseValue(entry: KeyedEntry['entry'], value: Assignment['value']): { value: unknown } | null {
  if (typeof value !== 'string' && !entry.list) return null;
  const parsed = entry.schema.safeParse(typeof value === 'string' ? value : value.join(','));
  return parsed.success ? { value: parsed.data } : null;
}

function refusal({ entry }: KeyedEntry, { value }: Assignment): string {
  const given = typeof value === 'string' ? `"${value}"` : `[${value.join(', ')}]`;
  if (value === '') return `no value; allowed: ${entry.allowed}`;
  return `${entry.secret ? 'the value' : given} is not allowed; allowed: ${entry.allowed}`;
}

/** The key as its owner knows it, and as it was written where that differs by more than case. */
function describeKey(written: string, key: ConfigKey): string {
  return written.toLowerCase() === key.toLowerCase() ? key : `${key} (as ${written})`;
}

function buildConfig(values: ReadonlyMap<ConfigKey, unknown>): Config {
  const config: Record<string, unknown> = {};
  for (const { key, entry } of CONFIG_ENTRIES) {
    const value = values.has(key) ? values.get(key) : entry.fallback;
    const [section = '', leaf] = key.split('.');
    if (leaf === undefined) config[section] = value;
    else config[section] = { ...(config[section] as object | undefined), [leaf]: value };
  }
  for (const section of Object.values(config)) Object.freeze(section);
  // The table names the keys and their types; `Config` is derived from the same table.
  return Object.freeze(config) as unknown as Config;
}
