import { invariant } from '../model/errors.ts';
import type { ArgumentViews } from '../resp/arguments.ts';
import type { CommandContext } from './context.ts';
import type { CommandSpec } from './spec.ts';

/** A command with what the executor needs at hand. */
export class CommandEntry {
  readonly spec: CommandSpec;
  readonly upperName: string;
  /** As error texts and statistics name it: 'get', 'client|id'. */
  readonly fullName: string;
  readonly isWrite: boolean;
  /** True if the command can create keys: their length is checked before it runs. */
  readonly createsKeys: boolean;
  readonly run: ((context: CommandContext) => void) | undefined;
  readonly subcommands: CommandTable | null;
  calls = 0;
  rejectedCalls = 0;
  failedCalls = 0;
  /** Only one call in `TIMED_CALLS` is timed: two clock reads would cost a GET more than its look-up. */
  timedCalls = 0;
  timedMs = 0;

  constructor(spec: CommandSpec, parentName = '') {
    this.spec = spec;
    this.upperName = spec.name.toUpperCase();
    this.fullName = parentName === '' ? spec.name : `${parentName}|${spec.name}`;
    this.isWrite = spec.flags.includes('write');
    this.createsKeys = spec.flags.includes('denyoom');
    this.run = spec.run;
    this.subcommands = spec.subcommands ? new CommandTable(spec.subcommands, spec.name) : null;
  }

  /** Estimated from the timed calls. */
  get totalMicros(): number {
    return this.timedCalls === 0 ? 0 : ((this.timedMs * 1000) / this.timedCalls) * this.calls;
  }

  /** Index of the last key among `count` arguments; below the first one if there are no keys. */
  lastKey(count: number): number {
    const { last } = this.spec.keys;
    return last < 0 ? count + last : last;
  }

  resetStatistics(): void {
    this.calls = 0;
    this.rejectedCalls = 0;
    this.failedCalls = 0;
    this.timedCalls = 0;
    this.timedMs = 0;
    for (const entry of this.subcommands?.entries ?? []) entry.resetStatistics();
  }
}

export const TIMED_CALLS = 128;

const FOLD = 0xdf;

/** Finds a command by its name's bytes, in any case, without making a string of it. */
export class CommandTable {
  readonly entries: readonly CommandEntry[];
  readonly #buckets: (CommandEntry[] | undefined)[] = new Array<CommandEntry[] | undefined>(1024);

  constructor(specs: readonly CommandSpec[], parentName = '') {
    this.entries = specs.map((spec) => new CommandEntry(spec, parentName));
    for (const entry of this.entries) this.#insert(entry);
  }

  find(args: ArgumentViews, index: number): CommandEntry | undefined {
    const bucket = this.#buckets[hashName(args.bytes, args.start(index), args.end(index))];
    if (bucket === undefined) return undefined;
    for (const entry of bucket) if (args.is(index, entry.upperName)) return entry;
    return undefined;
  }

  /** `name` in any case; a sub-command is 'container|name'. */
  byName(name: string): CommandEntry | undefined {
    const [first = '', ...rest] = name.toUpperCase().split('|');
    const entry = this.entries.find(({ upperName }) => upperName === first);
    return rest.length === 0 ? entry : entry?.subcommands?.byName(rest.join('|'));
  }

  /** Every command and sub-command. */
  *all(): Iterable<CommandEntry> {
    for (const entry of this.entries) {
      yield entry;
      if (entry.subcommands !== null) yield* entry.subcommands.all();
    }
  }

  #insert(entry: CommandEntry): void {
    invariant(this.byName(entry.spec.name) === entry, `command ${entry.spec.name} is declared twice`);
    const bytes = Buffer.from(entry.upperName, 'latin1');
    const hash = hashName(bytes, 0, bytes.length);
    const bucket = this.#buckets[hash];
    if (bucket === undefined) this.#buckets[hash] = [entry];
    else bucket.push(entry);
  }
}

function hashName(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at += 1) hash = (hash * 31 + ((bytes[at] as number) & FOLD)) | 0;
  return (hash ^ (hash >>> 11)) & 1023;
}
