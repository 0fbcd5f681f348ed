import { CaskadeError } from '../model/errors.ts';
import { ALL_DATABASES, RecordKind } from './format/record.ts';
import type { KeyHash } from './keydir/key-hash.ts';
import { Keydir, type KeydirSizes } from './keydir/keydir.ts';
import type { Segment } from './segment.ts';

/** Finds a segment by the number under which the keydir knows it. */
export interface SegmentTable {
  readonly opened: readonly Segment[];
  bySlot(slot: number): Segment;
}

/** One committed record as the index needs it; the key lies in `bytes[keyStart, keyEnd)`. One object is reused. */
export class IndexedRecord {
  kind = 0;
  flags = 0;
  database = 0;
  hash = 0;
  offset = 0;
  position = 0;
  length = 0;
  expiresAtMs = 0;
  bytes: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
}

/**
 * The committed state of one partition by key: a keydir per database, and per segment how many of its bytes are alive.
 * Records are applied in offset order, by commit and by recovery alike.
 *
 * Invariant I9: no entry at or above the high watermark.
 */
export class CommittedIndex {
  readonly #segments: SegmentTable;
  readonly #hasher: KeyHash;
  readonly #sizes: KeydirSizes;
  readonly #keydirs: (Keydir | undefined)[] = [];

  constructor(segments: SegmentTable, hasher: KeyHash, sizes: KeydirSizes = {}) {
    this.#segments = segments;
    this.#hasher = hasher;
    this.#sizes = sizes;
  }

  keydir(database: number): Keydir | undefined {
    return this.#keydirs[database];
  }

  get keydirs(): readonly (Keydir | undefined)[] {
    return this.#keydirs;
  }

  get memoryBytes(): number {
    return this.#keydirs.reduce((sum, keydir) => sum + (keydir?.memoryBytes ?? 0), 0);
  }

  /** Applies a committed record that lies in `segment`. */
  apply(record: IndexedRecord, segment: Segment): void {
    switch (record.kind) {
      case RecordKind.put:
        this.#put(record, segment);
        return;
      case RecordKind.tombstone:
        this.#remove(record, segment);
        return;
      case RecordKind.expiryChange:
        this.#changeExpiry(record, segment);
        return;
      case RecordKind.flush:
        this.#flush(record, segment);
        return;
      case RecordKind.leaderStart:
        segment.tombstoneBytes += record.length;
        return;
      case RecordKind.outcome:
        // What it says of its producer is not the index's; a merge takes it over into a snapshot.
        return;
      case RecordKind.producerSnapshot:
        segment.producerBytes += record.length;
        segment.speaksOfProducers = true;
        return;
      default:
        throw new CaskadeError(
          'futureFormat',
          `${segment.path}: position ${record.position}: record kind ${record.kind} was written by a newer Caskade; start the newer version`,
        );
    }
  }

  /**
   * Whether the record still says something that no newer committed record says: what merge keeps and a hint lists.
   * Tombstones and flushes always do here: whether they may go is a matter of what lies below them (C4).
   */
  isLive(record: IndexedRecord): boolean {
    const keydir = this.#keydirs[record.database];
    switch (record.kind) {
      case RecordKind.put:
        return keydir?.findOffset(record.hash, record.offset) ?? false;
      case RecordKind.expiryChange:
        return (
          keydir?.isNewestExpiry(record.hash, record.bytes, record.keyStart, record.keyEnd, record.offset) ??
          false
        );
      case RecordKind.leaderStart:
      case RecordKind.outcome:
        return false;
      default:
        return true;
    }
  }

  /** A merge copied the record from `from` to its position in `to`: the index follows if it is still the newest. */
  relocate(record: IndexedRecord, from: Segment, to: Segment): void {
    const moved =
      record.kind === RecordKind.put
        ? this.#relocatePut(record, to)
        : record.kind === RecordKind.expiryChange && this.#relocateExpiry(record, to);
    if (moved) {
      from.addLiveBytes(record.database, -record.length);
      to.addLiveBytes(record.database, record.length);
    } else if (record.kind === RecordKind.producerSnapshot) {
      to.producerBytes += record.length;
      to.speaksOfProducers = true;
    } else if (record.kind !== RecordKind.put && record.kind !== RecordKind.expiryChange) {
      to.tombstoneBytes += record.length;
    }
  }

  #relocatePut(record: IndexedRecord, to: Segment): boolean {
    const keydir = this.#keydirs[record.database];
    if (keydir === undefined || !keydir.findOffset(record.hash, record.offset)) return false;
    keydir.relocate(to.slot, record.position);
    return true;
  }

  #relocateExpiry(record: IndexedRecord, to: Segment): boolean {
    const keydir = this.#keydirs[record.database];
    const { hash, bytes, keyStart, keyEnd, offset } = record;
    return keydir?.relocateExpiry(hash, bytes, keyStart, keyEnd, offset, to.slot) ?? false;
  }

  #put(record: IndexedRecord, segment: Segment): void {
    const keydir = this.#keydirFor(record.database);
    const { hash, bytes, keyStart, keyEnd, position, length, offset, expiresAtMs } = record;
    const replaced = keydir.put(
      hash,
      bytes,
      keyStart,
      keyEnd,
      segment.slot,
      position,
      length,
      offset,
      expiresAtMs,
    );
    segment.addLiveBytes(record.database, length);
    if (replaced) this.#countDead(keydir, record.database);
  }

  #remove(record: IndexedRecord, segment: Segment): void {
    segment.tombstoneBytes += record.length;
    const keydir = this.#keydirs[record.database];
    if (keydir?.remove(record.hash, record.bytes, record.keyStart, record.keyEnd)) {
      this.#countDead(keydir, record.database);
    }
  }

  #changeExpiry(record: IndexedRecord, segment: Segment): void {
    const keydir = this.#keydirs[record.database];
    const { hash, bytes, keyStart, keyEnd, expiresAtMs, offset, length } = record;
    if (keydir === undefined) return;
    if (!keydir.changeExpiry(hash, bytes, keyStart, keyEnd, expiresAtMs, offset, segment.slot, length))
      return;
    segment.addLiveBytes(record.database, length);
    this.#countDeadExpiry(keydir, record.database);
  }

  #flush(record: IndexedRecord, segment: Segment): void {
    segment.tombstoneBytes += record.length;
    for (const [database, keydir] of this.#keydirs.entries()) {
      if (record.database !== database && record.database !== ALL_DATABASES) continue;
      keydir?.clear();
      for (const each of this.#segments.opened) each.clearLiveBytes(database);
    }
  }

  #countDead(keydir: Keydir, database: number): void {
    this.#segments.bySlot(keydir.previousSegment).addLiveBytes(database, -keydir.previousLength);
    this.#countDeadExpiry(keydir, database);
  }

  #countDeadExpiry(keydir: Keydir, database: number): void {
    if (keydir.previousExpiryLength === 0) return;
    this.#segments.bySlot(keydir.previousExpirySegment).addLiveBytes(database, -keydir.previousExpiryLength);
  }

  #keydirFor(database: number): Keydir {
    let keydir = this.#keydirs[database];
    if (keydir === undefined) {
      keydir = new Keydir({ ...this.#sizes, hasher: this.#hasher });
      this.#keydirs[database] = keydir;
    }
    return keydir;
  }
}
