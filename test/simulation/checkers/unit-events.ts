import { type Action, isRead, keysOf, type Operation, valuesIn } from './history.ts';

/** An operation with a known outcome: it takes effect exactly once, between its two events. */
export interface DefiniteStep {
  readonly kind: 'definite';
  readonly index: number;
  readonly operation: Operation;
  readonly action: Action;
  readonly reply: string;
}

/**
 * Steps of equal effect that nobody knows the outcome of: after an offer one more of them may happen at any time, or never.
 * Equal ones need not be told apart, which keeps the search small.
 */
export interface OptionalStep {
  readonly index: number;
  readonly effect:
    | { readonly kind: 'client'; readonly action: Action }
    | { readonly kind: 'expiry'; readonly key: string; readonly dueMs: number };
}

export type UnitEvent =
  | { readonly kind: 'invoke' | 'return'; readonly position: number; readonly step: DefiniteStep }
  | { readonly kind: 'offer'; readonly position: number; readonly step: OptionalStep };

export interface UnitEvents {
  readonly events: readonly UnitEvent[];
  readonly optionalSteps: readonly OptionalStep[];
}

/** Stands for each value that no reply ever showed and no compare ever named: such values cannot be told apart. */
export const UNOBSERVED = '*';

const INTEGER = /^-?\d+$/;

/**
 * The history of one unit as the search reads it. Refused operations are left out: that they had no effect is what the
 * rest must be explained with. So are reads without an answer. `wallAheadMsMax`: how far any node's wall clock was ever
 * ahead of true time, so how much too early a key may expire.
 */
export function unitEvents(operations: readonly Operation[], wallAheadMsMax: number): UnitEvents {
  const builder = new EventBuilder(operations, wallAheadMsMax);
  for (const operation of operations) builder.add(operation);
  return builder.build();
}

class EventBuilder {
  readonly #observed: ReadonlySet<string>;
  readonly #times: readonly (readonly [atMs: number, position: number])[];
  readonly #wallAheadMsMax: number;
  readonly #events: UnitEvent[] = [];
  readonly #optional = new Map<string, OptionalStep>();
  #definiteCount = 0;

  constructor(operations: readonly Operation[], wallAheadMsMax: number) {
    this.#observed = observedValues(operations);
    this.#wallAheadMsMax = wallAheadMsMax;
    this.#times = operations
      .flatMap(({ invokedAtMs, invoked, returnedAtMs, returned }): [number, number][] => [
        [invokedAtMs, invoked],
        [returnedAtMs, returned],
      ])
      .filter(([, position]) => Number.isFinite(position))
      .sort((left, right) => left[1] - right[1]);
  }

  add(operation: Operation): void {
    const { outcome, action } = operation;
    if (outcome.kind === 'refused' || (outcome.kind === 'unknown' && isRead(action))) return;
    const canonical = this.#canonical(action);
    if (outcome.kind === 'unknown') {
      this.#offer({ kind: 'client', action: canonical }, operation.invoked);
    } else {
      const index = this.#definiteCount;
      this.#definiteCount += 1;
      const step = { kind: 'definite', index, operation, action: canonical, reply: outcome.reply } as const;
      this.#events.push({ kind: 'invoke', position: operation.invoked, step });
      this.#events.push({ kind: 'return', position: operation.returned, step });
    }
    this.#addExpiry(operation);
  }

  build(): UnitEvents {
    const events = this.#events.sort((left, right) => left.position - right.position);
    return { events, optionalSteps: [...this.#optional.values()] };
  }

  #addExpiry({ action, invoked }: Operation): void {
    const dueMs = 'dueMs' in action ? action.dueMs : 0;
    if (dueMs === 0) return;
    const position = Math.max(invoked + 0.5, this.#positionAt(dueMs - this.#wallAheadMsMax));
    for (const key of keysOf(action)) this.#offer({ kind: 'expiry', key, dueMs }, position);
  }

  #offer(effect: OptionalStep['effect'], position: number): void {
    const name = JSON.stringify(effect);
    const step = this.#optional.get(name) ?? { index: this.#optional.size, effect };
    this.#optional.set(name, step);
    this.#events.push({ kind: 'offer', position, step });
  }

  /** Just before the first event at or after this time. */
  #positionAt(atMs: number): number {
    const found = this.#times.find(([ms]) => ms >= atMs);
    return found === undefined ? Number.MAX_SAFE_INTEGER : found[1] - 0.25;
  }

  #canonical(action: Action): Action {
    if (action.kind === 'multiSet') {
      return { ...action, values: action.values.map((value) => this.#canonicalValue(value)) };
    }
    return 'value' in action ? { ...action, value: this.#canonicalValue(action.value) } : action;
  }

  #canonicalValue(value: string): string {
    return INTEGER.test(value) || this.#observed.has(value) ? value : UNOBSERVED;
  }
}

function observedValues(operations: readonly Operation[]): ReadonlySet<string> {
  const observed = new Set<string>();
  for (const { outcome, action } of operations) {
    if (outcome.kind === 'done') for (const value of valuesIn(outcome.reply)) observed.add(value);
    if ('expected' in action && action.expected !== null) observed.add(action.expected);
  }
  return observed;
}
