import type { CommandContext } from '../context.ts';
import type { CommandSpec } from '../spec.ts';
import { ALL_KEYS, KEYS_ARGUMENT } from '../spec-parts.ts';

/** Values whose loading from disk one run starts before it waits. */
const LOADS_MAX = 64;

/**
 * Values that earlier, suspended runs of the command read, each with its version. A later run needs no disk for a key
 * that has the same version still, so a command with more values than the cache holds comes to its end, and its reply
 * is the state of one instant.
 */
class LoadedValues {
  /** The first argument whose value was not at hand. */
  next = 1;
  readonly #versions = new Map<number, number>();
  readonly #values = new Map<number, Buffer>();

  keep(index: number, version: number, value: Uint8Array): void {
    if (this.#versions.get(index) === version) return;
    this.#versions.set(index, version);
    this.#values.set(index, Buffer.from(value));
  }

  find(index: number, version: number): Buffer | undefined {
    return this.#versions.get(index) === version ? this.#values.get(index) : undefined;
  }
}

/** What a run found, by argument. One object serves all MGETs: it is used within one run only. */
class FoundValues {
  readonly #bytes: (Uint8Array | undefined)[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #versions: number[] = [];

  /** Reads the value under argument `index`. False: it is not at hand, or refused. */
  read(context: CommandContext, index: number): boolean {
    const { entry } = context;
    const loaded = context.progress instanceof LoadedValues ? context.progress : null;
    if (!context.read(index, loaded === null)) return false;
    const known = loaded?.find(index, entry.offset);
    if (known !== undefined && entry.found) {
      this.#set(index, known, 0, known.length, entry.offset);
      return true;
    }
    if (loaded !== null && !context.read(index)) return false;
    this.#set(index, entry.found ? entry.bytes : undefined, entry.start, entry.end, entry.offset);
    return true;
  }

  write(context: CommandContext): void {
    const { args, reply, server } = context;
    reply.array(args.count - 1);
    for (let index = 1; index < args.count; index += 1) {
      const bytes = this.#bytes[index];
      if (bytes === undefined) reply.nil();
      else reply.bulk(bytes, this.#starts[index] as number, this.#ends[index] as number);
      if (bytes === undefined) server.counters.keyspaceMisses += 1;
      else server.counters.keyspaceHits += 1;
    }
  }

  keepIn(loaded: LoadedValues): void {
    this.#bytes.forEach((bytes, index) => {
      if (bytes === undefined) return;
      const value = bytes.subarray(this.#starts[index], this.#ends[index]);
      loaded.keep(index, this.#versions[index] as number, value);
    });
  }

  /** Lets go of the bytes. */
  clear(): void {
    this.#bytes.length = 0;
  }

  #set(index: number, bytes: Uint8Array | undefined, start: number, end: number, version: number): void {
    this.#bytes[index] = bytes;
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#versions[index] = version;
  }
}

const found = new FoundValues();

function run(context: CommandContext): void {
  if (readAll(context)) found.write(context);
  found.clear();
}

/**
 * Reads all keys before the first byte of the reply. Values that lie on disk are loaded together, some at a time; each
 * run goes on where the one before it had to stop. At the end those of earlier runs are looked at again, in the same
 * run: only their versions, if nothing has changed.
 */
function readAll(context: CommandContext): boolean {
  const from = context.progress instanceof LoadedValues ? context.progress.next : 1;
  return readRange(context, from, context.args.count) && readRange(context, 1, from);
}

function readRange(context: CommandContext, from: number, to: number): boolean {
  const loads = new Set<Promise<void>>();
  let misses = 0;
  let firstMiss = 0;
  for (let index = from; index < to && misses < LOADS_MAX; index += 1) {
    if (found.read(context, index)) continue;
    if (context.suspension === null) return false;
    loads.add(context.suspension);
    context.suspension = null;
    if (misses === 0) firstMiss = index;
    misses += 1;
  }
  if (misses === 0) return true;
  const loaded = context.progress instanceof LoadedValues ? context.progress : new LoadedValues();
  context.progress = loaded;
  loaded.next = firstMiss;
  found.keepIn(loaded);
  context.suspend(Promise.all(loads).then(() => undefined));
  return false;
}

export const mget = {
  name: 'mget',
  arity: -2,
  flags: ['readonly', 'fast'],
  keys: ALL_KEYS,
  keyFlags: ['RO', 'access'],
  aclCategories: ['@read', '@string', '@fast'],
  tips: ['request_policy:multi_shard'],
  scatter: { split: 'keys', gather: 'keyOrder' },
  group: 'string',
  since: '1.0.0',
  complexity: 'O(N) where N is the number of keys.',
  summary: 'Returns the values of several keys, nil for each key that does not exist.',
  arguments: [KEYS_ARGUMENT],
  run,
} satisfies CommandSpec;
