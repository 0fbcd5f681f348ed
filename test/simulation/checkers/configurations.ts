import type { Cells } from './key-model.ts';

/** One way to explain the history so far. */
export interface Configuration {
  readonly cells: Cells;
  readonly state: string;
  /** Indexes, ascending, of the definite steps that are invoked, not returned, and have taken effect. */
  readonly linearized: readonly number[];
  /** By optional step: how many of those offered have taken effect. */
  readonly used: readonly number[];
}

/**
 * Configurations without those that another one makes superfluous. Equal state and equal linearized steps: whoever has used up
 * fewer optional steps can do all that the other can.
 */
export class ConfigurationSet {
  readonly #groups = new Map<string, Configuration[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False: it is superfluous, or was there before. */
  add(configuration: Configuration): boolean {
    const name = `${configuration.state}#${configuration.linearized.join(',')}`;
    const group = this.#groups.get(name);
    if (group === undefined) {
      this.#groups.set(name, [configuration]);
      this.#size += 1;
      return true;
    }
    if (group.some((other) => usesNoMore(other.used, configuration.used))) return false;
    const kept = group.filter((other) => !usesNoMore(configuration.used, other.used));
    kept.push(configuration);
    this.#size += kept.length - group.length;
    this.#groups.set(name, kept);
    return true;
  }

  *[Symbol.iterator](): IterableIterator<Configuration> {
    for (const group of this.#groups.values()) yield* group;
  }
}

function usesNoMore(left: readonly number[], right: readonly number[]): boolean {
  for (let index = 0; index < left.length; index += 1) {
    if ((left[index] as number) > (right[index] as number)) return false;
  }
  return true;
}
