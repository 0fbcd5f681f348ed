import { asPartitionId, type NodeId } from '../../../src/model/numbers.ts';
import type { Action, History, Outcome } from '../checkers/history.ts';
import type { ClientTransport } from './simulated-client.ts';

export interface AskerOptions {
  readonly client: number;
  /** So long it waits for an answer; what it asked then is in doubt. */
  readonly timeoutMs: number;
  /** Of a read from a follower. */
  readonly stalenessMsMax: number;
}

export interface Question {
  readonly partition: number;
  readonly action: Action;
  readonly consistency?: 'leader' | 'follower';
}

/** Asks a node once, whoever leads, and writes down what came of it; no attempt is repeated. */
export class Asker {
  readonly #options: AskerOptions;
  readonly #transport: ClientTransport;
  readonly #history: History;
  #openCount = 0;

  constructor(options: AskerOptions, transport: ClientTransport, history: History) {
    this.#options = options;
    this.#transport = transport;
    this.#history = history;
  }

  /** Requests that wait for their answer. */
  get openCount(): number {
    return this.#openCount;
  }

  ask(
    to: NodeId,
    { partition, action, consistency = 'leader' }: Question,
    told: (outcome: Outcome) => void = () => undefined,
  ): void {
    const { client, timeoutMs, stalenessMsMax } = this.#options;
    const operation = this.#history.invoke(client, partition, action, consistency);
    let isOver = false;
    this.#openCount += 1;
    const end = (outcome: Outcome): void => {
      if (isOver) return;
      isOver = true;
      this.#openCount -= 1;
      this.#history.complete(operation, outcome);
      told(outcome);
    };
    const request = { partition: asPartitionId(partition), action, consistency };
    this.#transport.after(timeoutMs, () => end({ kind: 'unknown', reason: 'client timeout' }));
    this.#transport.send(
      to,
      { ...request, deadlineMs: timeoutMs, stalenessMsMax },
      ({ outcome }) => end(outcome),
      (how) => end({ kind: how === 'refused' ? 'refused' : 'unknown', reason: `connection ${how}` }),
    );
  }
}
