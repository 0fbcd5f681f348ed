import type { LeaderPartition } from '../../cluster/index.ts';
import { LIMITS } from '../../model/limits.ts';
import type { DatabaseId } from '../../model/numbers.ts';
import type { CommandContext } from '../context.ts';
import { Glob } from '../glob.ts';
import { KeyList } from '../key-list.ts';
import type { CommandSpec } from '../spec.ts';
import { NO_KEYS } from '../spec-parts.ts';
import { patternOf } from './pattern.ts';

/** A walk over all keys in slices, kept between the runs of one KEYS. */
class Walk {
  readonly list = new KeyList();
  readonly #glob: Glob;
  readonly #visit: (bytes: Uint8Array, start: number, end: number) => void;
  /** Id of the partition that `#position` belongs to: which partitions are led here may change between two slices. */
  #partitionId = 0;
  #position = 0;

  constructor(glob: Glob) {
    this.#glob = glob;
    this.#visit = (bytes, start, end) => {
      if (this.#glob.matchesAll || this.#glob.matches(bytes, start, end)) this.list.add(bytes, start, end);
    };
  }

  /** Walks on for one slice. True: done. */
  advance({ clock, router, session }: CommandContext): boolean {
    const untilMs = clock.monotonicMs() + LIMITS.sliceMsMax;
    for (const partition of router.partitions) {
      if (partition.id < this.#partitionId) continue;
      if (partition.id > this.#partitionId) this.#enter(partition.id);
      while (!this.#step(partition, session.database)) if (clock.monotonicMs() >= untilMs) return false;
      this.#enter(partition.id + 1);
    }
    return true;
  }

  /** True: the partition is done. */
  #step(partition: LeaderPartition, database: DatabaseId): boolean {
    this.#position = partition.scan(database, this.#position, LIMITS.keysPerStep, this.#visit);
    return this.#position === 0;
  }

  #enter(partitionId: number): void {
    this.#partitionId = partitionId;
    this.#position = 0;
  }
}

/**
 * Unlike Redis' KEYS it does not stop the server: it yields after each slice. A key that is present all the time is
 * listed once; one that comes or goes meanwhile may be listed or not.
 */
function run(context: CommandContext): void {
  if (!context.allSettled()) return;
  if (!(context.progress instanceof Walk)) {
    const pattern = patternOf(context, 1);
    if (pattern === null) return;
    context.progress = new Walk(new Glob(pattern));
  }
  const walk = context.progress as Walk;
  if (walk.advance(context)) walk.list.write(context.reply);
  else context.suspend(context.clock.yieldTurn());
}

export const keys = {
  name: 'keys',
  arity: 2,
  flags: ['readonly'],
  keys: NO_KEYS,
  aclCategories: ['@keyspace', '@read', '@slow', '@dangerous'],
  tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
  scatter: { split: 'partitions', gather: 'concatenation' },
  group: 'generic',
  since: '1.0.0',
  complexity: 'O(N) where N is the number of keys in the database; it works in slices and stops nobody.',
  summary: 'Lists every key that matches a glob pattern.',
  arguments: [{ name: 'pattern', type: 'pattern' }],
  run,
} satisfies CommandSpec;
