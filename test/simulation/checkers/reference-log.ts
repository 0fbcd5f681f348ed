import { asLeaderEpoch, asOffset, type LeaderEpoch, type Offset } from '../../../src/model/numbers.ts';
import { RecordKind } from '../../../src/storage/format/record.ts';
import type { Findings } from './findings.ts';
import { describeRecord, isSameRecord, type LogRecord } from './log-records.ts';

/** What one key held from some moment on. Null: nothing. */
export interface CommittedValue {
  readonly sinceMs: number;
  readonly offset: Offset;
  readonly value: string | null;
}

/**
 * Everything that was ever committed in one partition: filled in when a leader's high watermark passes a record, and
 * never changed. Whoever says that something else is committed at such an offset breaks the promise of the whole store.
 */
export class ReferenceLog {
  readonly #partition: number;
  readonly #findings: Findings;
  readonly #records = new Map<number, LogRecord>();
  /** By offset: the epoch in which the record became known as committed. */
  readonly #epochs = new Map<number, LeaderEpoch>();
  /** Offsets of each key's records, and those of flushes, in the order in which they became known. */
  readonly #offsetsOfKey = new Map<string, number[]>();
  readonly #flushes: CommittedValue[] = [];
  readonly #values = new Map<string, CommittedValue[]>();
  #endOffset = asOffset(0);
  #leaderEpoch = asLeaderEpoch(0);

  constructor(partition: number, findings: Findings) {
    this.#partition = partition;
    this.#findings = findings;
  }

  /** The highest high watermark that any leader ever had. */
  get endOffset(): Offset {
    return this.#endOffset;
  }

  /** Epoch of the leader that moved it there. */
  get leaderEpoch(): LeaderEpoch {
    return this.#leaderEpoch;
  }

  get recordCount(): number {
    return this.#records.size;
  }

  at(offset: number): LogRecord | undefined {
    return this.#records.get(offset);
  }

  /** In which epoch the record at `offset` was committed; 0: it is not known to be. */
  epochAt(offset: number): LeaderEpoch {
    return this.#epochs.get(offset) ?? asLeaderEpoch(0);
  }

  /** A leader says that everything below `highWatermark` is committed. */
  advance(highWatermark: Offset, leaderEpoch: LeaderEpoch): void {
    if (highWatermark <= this.#endOffset) return;
    this.#endOffset = highWatermark;
    this.#leaderEpoch = leaderEpoch;
  }

  /** `record` is committed according to `who`. */
  confirm(record: LogRecord, who: string, atMs: number): void {
    // What a merge put in the place of a record that told of producers (C13).
    if (record.kind === RecordKind.producerSnapshot) return;
    const known = this.#records.get(record.offset);
    if (known === undefined) {
      this.#records.set(record.offset, record);
      this.#epochs.set(record.offset, this.#leaderEpoch);
      this.#note(record, atMs);
      return;
    }
    this.#findings.expect(
      isSameRecord(known, record),
      'committed',
      () =>
        `partition ${this.#partition}: ${who} has ${describeRecord(record)} where ${describeRecord(known)} was committed`,
    );
  }

  /** Everything that is known, in order. */
  records(): readonly LogRecord[] {
    return [...this.#records.values()].sort((left, right) => left.offset - right.offset);
  }

  /** All offsets below `end` whose record is known. */
  offsetsBelow(end: number): readonly number[] {
    return [...this.#records.keys()].filter((offset) => offset < end);
  }

  /**
   * True if a log may be without the record at `offset`: a newer committed record below `end` superseded it, or it is a
   * tombstone or a flush and the log says that such were removed up to `removedFloor` (C4, C5, R15).
   */
  mayBeMissing(offset: number, end: number, removedFloor: number): boolean {
    const record = this.#records.get(offset);
    if (record === undefined) return true;
    if (record.kind === RecordKind.put || record.kind === RecordKind.expiryChange) {
      return this.#isSuperseded(record, end);
    }
    if (record.kind !== RecordKind.tombstone && record.kind !== RecordKind.flush) return true;
    return offset <= removedFloor || this.#isSuperseded(record, end);
  }

  /** Every record below `end` that is the newest of its key: what a replica's index must hold. */
  stateAt(end: number): ReadonlyMap<string, LogRecord> {
    const state = new Map<string, LogRecord>();
    for (const offset of [...this.#records.keys()].sort((left, right) => left - right)) {
      if (offset < end) applyRecord(state, this.#records.get(offset) as LogRecord);
    }
    return state;
  }

  /** All values that `key` ever had, in order. */
  valuesOf(key: string): readonly CommittedValue[] {
    const values = this.#values.get(key) ?? [];
    return [...values, ...this.#flushes].sort((left, right) => left.offset - right.offset);
  }

  #isSuperseded(record: LogRecord, end: number): boolean {
    const isNewer = (offset: number): boolean => offset > record.offset && offset < end;
    return (
      (this.#offsetsOfKey.get(keyName(record)) ?? []).some(isNewer) ||
      this.#flushes.some(({ offset }) => isNewer(offset))
    );
  }

  #note(record: LogRecord, atMs: number): void {
    if (record.kind === RecordKind.flush) {
      this.#flushes.push({ sinceMs: atMs, offset: record.offset, value: null });
    }
    if (!isOfKey(record)) return;
    const name = keyName(record);
    const offsets = this.#offsetsOfKey.get(name);
    if (offsets === undefined) this.#offsetsOfKey.set(name, [record.offset]);
    else offsets.push(record.offset);
    if (record.kind === RecordKind.expiryChange) return;
    const values = this.#values.get(record.key) ?? [];
    const value = record.kind === RecordKind.put ? record.value : null;
    values.push({ sinceMs: atMs, offset: record.offset, value });
    values.sort((left, right) => left.offset - right.offset);
    this.#values.set(record.key, values);
  }
}

export function isOfKey({ kind }: LogRecord): boolean {
  return kind === RecordKind.put || kind === RecordKind.tombstone || kind === RecordKind.expiryChange;
}

export function keyName({ database, key }: LogRecord): string {
  return `${database}:${key}`;
}

/** What a record does to the live keys. A changed expiry keeps the value of the record before it. */
export function applyRecord(state: Map<string, LogRecord>, record: LogRecord): void {
  const name = keyName(record);
  if (record.kind === RecordKind.put) state.set(name, record);
  else if (record.kind === RecordKind.tombstone) state.delete(name);
  else if (record.kind === RecordKind.expiryChange) {
    const present = state.get(name);
    if (present !== undefined) {
      state.set(name, { ...present, offset: record.offset, expiresAtMs: record.expiresAtMs });
    }
  } else if (record.kind === RecordKind.flush) {
    for (const [other, { database }] of [...state]) {
      if (record.database === 0xffffffff || database === record.database) state.delete(other);
    }
  }
}
