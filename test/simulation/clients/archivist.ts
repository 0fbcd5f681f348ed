import type { SeededRandom } from '../../support/seeded-random.ts';
import type { Action, History } from '../checkers/history.ts';
import { Asker } from './asker.ts';
import type { ClientTransport } from './simulated-client.ts';

export interface ArchivistOptions {
  readonly client: number;
  readonly partitions: readonly number[];
  /** True wall clock time now. */
  readonly wallMs: () => number;
  /** Of a read from a follower. */
  readonly stalenessMsMax: number;
}

/** So many keys are kept in each partition: enough that a segment may be worth more than it would give back. */
const KEPT = 40;
const VALUE_LENGTH = 300;
const FIRST_EVERY_MS = 60;
const EVERY_MS = 250;
const MORTAL_EVERY_MS = 6_000;
/** A mortal key lives for longer than a follower may be behind. */
const LIFE_MS_MIN = 3_700;
const LIFE_SPREAD_MS = 1_500;
/** From its due time, when it is read at every node. */
const LOOKS_MS: readonly number[] = [-160, -100, -40, 20, 80, 140];
const TIMEOUT_MS = 3_000;
const OPEN_MAX = 30;

/**
 * Has keys that nobody else touches, and leaves them alone: each is written once or twice, and one day deleted for
 * ever. What is lost of old data, or comes back, is not soon written over, as it is where all clients meet. Some of its
 * keys are mortal, and followers are asked for them around their due time.
 */
export class Archivist {
  readonly #options: ArchivistOptions;
  readonly #transport: ClientTransport;
  readonly #asker: Asker;
  readonly #random: SeededRandom;
  readonly #kept = new Map<number, string[]>();
  #isStopped = false;
  #count = 0;

  constructor(options: ArchivistOptions, transport: ClientTransport, history: History, random: SeededRandom) {
    this.#options = options;
    this.#transport = transport;
    this.#asker = new Asker({ ...options, timeoutMs: TIMEOUT_MS }, transport, history);
    this.#random = random;
    for (const partition of options.partitions) this.#kept.set(partition, []);
  }

  get isIdle(): boolean {
    return this.#asker.openCount === 0;
  }

  start(): void {
    this.#wait();
    this.#waitForMortal();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #wait(): void {
    const everyMs = this.#count < KEPT * this.#options.partitions.length ? FIRST_EVERY_MS : EVERY_MS;
    this.#later(this.#random.fraction() * 2 * everyMs, () => {
      if (this.#asker.openCount < OPEN_MAX) this.#keep(this.#random.pick(this.#options.partitions));
      this.#wait();
    });
  }

  #waitForMortal(): void {
    this.#later(this.#random.fraction() * 2 * MORTAL_EVERY_MS, () => {
      this.#tryMortal(this.#random.pick(this.#options.partitions));
      this.#waitForMortal();
    });
  }

  #later(delayMs: number, task: () => void): void {
    this.#transport.after(delayMs, () => {
      if (!this.#isStopped) task();
    });
  }

  #keep(partition: number): void {
    const kept = this.#kept.get(partition) ?? [];
    if (kept.length < KEPT) {
      const key = this.#name(partition, 'a');
      kept.push(key);
      this.#ask(partition, this.#put(key, 0));
      return;
    }
    const at = this.#random.below(kept.length);
    const key = kept[at] as string;
    if (this.#random.chance(0.3)) this.#ask(partition, this.#put(key, 0));
    else if (this.#random.chance(0.25)) this.#ask(partition, { kind: 'get', key });
    else {
      kept.splice(at, 1);
      this.#ask(partition, { kind: 'delete', key });
    }
  }

  #tryMortal(partition: number): void {
    const key = this.#name(partition, 'm');
    const lifeMs = Math.floor(LIFE_MS_MIN + this.#random.fraction() * LIFE_SPREAD_MS);
    const dueMs = Math.floor(this.#options.wallMs()) + lifeMs;
    this.#ask(partition, this.#put(key, dueMs));
    for (const lookMs of LOOKS_MS) {
      this.#later(lifeMs + lookMs + this.#random.below(30), () => {
        for (const node of this.#transport.nodes)
          this.#asker.ask(node, { partition, action: { kind: 'get', key }, consistency: 'follower' });
      });
    }
  }

  #name(partition: number, kind: string): string {
    this.#count += 1;
    return `${partition}:${kind}${this.#count}`;
  }

  #put(key: string, dueMs: number): Action {
    this.#count += 1;
    return { kind: 'set', key, value: `a${this.#count}`.padEnd(VALUE_LENGTH, '.'), dueMs };
  }

  /** Of all nodes, since who does not lead refuses. */
  #ask(partition: number, action: Action): void {
    for (const node of this.#transport.nodes) this.#asker.ask(node, { partition, action });
  }
}
