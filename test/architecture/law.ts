/**
 * The law of the house: which folder of src/ may import which (docs/ARCHITECTURE.md), and what only the doors to
 * the machine may touch. The one place to change when a rule changes.
 */

/** Folder of src/ -> folders it may import besides itself. `*` stands for all. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  // src/main.ts itself: it starts sub-commands and knows nothing else.
  '': ['server', 'cli', 'config', 'env', 'model'],
  model: [],
  resp: [],
  env: ['model'],
  config: ['model'],
  storage: ['env', 'model'],
  coordination: ['env', 'model'],
  replication: ['storage', 'env', 'model'],
  controller: ['coordination', 'env', 'model'],
  cluster: ['replication', 'env', 'model'],
  commands: ['cluster', 'resp', 'env', 'model'],
  network: ['commands', 'resp', 'env', 'model'],
  rpc: ['replication', 'controller', 'cluster', 'env', 'model'],
  engine: ['storage', 'replication', 'env', 'model'],
  client: ['rpc', 'env', 'model'],
  admin: [
    'client',
    'cluster',
    'config',
    'controller',
    'coordination',
    'engine',
    'env',
    'model',
    'replication',
    'resp',
    'rpc',
    'storage',
  ],
  cli: ['resp', 'client', 'admin', 'coordination', 'config', 'env', 'model'],
  server: ['*'],
};

/** Folders that are doors to the machine: clock, chance, disk and network may be touched here only. */
export const DOORS: readonly string[] = ['env', 'network', 'rpc', 'cli'];

/** Modules that only doors may import. */
export const MODULES_OF_DOORS: readonly string[] = [
  'child_process',
  'cluster',
  'dgram',
  'dns',
  'dns/promises',
  'fs',
  'fs/promises',
  'http',
  'http2',
  'https',
  'net',
  'timers',
  'timers/promises',
  'tls',
  'worker_threads',
];

interface BannedCode {
  readonly name: string;
  readonly pattern: RegExp;
  /** What to use instead. */
  readonly instead: string;
}

/** What only doors may say. A method of the same name on another object (`socket.setTimeout`) is not meant. */
export const CODE_OF_DOORS: readonly BannedCode[] = [
  { name: 'Date.now', pattern: /\bDate\s*\.\s*now\b/g, instead: 'Clock.wallMs' },
  { name: 'new Date()', pattern: /\bnew\s+Date\s*(?:\(\s*\)|(?![\s\w(]))/g, instead: 'Clock.wallMs' },
  { name: 'performance.now', pattern: /\bperformance\s*\.\s*now\b/g, instead: 'Clock.monotonicMs' },
  { name: 'process.hrtime', pattern: /\bprocess\s*\.\s*hrtime\b/g, instead: 'Clock.monotonicMs' },
  { name: 'Math.random', pattern: /\bMath\s*\.\s*random\b/g, instead: 'Random' },
  {
    name: 'randomness of node:crypto',
    pattern: /\b(?:randomBytes|randomInt|randomUUID|randomFill(?:Sync)?|getRandomValues)\b/g,
    instead: 'Random',
  },
  {
    name: 'timers',
    pattern: /(?:\bglobalThis\s*\.\s*|(?<![.\w#]\s*))(?:setTimeout|setInterval|setImmediate)\b/g,
    instead: 'Clock.setTimer, Clock.atTurnEnd or Clock.yieldTurn',
  },
];

/** Banned in all of src/. */
export const CODE_OF_NOBODY: readonly BannedCode[] = [
  { name: 'default export', pattern: /\bexport\s+default\b/g, instead: 'a named export' },
  {
    name: 'default export',
    pattern: /\bexport\s*\{[^}]*\bas\s+default\b[^}]*\}/g,
    instead: 'a named export',
  },
  { name: 'require', pattern: /(?<![.\w])(?:require|createRequire)\s*\(/g, instead: 'import' },
];

/** What a generator writes is as long as it is, and nobody edits it. */
export const GENERATED = 'src/rpc/generated/';

export const FILE_LINES_MAX = 500;
/** Above this a file is named in a warning: does it still hold one idea? */
export const FILE_LINES_WARN = 400;
