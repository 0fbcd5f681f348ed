import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import {
  CODE_OF_DOORS,
  CODE_OF_NOBODY,
  DOORS,
  FILE_LINES_MAX,
  FILE_LINES_WARN,
  GENERATED,
  MAY_IMPORT,
  MODULES_OF_DOORS,
} from './law.ts';
import { SourceText } from './source-text.ts';

interface Import {
  /** null where it is computed, and so cannot be judged. */
  readonly specifier: string | null;
  readonly line: number;
}

const STRING = `(?:'([^'\\n]*)'|"([^"\\n]*)"|\`([^\`$]*)\`)`;
/** `import x from`, `import type`, `import 'x'`, `export ... from`; bindings hold no quote and no semicolon. */
const STATIC_IMPORT = new RegExp(
  `(?<![.\\w$])(?:import|export)\\b(?!\\s*[.(])(?:[^'"\`;()=]*?(?<![\\w$])from)?\\s*${STRING}`,
  'g',
);
const DYNAMIC_IMPORT = new RegExp(`(?<![.\\w$])import\\s*\\(\\s*(?:${STRING}\\s*[,)])?`, 'g');

/** Every import of a file, in every form: static, type-only, re-export, side effect, dynamic, type query. */
export function importsOf(source: string): Import[] {
  const text = new SourceText(source);
  return [STATIC_IMPORT, DYNAMIC_IMPORT]
    .flatMap((pattern) => [...text.withoutComments.matchAll(pattern)])
    .filter((match) => text.codeOnly.startsWith(match[0].slice(0, 6), match.index))
    .map((match) => ({
      specifier: match[1] ?? match[2] ?? match[3] ?? null,
      line: text.lineAt(match.index),
    }));
}

/** First folder below src/; '' for src/main.ts. */
function folderOf(path: string): string {
  const parts = path.split('/');
  return parts.length > 2 ? (parts[1] ?? '') : '';
}

function judgeImport(path: string, imported: Import): string | null {
  const at = `${path}:${imported.line}`;
  if (imported.specifier === null) return `${at}: an import that is computed cannot be checked`;
  if (imported.specifier.startsWith('.') || imported.specifier.startsWith('/')) {
    return judgeOwnImport(path, at, imported.specifier);
  }
  const name = imported.specifier.replace(/^node:/, '');
  if (builtinModules.includes(name) && !imported.specifier.startsWith('node:')) {
    return `${at}: '${name}' is a module of Node: import it as 'node:${name}'`;
  }
  if (MODULES_OF_DOORS.includes(name) && !DOORS.includes(folderOf(path))) {
    return `${at}: node:${name} may be imported only in ${DOORS.join(', ')}`;
  }
  return null;
}

function judgeOwnImport(path: string, at: string, specifier: string): string | null {
  const target = posix.normalize(posix.join(posix.dirname(path), specifier));
  if (!target.startsWith('src/')) return `${at}: '${specifier}' leads out of src/`;
  if (!specifier.endsWith('.ts')) return `${at}: '${specifier}' must end in .ts`;
  const from = folderOf(path);
  const to = folderOf(target);
  const allowed = MAY_IMPORT[from];
  if (allowed === undefined) return `${at}: src/${from}/ is not in the table of the import law`;
  if (from === to || allowed.includes(to) || allowed.includes('*')) return null;
  return `${at}: ${from || 'src'} may not import ${to || 'src'} ('${specifier}'); it may import ${
    allowed.join(', ') || 'nothing of ours'
  }`;
}

function judgeCode(path: string, source: string): string[] {
  const text = new SourceText(source);
  const banned = DOORS.includes(folderOf(path)) ? CODE_OF_NOBODY : [...CODE_OF_NOBODY, ...CODE_OF_DOORS];
  return banned.flatMap(({ name, pattern, instead }) =>
    [...text.codeOnly.matchAll(pattern)].map(
      (match) => `${path}:${text.lineAt(match.index)}: ${name} is banned here; use ${instead}`,
    ),
  );
}

function lineCount(path: string, source: string): number {
  if (path.startsWith(GENERATED)) return 0;
  return source.split('\n').length - (source.endsWith('\n') ? 1 : 0);
}

/** What is wrong with a file, one line each. `path` is relative to the repository and begins with src/. */
export function violationsOf(path: string, source: string): string[] {
  const lines = lineCount(path, source);
  return [
    ...importsOf(source).flatMap((imported) => judgeImport(path, imported) ?? []),
    ...judgeCode(path, source),
    ...(lines > FILE_LINES_MAX ? [`${path}: ${lines} lines; at most ${FILE_LINES_MAX}: split it`] : []),
  ];
}

export function warningsOf(path: string, source: string): string[] {
  const lines = lineCount(path, source);
  if (lines <= FILE_LINES_WARN || lines > FILE_LINES_MAX) return [];
  return [`${path}: ${lines} lines: does it still hold one idea?`];
}
