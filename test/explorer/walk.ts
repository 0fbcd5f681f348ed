import { SeededRandom } from '../support/seeded-random.ts';
import { happen, type ModelEvent, type ModelLaw, type Successor, successors } from './events.ts';
import { START, type Trace } from './explore.ts';
import { brokenInvariant } from './invariants.ts';
import { type Budget, initialModel, type Model } from './model.ts';
import type { ModelRules } from './model-rules.ts';

export interface WalkOptions {
  readonly rules: ModelRules;
  readonly minInsync: number;
  readonly budget: Budget;
  readonly seed: number;
  readonly walks: number;
  /** Events of one walk. */
  readonly lengthMax: number;
}

export interface Walks {
  readonly walks: number;
  readonly events: number;
  readonly broken: Trace | null;
}

/** Much may happen in a walk: it goes where a search through everything would never come. */
export const WALK_BUDGET: Budget = {
  appends: 5,
  crashes: 5,
  lossyCrashes: 1,
  expiries: 3,
  proposals: 8,
  ticks: 5,
  stamps: 6,
  epochs: 10,
};

/** How often an event is chosen, by its word; 1 where it is not named. What makes trouble is rare, or nothing else would ever be done. */
const WEIGHTS: Readonly<Record<string, number>> = {
  serve: 6,
  take: 6,
  learn: 4,
  decide: 4,
  handle: 4,
  echo: 4,
  append: 2,
  restart: 2,
  crash: 0.3,
  expire: 0.3,
  register: 0.5,
  propose: 0.7,
  tick: 0.5,
};

/** Walks through the model by chance, one seed the same walks. What a walk breaks is told by as few of its events as break it too. */
export function walk(options: WalkOptions): Walks {
  const { rules, minInsync, walks, lengthMax } = options;
  const law: ModelLaw = { rules, minInsync, answersAtOnce: false };
  const random = new SeededRandom(options.seed);
  let events = 0;
  for (let count = 1; count <= walks; count += 1) {
    const way = walkOnce(options, law, random, lengthMax);
    events += way.events.length;
    if (way.invariant !== null) return { walks: count, events, broken: shortened(options, law, way.events) };
  }
  return { walks, events, broken: null };
}

function walkOnce(
  options: WalkOptions,
  law: ModelLaw,
  random: SeededRandom,
  lengthMax: number,
): { readonly events: readonly ModelEvent[]; readonly invariant: string | null } {
  const events: ModelEvent[] = [];
  let model = begin(options, law);
  while (events.length < lengthMax) {
    const chosen = choose(successors(model, law), random);
    if (chosen === undefined) break;
    events.push(chosen.event);
    model = chosen.model;
    const invariant = brokenInvariant(model, law);
    if (invariant !== null) return { events, invariant };
  }
  return { events, invariant: null };
}

function choose(next: readonly Successor[], random: SeededRandom): Successor | undefined {
  const weights = next.map(({ event }) => WEIGHTS[event.split(' ')[0] as string] ?? 1);
  let left = random.fraction() * weights.reduce((sum, weight) => sum + weight, 0);
  return next.find((_, at) => {
    left -= weights[at] as number;
    return left < 0;
  });
}

/** Leaves out events one by one, as long as something still breaks. */
function shortened(options: WalkOptions, law: ModelLaw, events: readonly ModelEvent[]): Trace | null {
  let shortest = replay(options, law, events);
  for (let at = (shortest?.events.length ?? 0) - 1; at >= 0 && shortest !== null; at -= 1) {
    const shorter = replay(options, law, shortest.events.toSpliced(at, 1));
    if (shorter === null) continue;
    shortest = shorter;
    at = Math.min(at, shorter.events.length);
  }
  return shortest;
}

/** The events that can happen, up to the first that breaks something; null: nothing breaks. */
function replay(options: WalkOptions, law: ModelLaw, events: readonly ModelEvent[]): Trace | null {
  const done: ModelEvent[] = [];
  let model = begin(options, law);
  for (const event of events) {
    const after = happen(model, event, law);
    if (after === null) continue;
    done.push(event);
    model = after;
    const invariant = brokenInvariant(model, law);
    if (invariant !== null) return { invariant, events: done };
  }
  return null;
}

function begin(options: WalkOptions, law: ModelLaw): Model {
  let model = initialModel(options);
  for (const event of START) model = happen(model, event, law) ?? model;
  return model;
}
