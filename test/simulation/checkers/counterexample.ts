import { describeAction, describeOutcome, type Operation, valuesIn } from './history.ts';

export interface Failure {
  readonly keys: readonly string[];
  readonly operations: readonly Operation[];
  /** The first operation whose answer nothing explains. */
  readonly failed: Operation;
  /** The last moment before it when everything was decided. */
  readonly cut: { readonly position: number; readonly state: string };
  /** States that were possible before it. */
  readonly states: readonly string[];
}

const STATES_MAX = 8;

/**
 * The smallest window that shows the contradiction: from the last moment when nothing was in flight and only one state was
 * possible up to the answer that nothing explains. Of what is older only that is listed whose outcome is open or which speaks
 * of a value that the answer shows.
 */
export function counterexample(failure: Failure): string {
  const { keys, operations, failed, cut, states } = failure;
  const window = operations.filter((operation) => isInWindow(operation, failure));
  return [
    `not linearizable: partition ${failed.partition}, keys ${keys.join(' ')}: nothing explains operation ${failed.id}`,
    `  certain before: ${cut.state} (~ is absent, * a value that nobody read)`,
    ...window.map((operation) => `  ${operation === failed ? '>' : ' '} ${describe(operation)}`),
    `  possible states before its answer: ${states.slice(0, STATES_MAX).join('   ')}${states.length > STATES_MAX ? ' ...' : ''}`,
  ].join('\n');
}

function isInWindow(operation: Operation, { failed, cut }: Failure): boolean {
  if (operation.invoked > failed.returned) return false;
  const isInside = operation.returned > cut.position && operation.outcome.kind !== 'refused';
  if (isInside || operation.consistency === 'follower') return isInside;
  return failed.outcome.kind === 'done' && speaksOf(operation, valuesIn(failed.outcome.reply));
}

function speaksOf(operation: Operation, values: readonly string[]): boolean {
  const words = describeAction(operation.action).split(' ');
  return values.some((value) => words.includes(value));
}

function describe(operation: Operation): string {
  const { id, client, action, outcome, invokedAtMs, returnedAtMs } = operation;
  const span = `${invokedAtMs.toFixed(2)}-${outcome.kind === 'unknown' ? '?' : returnedAtMs.toFixed(2)} ms`;
  return `#${id} client ${client} [${span}] ${describeAction(action)}: ${describeOutcome(outcome)}`;
}
