import { type Configuration, ConfigurationSet } from './configurations.ts';
import { counterexample, type Failure } from './counterexample.ts';
import { changedNothing, isRead, keysOf, type Operation } from './history.ts';
import { type Cells, KeyModel, unitsOf } from './key-model.ts';
import { type DefiniteStep, type OptionalStep, type UnitEvent, unitEvents } from './unit-events.ts';

export interface LinearizabilityOptions {
  /** How far any node's wall clock was ever ahead of true time. */
  readonly wallAheadMsMax: number;
  /** The search of one unit gives up after so many configurations. */
  readonly configurationsMax: number;
}

export type Verdict =
  | { readonly kind: 'linearizable' }
  | { readonly kind: 'violation'; readonly text: string }
  | { readonly kind: 'undecided'; readonly text: string };

export const LINEARIZABILITY_DEFAULTS: LinearizabilityOptions = {
  wallAheadMsMax: 0,
  configurationsMax: 500_000,
};

const LINEARIZABLE: Verdict = { kind: 'linearizable' };

/**
 * Is there one order of all operations, each between its invocation and its answer, that explains all answers? Wing and
 * Gong's search with Lowe's just-in-time linearization: the history is read event by event with the set of all
 * explanations so far, equal ones remembered once; a step takes effect no earlier than some answer needs it. Memory is
 * bounded by the number of explanations that are open at one time, not by the length of the history. Units (keys that
 * no action joins) are judged apart: linearizability is local.
 */
export function checkLinearizability(
  operations: readonly Operation[],
  options: Partial<LinearizabilityOptions> = {},
): readonly Verdict[] {
  const settings = { ...LINEARIZABILITY_DEFAULTS, ...options };
  const linearizable = operations.filter(({ consistency }) => consistency === 'leader');
  const units = unitsOf(linearizable.map(({ action }) => action));
  const byUnit = operationsOf(units, linearizable);
  return units
    .map((keys, unit) => new UnitSearch(new KeyModel(keys), byUnit[unit] ?? [], settings).run())
    .filter(({ kind }) => kind !== 'linearizable');
}

/** What happened to each unit, in the order of the history. A flush is an operation of every unit of its partition. */
function operationsOf(
  units: readonly (readonly string[])[],
  operations: readonly Operation[],
): readonly (readonly Operation[])[] {
  const unitOf = new Map(units.flatMap((keys, unit) => keys.map((key) => [key, unit] as const)));
  const indexOf = ({ action }: Operation): number => unitOf.get(keysOf(action)[0] ?? '') ?? -1;
  const partitions: (number | undefined)[] = units.map(() => undefined);
  for (const operation of operations) partitions[indexOf(operation)] ??= operation.partition;
  const byUnit: Operation[][] = units.map(() => []);
  for (const operation of operations) {
    if (operation.action.kind !== 'flush') byUnit[indexOf(operation)]?.push(operation);
    else
      for (const [unit, own] of byUnit.entries())
        if (partitions[unit] === operation.partition) own.push(operation);
  }
  return byUnit;
}

/** A point where everything before is decided: nothing in flight, one state possible. */
export interface Cut {
  readonly position: number;
  readonly state: string;
}

class UnitSearch {
  readonly #model: KeyModel;
  readonly #operations: readonly Operation[];
  readonly #options: LinearizabilityOptions;
  readonly #optionalSteps: readonly OptionalStep[];
  readonly #events: readonly UnitEvent[];
  readonly #pending = new Map<number, DefiniteStep>();
  readonly #offered: number[];
  #frontier = new ConfigurationSet();
  #expanded = 0;
  #cut: Cut;

  constructor(model: KeyModel, operations: readonly Operation[], options: LinearizabilityOptions) {
    this.#model = model;
    this.#operations = operations;
    this.#options = options;
    const { events, optionalSteps } = unitEvents(operations, options.wallAheadMsMax);
    this.#events = events;
    this.#optionalSteps = optionalSteps;
    this.#offered = optionalSteps.map(() => 0);
    const cells = model.initial;
    const state = model.textOf(cells);
    this.#cut = { position: 0, state };
    this.#frontier.add({ cells, state, linearized: [], used: optionalSteps.map(() => 0) });
  }

