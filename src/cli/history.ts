import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitArguments } from '../resp/split-arguments.ts';

export const HISTORY_LINES_MAX = 1000;
const SECRET_SETTINGS: ReadonlySet<string> = new Set([
  'requirepass',
  'masterauth',
  'masteruser',
  'tls-key-file-pass',
  'tls-client-key-file-pass',
]);

/** CASKADE_HISTFILE, or a file in the home directory; undefined when the variable is empty: nothing is kept. */
export function historyPath(
  environment: Readonly<Record<string, string | undefined>>,
  homeDirectory: string,
): string | undefined {
  const chosen = environment.CASKADE_HISTFILE;
  if (chosen !== undefined) return chosen === '' ? undefined : chosen;
  return join(homeDirectory, '.caskade_history');
}

/** True when the line carries a password and must not be kept. */
export function holdsSecret(line: string): boolean {
  const bytes = Buffer.from(line);
  const split = splitArguments(bytes)?.map((word) => word.toString()) ?? line.trim().split(/\s+/);
  const repeated = /^\d+$/.test(split[0] ?? '') ? split.slice(1) : split;
  const [name, sub, ...rest] = repeated.map((word) => word.replace(/^["']/, '').toLowerCase());
  if (name === 'auth') return true;
  if (name === 'acl') return sub === 'setuser' || sub === 'deluser';
  if (name === 'config') return sub === 'set' && rest.some((word) => SECRET_SETTINGS.has(word));
  if (name === 'hello') return rest.includes('auth');
  return name === 'migrate' && rest.some((word) => word === 'auth' || word === 'auth2');
}

/** Lines typed in earlier sessions, kept in one file that only its owner may read. Newest first, as readline has them. */
export class HistoryFile {
  readonly #path: string | undefined;
  readonly lines: string[];
  /** Why the file is not written to, once a write has failed. */
  failure: string | undefined;

  constructor(path: string | undefined) {
    this.#path = path;
    const all = path === undefined ? [] : readLines(path);
    this.lines = all.slice(-HISTORY_LINES_MAX).reverse();
    if (all.length > 2 * HISTORY_LINES_MAX) this.#attempt((file) => rewrite(file, all));
  }

  add(line: string): void {
    if (line.trim() === '' || line === this.lines[0] || holdsSecret(line)) return;
    this.lines.unshift(line);
    this.#attempt((file) => appendFileSync(file, `${line}\n`, { mode: 0o600 }));
  }

  /** A history that cannot be written is said once and never stops a session. */
  #attempt(write: (path: string) => void): void {
    if (this.#path === undefined || this.failure !== undefined) return;
    try {
      write(this.#path);
    } catch (error) {
      this.failure = `the history file ${this.#path} cannot be written: ${(error as Error).message}`;
    }
  }
}

function rewrite(path: string, all: readonly string[]): void {
  writeFileSync(path, `${all.slice(-HISTORY_LINES_MAX).join('\n')}\n`, { mode: 0o600 });
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    // No file yet, or one we may not read: the session begins without a past.
    return [];
  }
}
