import { type Action, keysOf, Replies } from './history.ts';

/** What a key holds. */
export interface Cell {
  readonly value: string;
  /** 0: it never expires. */
  readonly dueMs: number;
}

/** State of a unit: one cell a key, null for an absent one. */
export type Cells = readonly (Cell | null)[];

export interface Step {
  readonly cells: Cells;
  readonly reply: string;
}

const INTEGER = /^-?\d+$/;

/** Keys that are checked together, because one action touches several of them, and what an action does to them. */
export class KeyModel {
  readonly keys: readonly string[];
  readonly #indexes: ReadonlyMap<string, number>;

  constructor(keys: readonly string[]) {
    this.keys = keys;
    this.#indexes = new Map(keys.map((key, index) => [key, index]));
  }

  get initial(): Cells {
    return this.keys.map(() => null);
  }

  textOf(cells: Cells): string {
    return cells
      .map((cell) => (cell === null ? '~' : cell.dueMs === 0 ? cell.value : `${cell.value}@${cell.dueMs}`))
      .join('|');
  }

  /** The whole effect of an action. It never depends on the clock: expiring is a step of its own (`expire`). */
  apply(cells: Cells, action: Action): Step {
    switch (action.kind) {
      case 'get':
        return { cells, reply: Replies.value(this.#cell(cells, action.key)?.value ?? null) };
      case 'set':
        return { cells: this.#put(cells, action.key, action.value, action.dueMs), reply: Replies.ok };
      case 'setIfAbsent':
        if (this.#cell(cells, action.key) !== null) return { cells, reply: Replies.nil };
        return { cells: this.#put(cells, action.key, action.value, 0), reply: Replies.ok };
      case 'compareAndSet':
      case 'setIfUnchanged':
        return this.#compareAndSet(cells, action.key, action.expected, action.value);
      case 'increment':
        return this.#increment(cells, action.key);
      case 'expireAt':
        return this.#expireAt(cells, action.key, action.dueMs);
      case 'delete':
      case 'multiDelete':
        return this.#delete(cells, keysOf(action));
      case 'multiSet':
        return this.#multiSet(cells, action.keys, action.values);
      case 'flush':
        return { cells: this.initial, reply: Replies.ok };
      case 'multiGet':
        return {
          cells,
          reply: Replies.values(action.keys.map((key) => this.#cell(cells, key)?.value ?? null)),
        };
    }
  }

  /** The tombstone of a due key: it takes away only what has just this due time (R4). */
  expire(cells: Cells, key: string, dueMs: number): Cells {
    return this.#cell(cells, key)?.dueMs === dueMs ? this.#with(cells, key, null) : cells;
  }

  /** True if the keys hold something that is due by this wall clock: a read may not show it (R4). */
  isDue(cells: Cells, keys: readonly string[], wallMs: number): boolean {
    return keys.some((key) => {
      const dueMs = this.#cell(cells, key)?.dueMs ?? 0;
      return dueMs !== 0 && dueMs <= wallMs;
    });
  }

  #compareAndSet(cells: Cells, key: string, expected: string | null, value: string): Step {
    const present = this.#cell(cells, key);
    if ((present?.value ?? null) !== expected) return { cells, reply: Replies.integer(0) };
    return { cells: this.#put(cells, key, value, 0), reply: Replies.integer(1) };
  }

  #increment(cells: Cells, key: string): Step {
    const present = this.#cell(cells, key);
    if (present !== null && !INTEGER.test(present.value)) return { cells, reply: Replies.typeError };
    const sum = Number(present?.value ?? '0') + 1;
    return { cells: this.#put(cells, key, String(sum), present?.dueMs ?? 0), reply: Replies.integer(sum) };
  }

  #expireAt(cells: Cells, key: string, dueMs: number): Step {
    const present = this.#cell(cells, key);
    if (present === null) return { cells, reply: Replies.integer(0) };
    return { cells: this.#put(cells, key, present.value, dueMs), reply: Replies.integer(1) };
  }

  #delete(cells: Cells, keys: readonly string[]): Step {
    const found = keys.filter((key) => this.#cell(cells, key) !== null);
    let next = cells;
    for (const key of found) next = this.#with(next, key, null);
    return { cells: next, reply: Replies.integer(found.length) };
  }

  #multiSet(cells: Cells, keys: readonly string[], values: readonly string[]): Step {
    let next = cells;
    for (const [at, key] of keys.entries()) next = this.#put(next, key, values[at] as string, 0);
    return { cells: next, reply: Replies.ok };
  }

  #put(cells: Cells, key: string, value: string, dueMs: number): Cells {
    return this.#with(cells, key, { value, dueMs });
  }

  #with(cells: Cells, key: string, cell: Cell | null): Cells {
    const index = this.#indexOf(key);
    return cells.map((other, at) => (at === index ? cell : other));
  }

  #cell(cells: Cells, key: string): Cell | null {
    return cells[this.#indexOf(key)] ?? null;
  }

  #indexOf(key: string): number {
    const index = this.#indexes.get(key);
    if (index === undefined) throw new Error(`key ${key} is not of the unit ${this.keys.join(' ')}`);
    return index;
  }
}

/** Parts keys into units: keys that one action touches are in one unit. */
export function unitsOf(actions: readonly Action[]): readonly (readonly string[])[] {
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    let root = key;
    for (let parent = parents.get(root); parent !== undefined && parent !== root; parent = parents.get(root))
      root = parent;
    return root;
  };
  for (const action of actions) {
    const [first, ...others] = keysOf(action);
    if (first === undefined) continue;
    if (!parents.has(first)) parents.set(first, first);
    for (const key of others) {
      if (!parents.has(key)) parents.set(key, key);
      parents.set(rootOf(key), rootOf(first));
    }
  }
  const units = new Map<string, string[]>();
  for (const key of parents.keys()) {
    const root = rootOf(key);
    units.set(root, [...(units.get(root) ?? []), key]);
  }
  return [...units.values()];
}
