import { CaskadeError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import { asOffset, type Offset } from '../../model/numbers.ts';
import type { Producer, ProducerNote } from '../../model/producer.ts';
import { ExtraId, findExtra } from '../../storage/format/extras.ts';
import { decodeProducerExtra, OutcomeDetail } from '../../storage/format/outcome.ts';
import {
  decodeProducerSnapshot,
  encodeProducerState,
  encodeSnapshotHeader,
  type ProducerSnapshot,
} from '../../storage/format/producer-snapshot.ts';
import { RecordKind, type RecordView } from '../../storage/format/record.ts';
import type { ProducerRecords } from '../../storage/producer-records.ts';
import {
  lifeOf,
  type PendingEvent,
  type PendingProducer,
  PendingProducers,
  type ProducerEvent,
  producerKey,
} from './pending-producers.ts';
import { type ProducerBounds, ProducerWindow } from './producer-window.ts';

/**
 * What to do with a numbered command (R14). `new`: execute it. `gap`: refused until `expected` is sent again.
 * `pending`: it is in the log at `offset`; its fate is the answer. `done`: the answer, or null if it was not kept.
 * `below`: it may have been executed, nobody knows any more: never execute it.
 */
export type ProducerLookup =
  | { readonly result: 'new' }
  | { readonly result: 'gap'; readonly expected: number }
  | { readonly result: 'pending'; readonly offset: Offset }
  | { readonly result: 'done'; readonly offset: Offset; readonly outcome: Uint8Array | null }
  | { readonly result: 'below' };

interface KnownProducer {
  readonly producer: Producer;
  readonly window: ProducerWindow;
}

export const PRODUCER_BOUNDS: ProducerBounds = {
  window: LIMITS.producerWindow,
  producersMax: LIMITS.producersMax,
};

const NEW: ProducerLookup = { result: 'new' };
const BELOW: ProducerLookup = { result: 'below' };

/**
 * The producers of one partition (R14), a function of its log: two replicas that committed the same records remember
 * the same. The committed part is never undone; the pending part follows appends and truncation (R13).
 *
 * A client whose id is not known is new, or was forgotten. Only its sender can tell whether a command may have been
 * executed before, so after anybody was ever forgotten a retry of an unknown client is `below`. A node is never
 * forgotten: a newer life takes the place of the older one, from which nothing can come any more.
 */
export class ProducerTable implements ProducerRecords {
  readonly #bounds: ProducerBounds;
  /** The one that was silent longest first. */
  #committed = new Map<string, KnownProducer>();
  readonly #pending = new PendingProducers();
  #committedOffset = asOffset(0);
  /** What lies below it came, all of it, with a snapshot. */
  #snapshotAsOf = asOffset(0);
  #hasForgotten = false;
  #clientCount = 0;

  constructor(bounds: ProducerBounds = PRODUCER_BOUNDS) {
    this.#bounds = bounds;
  }

  get isEmpty(): boolean {
    return this.#committed.size === 0 && !this.#hasForgotten;
  }

  /** `isRetry`: the sender sent this sequence before. */
  lookup({ producer, sequence }: Omit<ProducerNote, 'outcome'>, isRetry: boolean): ProducerLookup {
    const { pending, committed, life } = this.#known(producerKey(producer));
    if (life > lifeOf(producer)) return BELOW;
    if (life < lifeOf(producer)) return this.#lookupUnknown(producer, sequence, isRetry);
    const appended = pending?.offsets.get(sequence);
    if (appended !== undefined) return { result: 'pending', offset: appended };
    const seen = committed?.window.find(sequence) ?? null;
    if (seen !== null) return { result: 'done', offset: seen.offset, outcome: seen.outcome };
    const high = Math.max(pending?.high ?? 0, committed?.window.high ?? 0);
    if (producer.kind === 'node' && sequence > high + 1) return { result: 'gap', expected: high + 1 };
    // A node numbers without gaps: what is neither seen nor next is long gone.
    const low = producer.kind === 'node' ? high + 1 : high - this.#bounds.window + 1;
    return sequence < low ? BELOW : NEW;
  }

  /** Whom the log should forget before it takes a command of `producer`, so that the table stays bounded; null: nobody. */
  producerToForget(producer: Producer): Producer | null {
    if (producer.kind === 'node' || this.#known(producerKey(producer)).life === 0) return null;
    let count = this.#clientCount;
    for (const pending of this.#pending.values()) {
      const isKnown = this.#committed.has(producerKey(pending.producer));
      if (pending.producer.kind === 'client') count += Number(!pending.isForgotten) - Number(isKnown);
    }
    if (count < this.#bounds.producersMax) return null;
    for (const [key, known] of this.#committed)
      if (known.producer.kind === 'client' && this.#pending.get(key) === undefined) return known.producer;
    return null;
  }

  /** The first record of the command lies at `offset` of the log. */
  noteAppended(offset: Offset, note: ProducerNote): void {
    this.#append(offset, { kind: 'done', note });
  }

  /** A record that says so lies at `offset` of the log. */
  noteForgotten(offset: Offset, producer: Producer): void {
    this.#append(offset, { kind: 'forgotten', producer });
  }

  noteSnapshot(offset: Offset, snapshot: ProducerSnapshot): void {
    this.#append(offset, { kind: 'snapshot', snapshot });
  }

  recordAppended(offset: Offset, bytes: Uint8Array, at: number, view: RecordView): void {
    const event = producerEventOf(bytes, at, view);
    if (event !== null) this.#append(offset, event);
  }

  commitTo(highWatermark: Offset): void {
    for (const pending of this.#pending.takeBelow(highWatermark)) {
      this.#commit(pending);
      this.#pending.settle(pending);
    }
    this.#committedOffset = asOffset(Math.max(this.#committedOffset, highWatermark));
  }

  truncateTo(offset: Offset): void {
    for (const { offset: kept, event } of this.#pending.truncateTo(offset)) this.#append(kept, event);
  }

  /** Loads a snapshot that is not part of the log, before anything else is noted. */
  load(snapshot: ProducerSnapshot): void {
    this.#takeSnapshot(snapshot);
    this.#committedOffset = snapshot.asOf;
  }

  *snapshotParts(): Generator<Uint8Array> {
    yield encodeSnapshotHeader(this.#committedOffset, this.#hasForgotten);
    for (const [key, known] of [...this.#committed]) {
      if (this.#committed.get(key) !== known) continue;
      yield encodeProducerState({ producer: known.producer, seen: known.window.seen() });
    }
  }

  #append(offset: Offset, event: ProducerEvent): void {
    if (this.#isPassedOver(offset, event)) return;
    let isReset = event.kind === 'forgotten';
    if (event.kind === 'done') {
      const { producer } = event.note;
      const { life } = this.#known(producerKey(producer));
      if (life > lifeOf(producer)) return;
      isReset = life < lifeOf(producer);
    }
    this.#pending.add({ offset, event, isReset });
  }

  /**
   * A record below a snapshot that was taken is in it. Not so another snapshot: its offset is only the place that a
   * merge found for it.
   */
  #isPassedOver(offset: Offset, event: ProducerEvent): boolean {
    return offset < this.#snapshotAsOf && event.kind !== 'snapshot';
  }

  /** What the whole log says of a producer. `life` -1: nothing, or that it is forgotten. */
  #known(key: string): {
    readonly pending: PendingProducer | undefined;
    readonly committed: KnownProducer | undefined;
    readonly life: number;
  } {
    const pending = this.#pending.get(key);
    const committed = (pending?.resets ?? 0) > 0 ? undefined : this.#committed.get(key);
    if (pending !== undefined && pending.offsets.size > 0)
      return { pending, committed, life: lifeOf(pending.producer) };
    return { pending, committed, life: committed === undefined ? -1 : lifeOf(committed.producer) };
  }

  #lookupUnknown(producer: Producer, sequence: number, isRetry: boolean): ProducerLookup {
    if (producer.kind === 'node') return sequence === 1 ? NEW : { result: 'gap', expected: 1 };
    const mayBeForgotten = this.#hasForgotten || this.#pending.hasForgotten;
    return isRetry && mayBeForgotten ? BELOW : NEW;
  }

  #commit({ offset, event }: PendingEvent): void {
    if (this.#isPassedOver(offset, event)) return;
    if (event.kind === 'snapshot') this.#takeSnapshot(event.snapshot);
    else if (event.kind === 'forgotten') this.#forget(event.producer);
    else this.#remember(event.note, offset);
  }

  #remember(note: ProducerNote, offset: Offset): void {
    const key = producerKey(note.producer);
    let known = this.#committed.get(key);
    if (known !== undefined && lifeOf(known.producer) > lifeOf(note.producer)) return;
    if (known === undefined || lifeOf(known.producer) < lifeOf(note.producer)) {
      this.#drop(key);
      known = { producer: note.producer, window: new ProducerWindow(this.#bounds.window) };
      this.#clientCount += Number(note.producer.kind === 'client');
    }
    known.window.note(note, offset);
    this.#committed.delete(key);
    this.#committed.set(key, known);
  }

  #forget(producer: Producer): void {
    this.#drop(producerKey(producer));
    this.#hasForgotten = true;
  }

  #drop(key: string): void {
    const known = this.#committed.get(key);
    if (known === undefined) return;
    this.#committed.delete(key);
    this.#clientCount -= Number(known.producer.kind === 'client');
  }

  /** An older one than was taken before says nothing new. */
  #takeSnapshot({ asOf, hasForgotten, producers }: ProducerSnapshot): void {
    if (asOf < this.#snapshotAsOf) return;
    this.#snapshotAsOf = asOf;
    this.#hasForgotten = hasForgotten;
    this.#committed = new Map();
    this.#clientCount = 0;
    for (const { producer, seen } of producers)
      for (const each of seen) this.#remember({ producer, ...each }, each.offset);
  }
}

/** What a record says of producers; null: nothing. Throws `futureFormat` for a form that this version does not know. */
export function producerEventOf(bytes: Uint8Array, at: number, view: RecordView): ProducerEvent | null {
  if (view.kind === RecordKind.producerSnapshot) {
    const snapshot = decodeProducerSnapshot(bytes, view.valueStart, view.valueEnd);
    if (typeof snapshot === 'string') throw unreadable('producer snapshot', snapshot);
    return { kind: 'snapshot', snapshot };
  }
  const extra = findExtra(bytes, at, view, ExtraId.producer);
  if (extra === null) {
    if (view.kind === RecordKind.outcome) throw unreadable('producer', 'absent');
    return null;
  }
  const note = decodeProducerExtra(extra);
  if (typeof note === 'string') throw unreadable('producer', note);
  if (view.kind === RecordKind.outcome && view.detail === OutcomeDetail.forgotten)
    return { kind: 'forgotten', producer: note.producer };
  return {
    kind: 'done',
    note: { ...note, outcome: note.outcome === null ? null : Uint8Array.from(note.outcome) },
  };
}

function unreadable(what: string, fault: string): CaskadeError {
  if (fault === 'form' || fault === 'version')
    return new CaskadeError(
      'futureFormat',
      `a ${what} of a form this version does not know was written by a newer Caskade; start the newer version`,
    );
  return new CaskadeError('corruptSegment', `a ${what} in a valid record does not add up (${fault})`);
}
