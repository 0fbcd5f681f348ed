import { CONFIG_ENTRIES, type Config, type ConfigKey } from './table.ts';

const HIDDEN = '(hidden)';

function valueAt(config: Config, key: ConfigKey): unknown {
  let value: unknown = config;
  for (const part of key.split('.')) value = (value as Readonly<Record<string, unknown>>)[part];
  return value;
}

/** Every key with its value as text, in the table's order; secrets that are set are hidden. */
export function configEntries(config: Config): (readonly [ConfigKey, string])[] {
  return CONFIG_ENTRIES.map(({ key, entry }) => {
    const shown = entry.show(valueAt(config, key));
    return [key, entry.secret && shown !== '' ? HIDDEN : shown];
  });
}

/** The effective configuration for people: one line a key, with where its value comes from. */
export function describeConfig(config: Config, origins: ReadonlyMap<ConfigKey, string>): string[] {
  const entries = configEntries(config);
  const keyWidth = Math.max(...entries.map(([key]) => key.length));
  const valueWidth = Math.max(...entries.map(([, value]) => value.length));
  return entries.map(
    ([key, value]) =>
      `${key.padEnd(keyWidth)} = ${value.padEnd(valueWidth)}  (${origins.get(key) ?? 'default'})`,
  );
}
