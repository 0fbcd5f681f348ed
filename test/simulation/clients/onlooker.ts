import type { NodeId } from '../../../src/model/numbers.ts';
import type { SeededRandom } from '../../support/seeded-random.ts';
import { type Action, type History, valuesIn } from '../checkers/history.ts';
import { Asker } from './asker.ts';
import type { ClientTransport } from './simulated-client.ts';

export interface OnlookerOptions {
  readonly client: number;
  readonly partitions: readonly number[];
  /** Registers, of which other clients write. */
  readonly keysOf: (partition: number) => readonly string[];
  /** Mean time between two looks. */
  readonly everyMs: number;
  /** So long it waits for an answer; what it asked then is in doubt. */
  readonly timeoutMs: number;
}

/** Share of looks after which whoever did not answer is asked for what contradicts the answer. */
const CONTRADICTION_SHARE = 0.5;
const OPEN_MAX = 40;

/**
 * Believes no node about who leads, and so asks every one of them, at once: a leader that was deposed and does not know
 * it is found while it is one. Where one node has answered, the others are asked for something that only one with
 * another state can deny without writing (R3).
 */
export class Onlooker {
  readonly #options: OnlookerOptions;
  readonly #transport: ClientTransport;
  readonly #asker: Asker;
  readonly #random: SeededRandom;
  #isStopped = false;
  #valueCount = 0;

  constructor(options: OnlookerOptions, transport: ClientTransport, history: History, random: SeededRandom) {
    this.#options = options;
    this.#transport = transport;
    this.#asker = new Asker({ ...options, stalenessMsMax: 0 }, transport, history);
    this.#random = random;
  }

  get isIdle(): boolean {
    return this.#asker.openCount === 0;
  }

  start(): void {
    this.#wait();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #wait(): void {
    this.#transport.after(this.#random.fraction() * 2 * this.#options.everyMs, () => {
      if (this.#isStopped) return;
      if (this.#asker.openCount < OPEN_MAX) this.#look();
      this.#wait();
    });
  }

  #look(): void {
    const partition = this.#random.pick(this.#options.partitions);
    const key = this.#random.pick(this.#options.keysOf(partition));
    let isDone = !this.#random.chance(CONTRADICTION_SHARE);
    for (const node of this.#transport.nodes) {
      this.#asker.ask(node, { partition, action: { kind: 'get', key } }, (outcome) => {
        if (isDone || outcome.kind !== 'done') return;
        isDone = true;
        this.#contradict(node, partition, key, valuesIn(outcome.reply)[0] ?? null);
      });
    }
  }

  #contradict(but: NodeId, partition: number, key: string, value: string | null): void {
    const action = this.#contradictionOf(key, value);
    for (const node of this.#transport.nodes) {
      if (node !== but) this.#asker.ask(node, { partition, action });
    }
  }

  #contradictionOf(key: string, value: string | null): Action {
    if (value === null) return { kind: 'setIfAbsent', key, value: this.#value() };
    if (this.#random.chance(0.3)) return { kind: 'delete', key };
    return { kind: 'compareAndSet', key, expected: value, value: this.#value() };
  }

  #value(): string {
    this.#valueCount += 1;
    return `o${this.#options.client}v${this.#valueCount}`;
  }
}
