import type { Clock } from '../env/clock.ts';
import { CaskadeError } from '../model/errors.ts';
import type { BlockCache } from './block-cache.ts';
import type { CommittedIndex } from './committed-index.ts';
import { RECORD_HEADER_BYTES, RecordFlag, RecordKind, RecordView } from './format/record.ts';
import type { Overlay } from './overlay.ts';
import { RecordReader } from './record-reader.ts';
import type { SegmentedLog } from './segmented-log.ts';

/** A key as the store takes it: a view, with its hash. */
export interface StoreKey {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly hash: number;
}

/** What a look-up found. One object is reused by the caller; bytes are valid for the turn. */
export interface StoreEntry {
  found: boolean;
  bytes: Uint8Array;
  start: number;
  end: number;
  valueLength: number;
  expiresAtMs: number;
  uncommittedOffset: number;
  offset: number;
}

/** Finds keys in the two views of a partition: what is committed, and what a leader has appended. Nothing here waits. */
export class StoreLookups {
  readonly #log: SegmentedLog;
  readonly #index: CommittedIndex;
  readonly #overlay: Overlay;
  readonly #reader: RecordReader;
  readonly #view = new RecordView();

  constructor(log: SegmentedLog, index: CommittedIndex, overlay: Overlay, cache: BlockCache, clock: Clock) {
    this.#log = log;
    this.#index = index;
    this.#overlay = overlay;
    this.#reader = new RecordReader(cache, clock);
  }

  /** Resolves when what the last look-up missed is in memory. */
  get loaded(): Promise<void> {
    return this.#reader.loaded;
  }

  /** Committed state. Throws `corruptSegment` or the disk's error. */
  readCommitted(database: number, key: StoreKey, entry: StoreEntry, withValue: boolean): boolean {
    entry.uncommittedOffset = -1;
    const keydir = this.#index.keydir(database);
    if (keydir === undefined || !keydir.find(key.hash, key.bytes, key.start, key.end)) {
      entry.found = false;
      entry.expiresAtMs = 0;
      entry.offset = -1;
      return true;
    }
    entry.found = true;
    entry.expiresAtMs = keydir.expiresAtMs;
    entry.offset = keydir.offset;
    return !withValue || this.#readValue(keydir.segment, keydir.position, keydir.length, key, entry);
  }

  /** Newest appended state: the overlay, else what is committed. */
  readAppended(database: number, key: StoreKey, entry: StoreEntry, withValue: boolean): boolean {
    const newest = this.#overlay.find(database, key.hash, key.bytes, key.start, key.end);
    const flushed = this.#overlay.flushedAbove(database, newest);
    if (flushed >= 0) return this.#absent(entry, flushed);
    if (newest < 0) return this.readCommitted(database, key, entry, withValue);
    const put = this.#putBelow(newest);
    if (put >= 0 && this.#overlay.kind(put) === RecordKind.tombstone) return this.#absent(entry, newest);
    if (put >= 0) this.#fromOverlay(put, entry);
    else if (!this.readCommitted(database, key, entry, withValue)) return false;
    if (!entry.found) return this.#absent(entry, newest);
    if (newest !== put) entry.expiresAtMs = Math.max(0, this.#overlay.expiresAtMs(newest));
    entry.uncommittedOffset = newest;
    entry.offset = newest;
    return true;
  }

  /** Offset of the newest uncommitted record that decides about the key, or -1: what is committed is the newest. */
  newestUncommitted(database: number, key: StoreKey): number {
    const newest = this.#overlay.find(database, key.hash, key.bytes, key.start, key.end);
    return Math.max(newest, this.#overlay.flushedAbove(database, newest));
  }

  /** From a newest record down over expiry changes: the put or tombstone they apply to, or -1 if it is committed. */
  #putBelow(newest: number): number {
    let offset = newest;
    while (offset >= 0 && this.#overlay.kind(offset) === RecordKind.expiryChange) {
      offset = this.#overlay.findOlder(offset);
    }
    return offset;
  }

  #fromOverlay(put: number, entry: StoreEntry): void {
    const overlay = this.#overlay;
    entry.found = true;
    entry.bytes = overlay.batch(put).bytes;
    entry.start = overlay.keyEnd(put);
    entry.end = overlay.position(put) + overlay.length(put);
    entry.valueLength = entry.end - entry.start;
    entry.expiresAtMs = Math.max(0, overlay.expiresAtMs(put));
  }

  #absent(entry: StoreEntry, uncommittedOffset: number): true {
    entry.found = false;
    entry.expiresAtMs = 0;
    entry.uncommittedOffset = uncommittedOffset;
    entry.offset = uncommittedOffset;
    return true;
  }

  #readValue(slot: number, position: number, length: number, key: StoreKey, entry: StoreEntry): boolean {
    const reader = this.#reader;
    const segment = this.#log.bySlot(slot);
    if (!reader.find(segment, position, length)) return false;
    const { bytes, start } = reader;
    const end = start + length;
    const flags = bytes[start + 13] as number;
    if (reader.trusted && (flags & RecordFlag.hasExtras) === 0) {
      const body = start + RECORD_HEADER_BYTES + ((flags & RecordFlag.hasExpiry) === 0 ? 0 : 8);
      entry.start = body + key.end - key.start;
    } else {
      const fault = this.#view.decode(bytes, start, end, true);
      if (fault !== null || this.#view.length !== length) {
        throw new CaskadeError(
          'corruptSegment',
          `${segment.path}: position ${position}: a committed record cannot be read (${fault ?? 'length'}); restore the file from a replica or a backup`,
        );
      }
      entry.start = this.#view.valueStart;
    }
    entry.bytes = bytes;
    entry.end = end;
    entry.valueLength = end - entry.start;
    return true;
  }
}
