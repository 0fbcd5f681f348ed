import { LIMITS } from '../../model/limits.ts';
import { asOffset, asProducerSequence, type Offset } from '../../model/numbers.ts';
import type { ProducerNote } from '../../model/producer.ts';
import type { SeenSequence } from '../../storage/format/producer-snapshot.ts';

const INITIAL_CAPACITY = 8;
const ABSENT = 0;

/** Two numbers that bound what a table remembers; tests make them small. */
export interface ProducerBounds {
  /** Sequences of one producer; a power of two. */
  readonly window: number;
  /** Clients; nodes are not counted. */
  readonly producersMax: number;
}

/**
 * The committed commands of one producer: those of its newest sequence, `high`, and of the `window` - 1 sequences below
 * it that were seen.
 *
 * A ring over sequences: sequence s is at slot `s & mask`, and as only `window` neighbours are alive, a slot never has two. It
 * begins small and doubles, because most producers are seen a few times and then never again.
 */
export class ProducerWindow {
  high = 0;
  readonly #window: number;
  /** 0: nothing in the slot. Sequences count from 1. */
  #sequences = new Float64Array(INITIAL_CAPACITY);
  #offsets = new Float64Array(INITIAL_CAPACITY);
  #outcomes = new Array<Uint8Array | null>(INITIAL_CAPACITY).fill(null);
  #outcomeBytes = 0;
  /** Outcomes of sequences up to here are gone. */
  #withoutOutcomeTo = 0;
  #newestOutcome: Uint8Array | null = null;

  constructor(window: number) {
    this.#window = window;
  }

  /** The lowest sequence of the window. */
  get low(): number {
    return Math.max(1, this.high - this.#window + 1);
  }

  find(sequence: number): SeenSequence | null {
    const slot = sequence & (this.#sequences.length - 1);
    if (sequence < this.low || this.#sequences[slot] !== sequence) return null;
    return {
      sequence: asProducerSequence(sequence),
      offset: asOffset(this.#offsets[slot] as number),
      outcome: this.#outcomes[slot] as Uint8Array | null,
    };
  }

  /**
   * Remembers a committed command. One that was seen before, or that lies below the window, changes nothing. Copies the
   * outcome.
   */
  note({ sequence, outcome }: Pick<ProducerNote, 'sequence' | 'outcome'>, offset: Offset): void {
    if (sequence < this.low || this.find(sequence) !== null) return;
    if (sequence > this.high) this.#raise(sequence);
    const slot = sequence & (this.#sequences.length - 1);
    this.#sequences[slot] = sequence;
    this.#offsets[slot] = offset;
    const kept = sequence > this.#withoutOutcomeTo ? this.#copyOf(outcome) : null;
    this.#outcomes[slot] = kept;
    this.#outcomeBytes += kept?.length ?? 0;
    if (this.#outcomeBytes > LIMITS.producerOutcomesBytesMax) this.#dropOutcomes();
  }

  /** In order of the sequences. */
  seen(): SeenSequence[] {
    const seen: SeenSequence[] = [];
    for (const sequence of this.#sequences) {
      const found = sequence === ABSENT ? null : this.find(sequence);
      if (found !== null) seen.push(found);
    }
    return seen.sort((left, right) => left.sequence - right.sequence);
  }

  #raise(high: number): void {
    const before = this.low;
    this.high = high;
    while (this.#sequences.length < Math.min(this.#window, high)) this.#grow();
    const forgottenTo = Math.min(this.low, before + this.#window);
    for (let sequence = before; sequence < forgottenTo; sequence += 1) this.#forget(sequence);
  }

  #forget(sequence: number): void {
    const slot = sequence & (this.#sequences.length - 1);
    if (this.#sequences[slot] !== sequence) return;
    this.#sequences[slot] = ABSENT;
    this.#outcomeBytes -= this.#outcomes[slot]?.length ?? 0;
    this.#outcomes[slot] = null;
  }

  #dropOutcomes(): void {
    let sequence = Math.max(this.#withoutOutcomeTo + 1, this.low);
    for (; this.#outcomeBytes > LIMITS.producerOutcomesBytesMax; sequence += 1) {
      const slot = sequence & (this.#sequences.length - 1);
      if (this.#sequences[slot] !== sequence) continue;
      this.#outcomeBytes -= this.#outcomes[slot]?.length ?? 0;
      this.#outcomes[slot] = null;
    }
    this.#withoutOutcomeTo = sequence - 1;
  }

  /** A producer is answered the same again and again: equal neighbours share their bytes. */
  #copyOf(outcome: Uint8Array | null): Uint8Array | null {
    if (outcome === null) return null;
    if (this.#newestOutcome === null || Buffer.compare(this.#newestOutcome, outcome) !== 0)
      this.#newestOutcome = Uint8Array.from(outcome);
    return this.#newestOutcome;
  }

  #grow(): void {
    const capacity = this.#sequences.length * 2;
    const sequences = new Float64Array(capacity);
    const offsets = new Float64Array(capacity);
    const outcomes = new Array<Uint8Array | null>(capacity).fill(null);
    for (const [slot, sequence] of this.#sequences.entries()) {
      if (sequence === ABSENT) continue;
      const to = sequence & (capacity - 1);
      sequences[to] = sequence;
      offsets[to] = this.#offsets[slot] as number;
      outcomes[to] = this.#outcomes[slot] as Uint8Array | null;
    }
    this.#sequences = sequences;
    this.#offsets = offsets;
    this.#outcomes = outcomes;
  }
}
