import type { CommandContext } from './context.ts';

/** Redis' command flags, as COMMAND prints them. */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'fast'
  | 'noscript'
  | 'loading'
  | 'stale'
  | 'blocking'
  | 'no_auth'
  | 'movablekeys'
  | 'allow_busy'
  | 'no_async_loading'
  | 'no_multi'
  | 'skip_monitor'
  | 'skip_slowlog'
  | 'sentinel';

/** Where the keys stand: first and last argument (negative: from the end) and the step between them; 0,0,0 = none. */
export interface KeyRange {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

export interface CommandArgument {
  readonly name: string;
  readonly type:
    | 'string'
    | 'integer'
    | 'double'
    | 'key'
    | 'pattern'
    | 'unix-time'
    | 'pure-token'
    | 'oneof'
    | 'block';
  readonly token?: string;
  readonly since?: string;
  readonly optional?: boolean;
  readonly multiple?: boolean;
  readonly multipleToken?: boolean;
  readonly keySpecIndex?: number;
  readonly arguments?: readonly CommandArgument[];
}

/**
 * How a command over several partitions is done in parts, one for each (R21). `keys`: each part has the keys of its
 * partition; `partitions`: each is the whole command; `cursor`: there is one part, for the partition of the cursor.
 * `sum`: of integers; `keyOrder`: an array in the order of the keys; `concatenation`: of arrays; `allOk`: OK if all say so.
 */
export interface Scatter {
  readonly split: 'keys' | 'partitions' | 'cursor';
  readonly gather: 'sum' | 'keyOrder' | 'concatenation' | 'allOk' | 'cursor';
}

/** A command as data. COMMAND, COMMAND DOCS, the CLI's hints and the key routing all come from it. */
export interface CommandSpec {
  /** Lower case, as Redis prints it. */
  readonly name: string;
  /** As in Redis: the name counts; negative = at least. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  readonly keys: KeyRange;
  /** Flags of the key specification in COMMAND's reply: RW, RO, OW, RM, access, update, insert, delete. */
  readonly keyFlags?: readonly string[];
  readonly aclCategories: readonly string[];
  readonly tips?: readonly string[];
  readonly group: 'string' | 'generic' | 'connection' | 'server' | 'cluster';
  readonly since: string;
  readonly complexity: string;
  /** One sentence, our own words. */
  readonly summary: string;
  readonly arguments?: readonly CommandArgument[];
  /** Absent: a command with keys is about one partition; one without is about the node that its client speaks to. */
  readonly scatter?: Scatter;
  readonly subcommands?: readonly CommandSpec[];
  /**
   * Does the work. Rules: all reads come before the first append and before the first byte of the reply; when a read
   * answers false, return at once (the reply is written, or the command will be run again from the start).
   * Absent only in a container command, whose sub-commands have it.
   */
  readonly run?: (context: CommandContext) => void;
}
