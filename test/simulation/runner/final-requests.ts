import { asPartitionId } from '../../../src/model/numbers.ts';
import { type Action, type History, keysOf, type Operation } from '../checkers/history.ts';
import type { ClientTransport } from '../clients/simulated-client.ts';

const RETRY_MS = 100;
const TIMEOUT_MS = 4_000;

/**
 * Asks for something until it is done, from one node after the other: what a healed cluster must do for everybody.
 * Refused and doubtful attempts are in the history like all others.
 */
export class FinalRequests {
  readonly #transport: ClientTransport;
  readonly #history: History;
  #open = 0;
  #isOver = false;

  constructor(transport: ClientTransport, history: History) {
    this.#transport = transport;
    this.#history = history;
  }

  get isDone(): boolean {
    return this.#open === 0;
  }

  /** Attempts end; what was not done by then is given up. */
  end(): void {
    this.#isOver = true;
  }

  /** A write to each partition, and a read of every key that anybody ever touched. */
  ask(partitions: readonly number[], operations: readonly Operation[]): void {
    for (const partition of partitions) {
      this.#ask(partition, { kind: 'set', key: `${partition}:last`, value: 'last', dueMs: 0 });
    }
    const keys = new Map<string, number>();
    for (const { action, partition } of operations)
      for (const key of keysOf(action)) keys.set(key, partition);
    for (const [key, partition] of keys) this.#ask(partition, { kind: 'get', key });
  }

  #ask(partition: number, action: Action): void {
    this.#open += 1;
    this.#attempt(partition, action, 0);
  }

  #attempt(partition: number, action: Action, attempt: number): void {
    if (this.#isOver) return;
    const id = this.#history.invoke(0, partition, action);
    const request = {
      partition: asPartitionId(partition),
      action,
      consistency: 'leader',
      deadlineMs: TIMEOUT_MS,
      stalenessMsMax: 0,
    } as const;
    let isOpen = true;
    const again = (reason: string, kind: 'refused' | 'unknown'): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#history.complete(id, { kind, reason });
      this.#transport.after(RETRY_MS, () => this.#attempt(partition, action, attempt + 1));
    };
    const { nodes } = this.#transport;
    const to = nodes[attempt % nodes.length];
    if (to === undefined) return;
    this.#transport.after(TIMEOUT_MS, () => again('client timeout', 'unknown'));
    this.#transport.send(
      to,
      request,
      ({ outcome }) => {
        if (!isOpen) return;
        if (outcome.kind !== 'done') {
          again(outcome.reason, outcome.kind);
          return;
        }
        isOpen = false;
        this.#history.complete(id, outcome);
        this.#open -= 1;
      },
      (how) => again(`connection ${how}`, how === 'refused' ? 'refused' : 'unknown'),
    );
  }
}
