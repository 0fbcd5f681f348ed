import { invariant } from '../model/errors.ts';
import type { ArgumentViews } from '../resp/arguments.ts';
import type { CommandSpec } from './spec.ts';

/** A command with what the executor needs at hand. */
export class CommandEntry {
  readonly spec: CommandSpec;
  readonly upperName: string;
  readonly isWrite: boolean;
  readonly subcommands: CommandTable | null;
  calls = 0;
  rejectedCalls = 0;
  failedCalls = 0;

  constructor(spec: CommandSpec) {
    this.spec = spec;
    this.upperName = spec.name.toUpperCase();
    this.isWrite = spec.flags.includes('write');
    this.subcommands = spec.subcommands ? new CommandTable(spec.subcommands) : null;
  }
}

const FOLD = 0xdf;

/** Finds a command by its name's bytes, in any case, without making a string of it. */
export class CommandTable {
  readonly entries: readonly CommandEntry[];
  readonly #buckets: (CommandEntry[] | undefined)[] = new Array(1024);

  constructor(specs: readonly CommandSpec[]) {
    this.entries = specs.map((spec) => new CommandEntry(spec));
    for (const entry of this.entries) this.#insert(entry);
  }

  find(args: ArgumentViews, index: number): CommandEntry | undefined {
    const bucket = this.#buckets[hashName(args.bytes, args.start(index), args.end(index))];
    if (bucket === undefined) return undefined;
    for (const entry of bucket) if (args.is(index, entry.upperName)) return entry;
    return undefined;
  }

  byName(name: string): CommandEntry | undefined {
    const upper = name.toUpperCase();
    return this.entries.find((entry) => entry.upperName === upper);
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
