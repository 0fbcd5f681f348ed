import type { Action } from '../../../simulation/checkers/history.ts';
import type { SeededRandom } from '../../seeded-random.ts';
import type { Ledger } from './ledger.ts';

/** Shared keys are left for new ones after so many actions: the histories that the checker judges stay short. */
const ACTIONS_PER_GENERATION = 600;
const UNIQUE = ':unique:';
const REGISTERS = 4;
const COUNTERS = 2;
/** Padding, so that records are not all of one length. */
const PADDING_MAX = 200;

/**
 * What the clients of one partition ask: half of it are writes of unique values to keys of their own and reads of what
 * was acknowledged there, the other half few keys that all of them share.
 */
export class LoadMaterial {
  readonly #random: SeededRandom;
  readonly #partition: number;
  /** Names of keys begin with it and end with the hash tag. */
  readonly #name: string;
  readonly #tag: string;
  readonly #ledger: Ledger;
  readonly #sharedKeys = new Set<string>();
  #actionCount = 0;
  #valueCount = 0;

  constructor(random: SeededRandom, name: string, partition: number, tag: string, ledger: Ledger) {
    this.#random = random;
    this.#partition = partition;
    this.#name = name;
    this.#tag = tag;
    this.#ledger = ledger;
  }

  /** All that was ever asked of, but the keys of the ledger. */
  get sharedKeys(): ReadonlySet<string> {
    return this.#sharedKeys;
  }

  next(): Action {
    this.#actionCount += 1;
    const dice = this.#random.fraction();
    if (dice < 0.3) return this.#unique();
    if (dice < 0.5) return { kind: 'get', key: this.#writtenKey() };
    if (dice < 0.62) return { kind: 'get', key: this.#register() };
    if (dice < 0.74) return { kind: 'set', key: this.#register(), value: this.#value(), dueMs: 0 };
    if (dice < 0.82) return { kind: 'setIfAbsent', key: this.#register(), value: this.#value() };
    if (dice < 0.88) return { kind: 'delete', key: this.#register() };
    if (dice < 0.96) return { kind: 'increment', key: this.#counter() };
    return { kind: 'get', key: this.#counter() };
  }

  #unique(): Action {
    return {
      kind: 'set',
      key: `${this.#name}${UNIQUE}${this.#actionCount}{${this.#tag}}`,
      value: this.#value(),
      dueMs: 0,
    };
  }

  #writtenKey(): string {
    const recent = this.#ledger.recent(this.#partition);
    return recent.length === 0 ? this.#register() : this.#random.pick(recent);
  }

  #register(): string {
    return this.#shared('register', this.#random.below(REGISTERS));
  }

  #counter(): string {
    return this.#shared('counter', this.#random.below(COUNTERS));
  }

  #shared(kind: string, index: number): string {
    const generation = Math.floor(this.#actionCount / ACTIONS_PER_GENERATION);
    const key = `${this.#name}:${kind}:${generation}:${index}{${this.#tag}}`;
    this.#sharedKeys.add(key);
    return key;
  }

  /** No two are alike, and none is a number. */
  #value(): string {
    this.#valueCount += 1;
    const name = `v${this.#partition}.${this.#valueCount}.`;
    return name.padEnd(name.length + this.#random.below(PADDING_MAX), 'x');
  }
}

/** True if this is the name of a key that is written once. */
export const isUniqueKey = (key: string): boolean => key.includes(UNIQUE);
