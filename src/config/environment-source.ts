import type { Assignment, Reading } from './assignment.ts';
import { CONFIG_ENTRIES } from './table.ts';

const PREFIX = 'CASKADE_';

/** The environment variable of a key: `storage.engine` is CASKADE_STORAGE__ENGINE. */
export function environmentName(key: string): string {
  return PREFIX + key.toUpperCase().replaceAll('.', '__');
}

/**
 * Variables with a double underscore, and those of keys without a section, are ours. Others that begin with our
 * prefix are not an error: a container platform may make CASKADE_PORT and the like for a service of that name.
 * One that would be a key if its underscore were doubled gets a warning.
 */
export function readEnvironment(environment: Readonly<Record<string, string | undefined>>): Reading {
  const assignments: Assignment[] = [];
  const warnings: string[] = [];
  for (const [name, value] of Object.entries(environment).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (value === undefined || !name.toUpperCase().startsWith(PREFIX)) continue;
    const rest = name.slice(PREFIX.length).toLowerCase();
    const known = CONFIG_ENTRIES.find(({ key }) => key.toLowerCase().replaceAll('.', '_') === rest);
    if (rest.includes('__') || known?.key.toLowerCase() === rest) {
      const source = `environment ${name}`;
      assignments.push({ layer: 'environment', source, key: rest.replaceAll('__', '.'), value });
    } else if (known !== undefined) {
      warnings.push(
        `environment ${name} is ignored; the variable of ${known.key} is ${environmentName(known.key)}`,
      );
    }
  }
  return { assignments, problems: [], warnings };
}
