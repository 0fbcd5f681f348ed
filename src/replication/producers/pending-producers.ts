import type { Offset } from '../../model/numbers.ts';
import type { Producer, ProducerNote } from '../../model/producer.ts';
import type { ProducerSnapshot } from '../../storage/format/producer-snapshot.ts';

/** What one record says of producers. */
export type ProducerEvent =
  | { readonly kind: 'done'; readonly note: ProducerNote }
  | { readonly kind: 'forgotten'; readonly producer: Producer }
  | { readonly kind: 'snapshot'; readonly snapshot: ProducerSnapshot };

export interface PendingEvent {
  readonly offset: Offset;
  readonly event: ProducerEvent;
  /** Nothing that was said of its producer before counts any more. */
  readonly isReset: boolean;
}

/** What the uncommitted log says of one producer. */
export class PendingProducer {
  readonly producer: Producer;
  /** Sequences since the last reset, with the offset of the command's first record. */
  readonly offsets = new Map<number, Offset>();
  high = 0;
  /** Uncommitted events that make everything before them void: it is forgotten, or lives anew. */
  resets = 0;
  /** It is forgotten and was not seen again. */
  isForgotten = false;

  constructor(producer: Producer) {
    this.producer = producer;
  }
}

/** Under which name a producer is remembered: a node has one place, whatever its life. */
export function producerKey(producer: Producer): string {
  return producer.kind === 'client' ? `client ${producer.id}` : `node ${producer.node}`;
}

/** 0 for a client, which has no lives. */
export function lifeOf(producer: Producer): number {
  return producer.kind === 'node' ? producer.incarnation : 0;
}

/** The part of a producer table that may still be truncated: events in log order, and what they say together of each producer. */
export class PendingProducers {
  #events: PendingEvent[] = [];
  #first = 0;
  #forgotten = 0;
  readonly #byKey = new Map<string, PendingProducer>();

  get size(): number {
    return this.#events.length - this.#first;
  }

  /** Whether a client is being forgotten here. */
  get hasForgotten(): boolean {
    return this.#forgotten > 0;
  }

  get(key: string): PendingProducer | undefined {
    return this.#byKey.get(key);
  }

  values(): IterableIterator<PendingProducer> {
    return this.#byKey.values();
  }

  add(pending: PendingEvent): void {
    this.#events.push(pending);
    if (pending.event.kind === 'forgotten') this.#forgotten += 1;
    this.#apply(pending);
  }

  /** Hands out, in log order, what lies below `offset`, and forgets it. */
  takeBelow(offset: Offset): PendingEvent[] {
    let end = this.#first;
    while (end < this.#events.length && (this.#events[end] as PendingEvent).offset < offset) end += 1;
    const taken = this.#events.slice(this.#first, end);
    this.#first = end;
    if (this.#first * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#first);
      this.#first = 0;
    }
    return taken;
  }

  /** A taken event is committed now: it no longer counts here. */
  settle({ offset, event, isReset }: PendingEvent): void {
    if (event.kind === 'snapshot') return;
    if (event.kind === 'forgotten') this.#forgotten -= 1;
    const key = producerKey(event.kind === 'done' ? event.note.producer : event.producer);
    const pending = this.#byKey.get(key);
    if (pending === undefined) return;
    if (isReset) pending.resets -= 1;
    if (event.kind === 'done' && pending.offsets.get(event.note.sequence) === offset)
      pending.offsets.delete(event.note.sequence);
    if (pending.offsets.size === 0 && pending.resets === 0) this.#byKey.delete(key);
  }

  /** Forgets what lies at `offset` or above, and gives back what is left, to be added anew. */
  truncateTo(offset: Offset): PendingEvent[] {
    const kept = this.takeBelow(offset);
    this.#events = [];
    this.#first = 0;
    this.#forgotten = 0;
    this.#byKey.clear();
    return kept;
  }

  #apply({ offset, event, isReset }: PendingEvent): void {
    if (event.kind === 'snapshot') return;
    const producer = event.kind === 'done' ? event.note.producer : event.producer;
    const pending = this.#open(producer, isReset);
    pending.isForgotten = event.kind === 'forgotten';
    if (event.kind === 'forgotten' || pending.offsets.has(event.note.sequence)) return;
    pending.offsets.set(event.note.sequence, offset);
    pending.high = Math.max(pending.high, event.note.sequence);
  }

  #open(producer: Producer, isReset: boolean): PendingProducer {
    const key = producerKey(producer);
    const before = this.#byKey.get(key);
    if (before !== undefined && !isReset) return before;
    const pending = new PendingProducer(producer);
    pending.resets = (before?.resets ?? 0) + (isReset ? 1 : 0);
    this.#byKey.set(key, pending);
    return pending;
  }
}
