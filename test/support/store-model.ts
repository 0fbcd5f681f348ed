/** What one record of the log does to the keys, as a test appended it. */
export type ModelRecord =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly expiresAtMs: number }
  | { readonly kind: 'remove'; readonly key: string }
  | { readonly kind: 'expire'; readonly key: string; readonly expiresAtMs: number }
  | { readonly kind: 'flush' };

export interface ModelEntry {
  readonly value: string;
  /** 0 = never. */
  readonly expiresAtMs: number;
}

export type ModelState = ReadonlyMap<string, ModelEntry>;

interface PlacedRecord {
  readonly offset: number;
  /** Offset after the last record of the atomic group that it belongs to. */
  readonly groupEnd: number;
  readonly record: ModelRecord;
}

/**
 * The Map that a store is compared with, over the whole history of its log. Offsets say which records a state includes: the committed
 * state is that below the high watermark, and after a crash the log holds exactly the records below its new end. Offsets without a
 * record here are tombstones that the partition itself wrote for due keys.
 */
export class StoreModel {
  #base = new Map<string, ModelEntry>();
  #records: PlacedRecord[] = [];
  /** Offset after the last record whose commit was told. */
  acknowledged = 0;
  /**
   * Flush modes other than `always`: a crash may take acknowledged writes back, but only the newest of them. Nothing may be forgotten
   * then, since a crash can lead back to any state since the last start.
   */
  readonly isWeak: boolean;
  /** The latest wall clock that any life has seen: what was due then may be gone. */
  wallMsMax = 0;

  constructor(isWeak = false) {
    this.isWeak = isWeak;
  }

  append(offset: number, record: ModelRecord, groupEnd = offset + 1): void {
    this.#records.push({ offset, record, groupEnd });
  }

  get size(): number {
    return this.#records.length;
  }

  /** The keys as all records below `offset` leave them; due ones are still there. */
  stateAt(offset: number): ModelState {
    const state = new Map(this.#base);
    for (const placed of this.#records) if (placed.offset < offset) apply(state, placed.record);
    return state;
  }

  /** A group that the log would end in the middle of; undefined: none. */
  groupCutBy(logEnd: number): string | undefined {
    const cut = this.#records.find(({ offset, groupEnd }) => offset < logEnd && groupEnd > logEnd);
    return (
      cut && `the group of offset ${cut.offset} reaches to ${cut.groupEnd - 1}, the log ends at ${logEnd}`
    );
  }

  /** What came after the crash point never happened; what is before it is settled. */
  restart(logEnd: number): void {
    this.#base = new Map(this.stateAt(logEnd));
    this.#records = [];
    this.acknowledged = logEnd;
  }

  /** Forgets records that are committed for good, so that long runs stay fast. */
  settle(): void {
    if (this.isWeak) return;
    const end = this.acknowledged;
    this.#base = new Map(this.stateAt(end));
    this.#records = this.#records.filter(({ offset }) => offset >= end);
  }

  /** A read of the state below `highWatermark` found a due key gone: it must not come back. */
  noteExpired(key: string, highWatermark: number): void {
    if (this.isWeak) return;
    this.#base.delete(key);
    this.#records = this.#records.filter(
      ({ offset, record }) => !touches(record, key) || offset >= highWatermark,
    );
  }

  isDue(entry: ModelEntry): boolean {
    return entry.expiresAtMs > 0 && entry.expiresAtMs <= this.wallMsMax;
  }
}

function touches(record: ModelRecord, key: string): boolean {
  return record.kind !== 'flush' && record.key === key;
}

function apply(state: Map<string, ModelEntry>, record: ModelRecord): void {
  switch (record.kind) {
    case 'put':
      state.set(record.key, { value: record.value, expiresAtMs: record.expiresAtMs });
      return;
    case 'remove':
      state.delete(record.key);
      return;
    case 'flush':
      state.clear();
      return;
    case 'expire': {
      const entry = state.get(record.key);
      if (entry !== undefined) state.set(record.key, { ...entry, expiresAtMs: record.expiresAtMs });
    }
  }
}
