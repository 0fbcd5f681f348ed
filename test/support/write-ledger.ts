import type { PlainReply } from './pipelined-client.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What a key holds: null is no such key; `ttlUnits` 0 is no expiry. */
export interface Held {
  readonly value: string | null;
  readonly ttlUnits: number;
}

/** One command, the reply it must get, and what it leaves behind. */
export interface Step {
  readonly command: readonly string[];
  readonly reply: PlainReply;
  readonly changes: readonly (readonly [string, Held])[];
}

/** What a restart showed of one writer's keys. */
export interface Finding {
  /** Keys whose acknowledged state, and every later one that was sent, is gone. */
  readonly lost: readonly string[];
  /** Each key is possible, but together they are no prefix of what was sent: order or atomicity was broken. */
  readonly reordered: boolean;
}

/** Expiries are so far apart, and so far off, that a late look still tells them apart. */
export const TTL_UNIT_SECONDS = 100_000;
export const NOTHING: Held = { value: null, ttlUnits: 0 };
const HOT_KEYS = 40;
const COUNTERS = 16;
const LARGE_BYTES = 40_000;

const same = (left: Held, right: Held): boolean =>
  left.value === right.value && left.ttlUnits === right.ttlUnits;

/**
 * Writes commands over keys that nobody else touches, and knows after a crash what must be there: one connection's
 * commands are appended in order, so the state found is that after some prefix of them, which holds at least
 * all that was acknowledged.
 */
export class WriteLedger {
  readonly #name: string;
  readonly #random: SeededRandom;
  /** After all acknowledged commands, and after all sent ones. */
  readonly #settled = new Map<string, Held>();
  readonly #sent = new Map<string, Held>();
  #inFlight: Step[] = [];
  #uniqueCount = 0;
  #sequence = 0;
  acked = 0;

  constructor(name: string, random: SeededRandom) {
    this.#name = name;
    this.#random = random;
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  get keys(): readonly string[] {
    return [...this.#sent.keys()];
  }

  get liveKeys(): number {
    return [...this.#settled.values()].filter(({ value }) => value !== null).length;
  }

  /** The next command, which now counts as sent. */
  next(): Step {
    const step = this.#choose();
    for (const [key, held] of step.changes) this.#sent.set(key, held);
    this.#inFlight.push(step);
    return step;
  }

  /** The oldest command in flight was answered. @throws if its answer is wrong */
  acknowledge(reply: PlainReply): void {
    const step = this.#inFlight.shift();
    if (step === undefined) throw new Error('an answer to nothing');
    if (reply !== step.reply) {
      const answers = `${String(reply)}, ${String(step.reply)}`;
      throw new Error(`${step.command.join(' ').slice(0, 80)}: answered and expected: ${answers}`);
    }
    for (const [key, held] of step.changes) this.#settled.set(key, held);
    this.acked += 1;
  }

  /** Compares with what a restarted server holds, and goes on from there. */
  compare(found: ReadonlyMap<string, Held>): Finding {
    const finding = this.#judge(found);
    this.#inFlight = [];
    for (const [key, held] of found) {
      this.#settled.set(key, held);
      this.#sent.set(key, held);
    }
    return finding;
  }

  #judge(found: ReadonlyMap<string, Held>): Finding {
    const isFound = (key: string, held: Held): boolean => same(found.get(key) ?? NOTHING, held);
    const differing = new Set(this.keys.filter((key) => !isFound(key, this.#settled.get(key) ?? NOTHING)));
    const neverFound = new Set(differing);
    let isPrefix = differing.size === 0;
    for (const { changes } of this.#inFlight) {
      for (const [key, held] of changes) {
        if (!isFound(key, held)) differing.add(key);
        else if (differing.delete(key)) neverFound.delete(key);
      }
      isPrefix ||= differing.size === 0;
    }
    return { lost: [...neverFound], reordered: !isPrefix && neverFound.size === 0 };
  }

  #choose(): Step {
    const dice = this.#random.fraction();
    if (dice < 0.42) return this.#set(this.#uniqueKey(), this.#value(10 + this.#random.below(400)));
    if (dice < 0.62) return this.#set(this.#hotKey(), this.#value(10 + this.#random.below(400)));
    if (dice < 0.75) return this.#increment();
    if (dice < 0.84) return this.#delete();
    if (dice < 0.92) return this.#setMany();
    if (dice < 0.99) return this.#expire();
    return this.#set(this.#hotKey(), this.#value(LARGE_BYTES + this.#random.below(LARGE_BYTES)));
  }

  #set(key: string, value: string): Step {
    return { command: ['SET', key, value], reply: 'OK', changes: [[key, { value, ttlUnits: 0 }]] };
  }

  #increment(): Step {
    const key = `${this.#name}:counter:${this.#random.below(COUNTERS)}`;
    const { value, ttlUnits } = this.#now(key);
    const sum = Number(value ?? 0) + 1;
    return {
      command: ['INCR', key],
      reply: sum,
      changes: [[key, { value: String(sum), ttlUnits }]],
    };
  }

  #delete(): Step {
    const keys = [this.#oldKey(), this.#hotKey()];
    const reply = keys.filter((key) => this.#now(key).value !== null).length;
    return { command: ['DEL', ...keys], reply, changes: keys.map((key) => [key, NOTHING] as const) };
  }

  #setMany(): Step {
    const keys = new Set([this.#hotKey(), this.#uniqueKey(), this.#hotKey(), this.#uniqueKey()]);
    const value = this.#value(40);
    const command = ['MSET', ...[...keys].flatMap((key) => [key, value])];
    return {
      command,
      reply: 'OK',
      changes: [...keys].map((key) => [key, { value, ttlUnits: 0 }] as const),
    };
  }

  #expire(): Step {
    const key = this.#random.chance(0.5) ? this.#oldKey() : this.#hotKey();
    const ttlUnits = 1 + this.#random.below(50);
    const command = ['EXPIRE', key, String(ttlUnits * TTL_UNIT_SECONDS)];
    const { value } = this.#now(key);
    if (value === null) return { command, reply: 0, changes: [] };
    return { command, reply: 1, changes: [[key, { value, ttlUnits }]] };
  }

  #now(key: string): Held {
    return this.#sent.get(key) ?? NOTHING;
  }

  #uniqueKey(): string {
    this.#uniqueCount += 1;
    return `${this.#name}:unique:${this.#uniqueCount}`;
  }

  #oldKey(): string {
    return `${this.#name}:unique:${1 + this.#random.below(this.#uniqueCount + 1)}`;
  }

  #hotKey(): string {
    return `${this.#name}:hot:${this.#random.below(HOT_KEYS)}`;
  }

  /** No two are alike. */
  #value(bytes: number): string {
    this.#sequence += 1;
    return `${this.#name}.${this.#sequence}.`.padEnd(bytes, 'x');
  }
}
