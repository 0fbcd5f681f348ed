import { happen, type ModelEvent, type ModelLaw, successors } from './events.ts';
import { brokenInvariant } from './invariants.ts';
import { initialModel, type Model, type ModelOptions } from './model.ts';
import { modelKey, shortKey } from './model-key.ts';
import type { ModelRules } from './model-rules.ts';

export interface Exploration {
  /** States that differ. */
  readonly states: number;
  readonly transitions: number;
  /** Events from the start to the last state. */
  readonly depth: number;
  /** False: it stopped at `statesMax`. */
  readonly isComplete: boolean;
  /** What is broken, and the shortest way to it; null: nothing. */
  readonly broken: Trace | null;
}

export interface Trace {
  readonly invariant: string;
  readonly events: readonly ModelEvent[];
}

export interface ExploreOptions extends ModelOptions {
  readonly rules: ModelRules;
  /** How everything begins, before anything is left to chance. */
  readonly prelude?: readonly ModelEvent[];
  readonly statesMax?: number;
  readonly answersAtOnce?: boolean;
}

/** Everybody knows the first state and has asked for data. */
export const START: readonly ModelEvent[] = ['learn 1', 'learn 2', 'learn 3'];

interface Place {
  readonly model: Model;
  readonly index: number;
}

/**
 * Visits every state that can be reached, breadth first, and looks at the invariants in each: what it finds, it finds by a shortest way. Only the outermost states are kept
 * whole; of the others remain a key and by which event from where.
 */
export class Explorer {
  readonly #options: ExploreOptions;
  readonly #law: ModelLaw;
  readonly #seen = new Set<string>();
  readonly #parents: number[] = [-1];
  readonly #events: ModelEvent[] = [''];
  #transitions = 0;
  #depth = 0;

  constructor(options: ExploreOptions) {
    this.#options = options;
    const { rules, minInsync, answersAtOnce = false } = options;
    this.#law = { rules, minInsync, answersAtOnce };
  }

  run(): Exploration {
    const { statesMax = Number.POSITIVE_INFINITY } = this.#options;
    let frontier: Place[] = [{ model: this.#begin(), index: 0 }];
    this.#seen.add(shortKey(modelKey((frontier[0] as Place).model)));
    while (frontier.length > 0) {
      const next: Place[] = [];
      for (const place of frontier) {
        const broken = this.#visit(place, next);
        if (broken !== null) return this.#result(true, broken);
        if (this.#seen.size > statesMax) return this.#result(false, null);
      }
      frontier = next;
      if (frontier.length > 0) this.#depth += 1;
    }
    return this.#result(true, null);
  }

  #begin(): Model {
    let model = initialModel(this.#options);
    for (const event of [...START, ...(this.#options.prelude ?? [])]) {
      const after = happen(model, event, this.#law);
      if (after === null) throw new Error(`'${event}' cannot happen`);
      model = after;
    }
    return model;
  }

  #visit({ model, index }: Place, next: Place[]): Trace | null {
    for (const { event, model: after } of successors(model, this.#law)) {
      this.#transitions += 1;
      const key = shortKey(modelKey(after));
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      this.#parents.push(index);
      this.#events.push(event);
      const place = { model: after, index: this.#events.length - 1 };
      const invariant = brokenInvariant(after, this.#law);
      if (invariant !== null) return { invariant, events: this.#way(place.index) };
      next.push(place);
    }
    return null;
  }

  #way(index: number): readonly ModelEvent[] {
    const events: ModelEvent[] = [];
    for (let at = index; at > 0; at = this.#parents[at] as number)
      events.push(this.#events[at] as ModelEvent);
    return [...(this.#options.prelude ?? []), ...events.reverse()];
  }

  #result(isComplete: boolean, broken: Trace | null): Exploration {
    const { size: states } = this.#seen;
    return { states, transitions: this.#transitions, depth: this.#depth, isComplete, broken };
  }
}
