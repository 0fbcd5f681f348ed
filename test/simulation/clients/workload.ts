import { SeededRandom } from '../../support/seeded-random.ts';
import { type Action, keysOf, type Outcome, valuesIn } from '../checkers/history.ts';
import { groupKeys, type MaterialOptions, newValue } from './material.ts';

export interface WorkloadOptions {
  readonly partitions: readonly number[];
  /** True wall clock time now: due times lie a little after it. */
  readonly wallMs: () => number;
  /** In [0, 1): share of reads that ask for a follower. */
  readonly followerReadShare: number;
  readonly material: MaterialOptions;
}

export interface Request {
  readonly partition: number;
  readonly action: Action;
  readonly consistency: 'leader' | 'follower';
}

/** How often each kind of action is drawn, by the kind of key. Few keys of each kind, so that clients meet. */
const REGISTER_KEYS = 5;
const COUNTER_KEYS = 3;
const PAIRS = 2;
const EXPIRING_KEYS = 4;
const GROUPS = 40;
const KEYS_PER_GROUP = 6;
const KINDS = [
  ['register', 45],
  ['counter', 20],
  ['pair', 15],
  ['expiring', 20],
] as const;

interface HotSpot {
  readonly partition: number;
  readonly kind: (typeof KINDS)[number][0];
  readonly index: number;
}

/** A partition is emptied now and then (R15): seldom, or nothing would ever be old enough for a merge. */
const FLUSH_SHARE = 0.002;
/** Share of requests that go to one hot key, and for how long it is hot. */
const HOT_SHARE = 0.6;
const HOT_MS = 300;
const KEYS_MAX = 60;
/** Share of requests for a key that was just read that go on with what was read. */
const WATCH_SHARE = 0.4;
const DUE_AFTER_MS_MAX = 2_000;
/** Some keys live for longer than a follower may be behind. */
const DUE_LATE_SHARE = 0.25;
const DUE_LATE_MS_MAX = 8_000;
/** The due time that PERSIST leaves. */
const NEVER = 0;
const VALUES_REMEMBERED_MAX = 500;

/** Keys of a partition that are read and written as a whole. */
export const registersOf = (partition: number): readonly string[] =>
  Array.from({ length: REGISTER_KEYS }, (_, index) => `${partition}:r${index}`);

/** What one client asks next. It remembers what it saw, so that a compare-and-set has a chance. */
export class Workload {
  readonly #random: SeededRandom;
  readonly #options: WorkloadOptions;
  readonly #name: string;
  readonly #seen = new Map<string, string | null>();
  /** The key that was read last, as WATCH would remember it. */
  #watched: { readonly key: string; readonly version: number; readonly value: string | null } | null = null;
  #valueCount = 0;

  constructor(random: SeededRandom, client: number, options: WorkloadOptions) {
    this.#random = random;
    this.#options = options;
    this.#name = `c${client}`;
  }

