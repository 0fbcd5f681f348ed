import { InvariantError } from '../model/errors.ts';
import { asOffset, asProducerSequence, type Offset } from '../model/numbers.ts';
import type { Producer, ProducerNote } from '../model/producer.ts';
import type { AppendQueue } from './append-queue.ts';
import { type BatchBuilder, EMPTY } from './batch-builder.ts';
import { ExtraId, encodeExtras } from './format/extras.ts';
import { encodeProducerExtra, OutcomeDetail } from './format/outcome.ts';
import { RECORD_HEADER_BYTES, RecordFlag, RecordKind, RecordView } from './format/record.ts';
import type { Overlay } from './overlay.ts';
import type { ProducerRecords } from './producer-records.ts';
import type { StoreKey } from './store-lookups.ts';

const NO_KEY: StoreKey = { bytes: EMPTY, start: 0, end: 0, hash: 0 };

/**
 * Encodes a leader's records into the open batch, and makes them known at once to whoever looks for what is appended:
 * the overlay by key, the producers by number.
 */
export class StoreAppends {
  readonly #queue: AppendQueue;
  readonly #overlay: Overlay;
  readonly #producers: ProducerRecords;
  readonly #view = new RecordView();
  #groupHasRecord = false;
  /** The command whose first record comes next. */
  #note: ProducerNote | null = null;
  /** Where the record being appended began, or the group that it is part of: a failure takes all from there back. */
  #markBatch: BatchBuilder | null = null;
  #markLength = 0;
  #markCount = 0;

  constructor(queue: AppendQueue, overlay: Overlay, producers: ProducerRecords) {
    this.#queue = queue;
    this.#overlay = overlay;
    this.#producers = producers;
  }

  beginGroup(): void {
    if (!this.#queue.inGroup) this.#groupHasRecord = false;
    this.#queue.beginGroup();
  }

  endGroup(): void {
    this.#queue.endGroup();
  }

  /**
   * The next record is the first of this command (R14): it carries the note. Forgotten where no record follows; then
   * call `appendOutcome`.
   */
  beginCommand(note: ProducerNote | null): void {
    this.#note = note;
  }

  /** A numbered command that appended nothing, and whose outcome must be remembered. */
  outcome(note: ProducerNote): Offset {
    this.#note = note;
    return this.#keyOnly(RecordKind.outcome, OutcomeDetail.outcome, 0, NO_KEY, -1);
  }

  /** The log forgets a producer: a decision of the leader, so that all replicas agree. */
  forgetProducer(producer: Producer): Offset {
    this.#note = { producer, sequence: asProducerSequence(0), outcome: null };
    return this.#keyOnly(RecordKind.outcome, OutcomeDetail.forgotten, 0, NO_KEY, -1);
  }

  put(
    database: number,
    key: StoreKey,
    value: Uint8Array,
    start: number,
    end: number,
    expiresAtMs: number,
  ): Offset {
    const expiry = expiresAtMs > 0 ? expiresAtMs : -1;
    return this.#append(RecordKind.put, 0, database, key, value, start, end, expiry);
  }

  remove(database: number, key: StoreKey, reason: number): Offset {
    return this.#keyOnly(RecordKind.tombstone, reason, database, key, -1);
  }

  changeExpiry(database: number, key: StoreKey, expiresAtMs: number): Offset {
    return this.#keyOnly(RecordKind.expiryChange, 0, database, key, expiresAtMs);
  }

  flushDatabase(database: number): Offset {
    return this.#keyOnly(RecordKind.flush, 0, database, NO_KEY, -1);
  }

  // Inside

  #keyOnly(kind: RecordKind, detail: number, database: number, key: StoreKey, expiresAtMs: number): Offset {
    return this.#append(kind, detail, database, key, EMPTY, 0, 0, expiresAtMs);
  }

  /** A throw leaves nothing appended: of a group, none of its records so far. */
  #append(
    kind: RecordKind,
    detail: number,
    database: number,
    key: StoreKey,
    value: Uint8Array,
    start: number,
    end: number,
    expiry: number,
  ): Offset {
    const continues = this.#queue.inGroup && this.#groupHasRecord;
    try {
      if (!continues) this.#markBatch = null;
      const batch = this.#queue.batchFor(end - start);
      if (!continues) this.#mark(batch);
      this.#overlay.reserve();
      const flags = continues ? RecordFlag.continues : 0;
      const extras = this.#note === null ? EMPTY : extrasOf(this.#note);
      const { bytes } = key;
      const at = batch.append(
        kind,
        flags,
        detail,
        database,
        expiry,
        bytes,
        key.start,
        key.end,
        value,
        start,
        end,
        extras,
      );
      this.#groupHasRecord = true;
      return this.#noted(batch, kind, database, key, at, expiry);
    } catch (error) {
      this.#takeBack();
      throw error;
    }
  }

  #mark(batch: BatchBuilder): void {
    this.#markBatch = batch;
    this.#markLength = batch.length;
    this.#markCount = batch.count;
  }

  /** Needs no memory: that may be what is short. */
  #takeBack(): void {
    const batch = this.#markBatch;
    this.#note = null;
    this.#groupHasRecord = false;
    if (batch === null) return;
    batch.cutTo(this.#markLength, this.#markCount);
    this.#overlay.truncateTo(batch.nextOffset);
    this.#producers.truncateTo(batch.nextOffset);
  }

  #noted(
    batch: BatchBuilder,
    kind: RecordKind,
    database: number,
    key: StoreKey,
    at: number,
    expiry: number,
  ): Offset {
    if (this.#note !== null) return this.#notedCommand(batch, kind, database, key, at, expiry);
    const keyStart = at + RECORD_HEADER_BYTES + (expiry >= 0 ? 8 : 0);
    const keyEnd = keyStart + key.end - key.start;
    return asOffset(this.#overlay.add(batch, kind, database, key.hash, at, keyStart, keyEnd, expiry));
  }

  /** The record carries extras; the table of producers is told what it says, as it will be told of it by the log. */
  #notedCommand(
    batch: BatchBuilder,
    kind: RecordKind,
    database: number,
    key: StoreKey,
    at: number,
    expiry: number,
  ): Offset {
    this.#note = null;
    const view = this.#view;
    const fault = view.decode(batch.bytes, at, batch.length, false);
    if (fault !== null)
      throw new InvariantError(`a record that was just appended does not add up (${fault})`);
    const { keyStart, keyEnd } = view;
    const offset = asOffset(this.#overlay.add(batch, kind, database, key.hash, at, keyStart, keyEnd, expiry));
    this.#producers.recordAppended(offset, batch.bytes, at, view);
    return offset;
  }
}

function extrasOf(note: ProducerNote): Buffer {
  return encodeExtras([{ id: ExtraId.producer, bytes: encodeProducerExtra(note) }]);
}