  run(): Verdict {
    for (const event of this.#events) {
      if (event.kind === 'invoke') this.#pending.set(event.step.index, event.step);
      else if (event.kind === 'offer') this.#offered[event.step.index] = this.#offeredOf(event.step) + 1;
      else {
        const before = this.#frontier;
        this.#frontier = this.#explain(event.step);
        this.#pending.delete(event.step.index);
        if (this.#expanded > this.#options.configurationsMax) return this.#undecided();
        if (this.#frontier.size === 0) return this.#violation(event.step, before);
        this.#markCut(event.position);
      }
    }
    return LINEARIZABLE;
  }

  /** All explanations in which `returned` has taken effect, with it struck from the open ones. */
  #explain(returned: DefiniteStep): ConfigurationSet {
    const explained = new ConfigurationSet();
    const seen = new ConfigurationSet();
    const queue: Configuration[] = [];
    const visit = (configuration: Configuration): void => {
      const settled = this.#absorb(configuration);
      const at = settled.linearized.indexOf(returned.index);
      if (at >= 0) explained.add({ ...settled, linearized: settled.linearized.toSpliced(at, 1) });
      else if (seen.add(settled)) queue.push(settled);
    };
    for (const configuration of this.#frontier) visit(configuration);
    for (let head = 0; head < queue.length; head += 1) {
      this.#expanded += 1;
      if (this.#expanded > this.#options.configurationsMax) break;
      this.#expand(queue[head] as Configuration, visit);
    }
    return explained;
  }

  #expand(configuration: Configuration, visit: (next: Configuration) => void): void {
    for (const step of this.#pending.values()) {
      if (configuration.linearized.includes(step.index)) continue;
      const cells = this.#applied(configuration, step);
      if (cells !== null) visit(this.#linearized(configuration, [step.index], cells));
    }
    for (const step of this.#optionalSteps) {
      // Expiring what is due needs no count: it takes only what was put with this due time, and each put is a step of its own.
      const isCounted = step.effect.kind === 'client';
      const used = configuration.used[step.index] as number;
      if (used >= this.#offeredOf(step)) continue;
      const cells = this.#optional(configuration.cells, step);
      const state = this.#model.textOf(cells);
      if (state === configuration.state) continue;
      const usedAfter = isCounted ? configuration.used.with(step.index, used + 1) : configuration.used;
      visit({ ...configuration, cells, state, used: usedAfter });
    }
  }

  /** What fits now and changes nothing in any state may as well happen now: doing so never takes a way away. */
  #absorb(configuration: Configuration): Configuration {
    const fitting: number[] = [];
    for (const step of this.#pending.values()) {
      if (!changedNothing(step.action, step.reply) || configuration.linearized.includes(step.index)) continue;
      if (this.#applied(configuration, step) !== null) fitting.push(step.index);
    }
    return fitting.length === 0
      ? configuration
      : this.#linearized(configuration, fitting, configuration.cells);
  }

  #linearized(configuration: Configuration, indexes: readonly number[], cells: Cells): Configuration {
    const linearized = [...configuration.linearized, ...indexes].sort((left, right) => left - right);
    return { ...configuration, cells, state: this.#model.textOf(cells), linearized };
  }

  /** Cells after the step, or null if its reply does not fit here. */
  #applied({ cells }: Configuration, { action, reply, operation }: DefiniteStep): Cells | null {
    // Given up by EXEC: somebody wrote, perhaps the same value again. The model knows no versions.
    if (action.kind === 'setIfUnchanged' && changedNothing(action, reply)) return cells;
    const after = this.#model.apply(cells, action);
    if (after.reply !== reply) return null;
    const { outcome } = operation;
    if (outcome.kind !== 'done' || outcome.wallMs === undefined || !isRead(action)) return after.cells;
    return this.#model.isDue(cells, keysOf(action), outcome.wallMs) ? null : after.cells;
  }

  #optional(cells: Cells, { effect }: OptionalStep): Cells {
    if (effect.kind === 'client') return this.#model.apply(cells, effect.action).cells;
    return this.#model.expire(cells, effect.key, effect.dueMs);
  }

  #offeredOf({ index }: OptionalStep): number {
    return this.#offered[index] ?? 0;
  }

  #markCut(position: number): void {
    if (this.#pending.size > 0 || this.#frontier.size !== 1) return;
    for (const { state } of this.#frontier) this.#cut = { position, state };
  }

  #violation(step: DefiniteStep, before: ConfigurationSet): Verdict {
    const failure: Failure = {
      keys: this.#model.keys,
      operations: this.#operations,
      failed: step.operation,
      cut: this.#cut,
      states: [...new Set([...before].map(({ state }) => state))],
    };
    return { kind: 'violation', text: counterexample(failure) };
  }

  #undecided(): Verdict {
    const text = `keys ${this.#model.keys.join(' ')}: gave up after ${this.#expanded} configurations`;
    return { kind: 'undecided', text };
  }
}