  next(): Request {
    const hot = this.#random.chance(HOT_SHARE) ? this.#hotSpot() : null;
    const partition = hot?.partition ?? this.#random.pick(this.#options.partitions);
    if (this.#random.chance(FLUSH_SHARE))
      return { partition, action: { kind: 'flush' }, consistency: 'leader' };
    const action = this.#isOfGroup ? this.#group(partition) : this.#actionOn(partition, hot);
    const isRead = action.kind === 'get' || action.kind === 'multiGet';
    const isStale = isRead && this.#random.chance(this.#options.followerReadShare);
    return { partition, action, consistency: isStale ? 'follower' : 'leader' };
  }

  /** What the client now believes of a key. */
  learn(action: Action, outcome: Outcome): void {
    if (outcome.kind !== 'done') return;
    if (this.#seen.size > VALUES_REMEMBERED_MAX) this.#seen.clear();
    if (action.kind === 'get') this.#read(action.key, outcome.reply, outcome.version);
    else if (action.kind === 'set') this.#seen.set(action.key, action.value);
    else if (action.kind === 'compareAndSet' && outcome.reply === ':1')
      this.#seen.set(action.key, action.value);
    else for (const key of keysOf(action)) this.#seen.delete(key);
  }

  #read(key: string, reply: string, version: number | undefined): void {
    const value = valuesIn(reply)[0] ?? null;
    this.#seen.set(key, value);
    if (version !== undefined) this.#watched = { key, version, value };
  }

  /** The same for all clients at one time, so that they meet on it. */
  #hotSpot(): HotSpot {
    const period = Math.floor(this.#options.wallMs() / HOT_MS);
    const chance = new SeededRandom(period);
    const partition = chance.pick(this.#options.partitions);
    return { partition, kind: chance.pick(KINDS)[0], index: chance.below(KEYS_MAX) };
  }

  #actionOn(partition: number, hot: HotSpot | null): Action {
    const kind = hot?.kind ?? this.#weighted(KINDS);
    const index = (count: number): number => (hot === null ? this.#random.below(count) : hot.index % count);
    switch (kind) {
      case 'register':
        return this.#register(`${partition}:r${index(REGISTER_KEYS)}`);
      case 'counter':
        return this.#counter(`${partition}:n${index(COUNTER_KEYS)}`);
      case 'pair':
        return this.#pair(`${partition}:p${index(PAIRS)}`);
      case 'expiring':
        return this.#expiring(`${partition}:e${index(EXPIRING_KEYS)}`);
    }
  }

  get #isOfGroup(): boolean {
    const { groupWeight } = this.#options.material;
    return this.#random.below(100 + groupWeight) < groupWeight;
  }

  /** Many keys of all lengths that come and go together: the index grows, shrinks and compacts. */
  #group(partition: number): Action {
    const keys = groupKeys(`${partition}:g`, this.#random.below(GROUPS), KEYS_PER_GROUP);
    const key = this.#random.pick(keys);
    return this.#weighted([
      [{ kind: 'multiSet', keys, values: keys.map(() => this.#value()) }, 40],
      [{ kind: 'multiDelete', keys }, 30],
      [{ kind: 'multiGet', keys }, 10],
      [{ kind: 'get', key }, 10],
      [{ kind: 'expireAt', key, dueMs: this.#dueMs() }, 20],
      [{ kind: 'expireAt', key, dueMs: NEVER }, 5],
      [{ kind: 'delete', key }, 5],
    ] satisfies [Action, number][]);
  }

  #register(key: string): Action {
    const watched = this.#watched;
    if (watched?.key === key && this.#random.chance(WATCH_SHARE)) {
      const { version, value: expected } = watched;
      this.#watched = null;
      return { kind: 'setIfUnchanged', key, version, expected, value: this.#value() };
    }
    return this.#weighted([
      [{ kind: 'get', key }, 34],
      [{ kind: 'set', key, value: this.#value(), dueMs: 0 }, 24],
      [{ kind: 'compareAndSet', key, expected: this.#seen.get(key) ?? null, value: this.#value() }, 16],
      [{ kind: 'setIfAbsent', key, value: this.#value() }, 10],
      [{ kind: 'delete', key }, 15],
      [{ kind: 'increment', key }, 1],
    ] satisfies [Action, number][]);
  }

  #counter(key: string): Action {
    return this.#weighted([
      [{ kind: 'increment', key }, 60],
      [{ kind: 'get', key }, 30],
      [{ kind: 'delete', key }, 4],
      [{ kind: 'set', key, value: String(this.#random.below(1_000) * 1_000), dueMs: 0 }, 6],
    ] satisfies [Action, number][]);
  }

  #pair(name: string): Action {
    const keys = [`${name}a`, `${name}b`];
    const value = this.#value();
    return this.#weighted([
      [{ kind: 'multiSet', keys, values: [`${value}a`, `${value}b`] }, 40],
      [{ kind: 'multiGet', keys }, 40],
      [{ kind: 'multiDelete', keys }, 10],
      [{ kind: 'get', key: this.#random.pick(keys) }, 10],
    ] satisfies [Action, number][]);
  }

  #expiring(key: string): Action {
    const dueMs = this.#dueMs();
    return this.#weighted([
      [{ kind: 'set', key, value: this.#value(), dueMs }, 30],
      [{ kind: 'get', key }, 35],
      [{ kind: 'expireAt', key, dueMs }, 10],
      [{ kind: 'expireAt', key, dueMs: NEVER }, 4],
      [{ kind: 'set', key, value: this.#value(), dueMs: 0 }, 8],
      [{ kind: 'setIfAbsent', key, value: this.#value() }, 10],
      [{ kind: 'delete', key }, 7],
    ] satisfies [Action, number][]);
  }

  #dueAfterMsMax(): number {
    return this.#random.chance(DUE_LATE_SHARE) ? DUE_LATE_MS_MAX : DUE_AFTER_MS_MAX;
  }

  #dueMs(): number {
    return Math.floor(this.#options.wallMs()) + 1 + this.#random.below(this.#dueAfterMsMax());
  }

  #value(): string {
    this.#valueCount += 1;
    return newValue(`${this.#name}v${this.#valueCount}`, this.#random, this.#options.material);
  }

  #weighted<Item>(items: readonly (readonly [Item, number])[]): Item {
    let left = this.#random.below(items.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [item, weight] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    throw new RangeError('no item has a weight');
  }
}
