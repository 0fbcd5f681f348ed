import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The first `name` on the PATH; null where there is none. */
export function findProgram(name: string, environment: Environment = process.env): string | null {
  const folders = (environment.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

/**
 * The words that run `words` so that the process gets `signal` when the one that started it dies, by kill -9 even.
 * The process keeps its id. Where util-linux has no setpriv (macOS) they are what they were: there a child outlives a
 * parent that could not say goodbye.
 */
export function boundToParent(
  words: readonly string[],
  signal: 'TERM' | 'KILL',
  environment: Environment = process.env,
): readonly string[] {
  if (process.platform !== 'linux') return words;
  const setpriv = findProgram('setpriv', environment);
  return setpriv === null ? words : [setpriv, '--pdeathsig', signal, '--', ...words];
}
