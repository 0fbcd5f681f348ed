import { asIncarnation, asNodeId, asProducerSequence } from '../../../src/model/numbers.ts';
import type { Producer } from '../../../src/model/producer.ts';

/**
 * `plain`: no producer. `client`: counts over all partitions. `forwarder`: counts for each partition, and sends several
 * commands at a time (R14).
 */
export type ClientKind = 'plain' | 'client' | 'forwarder';

/** One command as its producer numbered it. */
export interface Numbered {
  readonly producer: Producer;
  readonly sequence: ReturnType<typeof asProducerSequence>;
}

/** A client takes another id after so many commands: old ones are forgotten one day. */
const COMMANDS_PER_ID = 120;
/** Beside the nodes of the cluster. */
const FIRST_FORWARDER = 100;

/** Numbers the write commands of one client. */
export class Numbering {
  readonly #client: number;
  readonly #kind: ClientKind;
  #life = 1;
  #isLost = false;
  #sequence = 0;
  #sequences = new Map<number, number>();

  constructor(client: number, kind: ClientKind) {
    this.#client = client;
    this.#kind = kind;
  }

  next(partition: number): Numbered | null {
    if (this.#kind === 'plain') return null;
    if (this.#isLost || (this.#kind === 'client' && this.#sequence >= COMMANDS_PER_ID)) this.#beginLife();
    const sequence = (this.#kind === 'client' ? this.#sequence : (this.#sequences.get(partition) ?? 0)) + 1;
    this.#sequence = sequence;
    this.#sequences.set(partition, sequence);
    return { producer: this.#producer(), sequence: asProducerSequence(sequence) };
  }

  /** A command was given up. A forwarder may leave no gap behind: it begins a new life. */
  gaveUp(): void {
    this.#isLost = this.#kind === 'forwarder';
  }

  #beginLife(): void {
    this.#life += 1;
    this.#isLost = false;
    this.#sequence = 0;
    this.#sequences = new Map();
  }

  #producer(): Producer {
    if (this.#kind === 'client') return { kind: 'client', id: `c${this.#client}.${this.#life}` };
    return {
      kind: 'node',
      node: asNodeId(FIRST_FORWARDER + this.#client),
      incarnation: asIncarnation(this.#life),
    };
  }
}

/** Under which name a producer's life is known to the checkers. */
export function producerName(producer: Producer): string {
  return producer.kind === 'client' ? producer.id : `f${producer.node}.${producer.incarnation}`;
}
