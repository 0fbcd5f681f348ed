import { InvariantError, invariant } from '../../model/errors.ts';
import { ExpiryQueue } from './expiry-queue.ts';
import { ExpiryTable, NO_ENTRY } from './expiry-table.ts';
import { KeyArena } from './key-arena.ts';
import type { KeyHasher } from './key-hash.ts';
import { SlotPages } from './slot-pages.ts';
import { KEY_REFERENCE_WORD, SubTable } from './sub-table.ts';

/** Segment number in the high half, high 16 bits of the offset in the low half. */
const SEGMENT_WORD = 2;
const OFFSET_WORD = 3;
const POSITION_WORD = 4;
/** Record length in the low 30 bits; the top bit: the key has an expiry entry. */
const LENGTH_WORD = 5;
const EXPIRY_BIT = 1 << 31;
const LENGTH_MASK = 2 ** 30 - 1;

const HASH_RANGE = 2 ** 32;
const WORD_RANGE = 2 ** 32;
const GOLDEN_RATIO = 0.6180339887498949;

/** The most that a slot can hold. */
export const KEYDIR_LIMITS = {
  segmentMax: 2 ** 16 - 1,
  positionMax: 2 ** 32 - 1,
  lengthMax: LENGTH_MASK,
  offsetMax: 2 ** 48 - 1,
} as const;

export interface KeydirOptions {
  /** Must give the hashes that callers pass. */
  readonly hasher: KeyHasher;
  /** 2^n sub-tables, n from 1 to 16. */
  readonly subTableBits?: number;
  /** A power of two, at least 4. */
  readonly slotsPerPage?: number;
  /** A power of two; a slab must hold the largest key. */
  readonly arenaSlabBytes?: number;
}

/** The bytes are the arena's own: read them during the call, change nothing. */
export type VisitKey = (bytes: Uint8Array, start: number, end: number) => void;
/** `offset` is that of the newest record of the key, put or metadata-only. */
export type VisitDueKey = (
  bytes: Uint8Array,
  start: number,
  end: number,
  hash: number,
  offset: number,
) => void;

/**
 * The committed keydir of one (partition, database): from a key to the place of its newest committed record.
 * All of it lives outside the JavaScript heap, at about 36 bytes plus the key: a slot of 24 bytes in a sub-table
 * (SubTable), the key in an arena (KeyArena), an expiry entry of 40 bytes for keys that have one (ExpiryTable).
 *
 * Nothing is allocated per call. Results stand in the public fields until the next call; a visitor must not
 * call methods that change the keydir. A hash is the uint32 that the hasher gives for the key's bytes.
 * Times are EpochMillis; 0 stands for "no expiry". An expiry is only a time here: a due key stays until it is
 * removed, because only a committed tombstone makes an expiry visible (PROTOCOL R4).
 *
 * A key's expiry comes with its put or from the newest metadata-only record after it. The keydir remembers that
 * metadata record, also one that says "no expiry", until the next put, removal or metadata record of the
 * key: it is live for merge exactly that long.
 */
export class Keydir {
  // The record found by find, findOffset.
  segment = 0;
  position = 0;
  length = 0;
  offset = 0;
  /** 0 = none. */
  expiresAtMs = 0;
  /** Offset of the newest record of the key, put or metadata-only. */
  newestOffset = 0;

  // What put, remove or changeExpiry made garbage.
  previousSegment = 0;
  previousPosition = 0;
  previousLength = 0;
  previousOffset = 0;
  /** The metadata-only record that died; length 0 = there was none. */
  previousExpiryLength = 0;
  previousExpirySegment = 0;

  readonly #hasher: KeyHasher;
  readonly #restBits: number;
  readonly #restMask: number;
  readonly #tables: (SubTable | undefined)[];
  readonly #slots: SlotPages;
  readonly #arena: KeyArena;
  readonly #expiry = new ExpiryTable();
  readonly #queue = new ExpiryQueue(this.#expiry);
  readonly #onMove = (oldReference: number, newReference: number): void =>
    this.#follow(oldReference, newReference);
  #cursorTable: SubTable | undefined;
  #size = 0;
  #expiringCount = 0;

  constructor({ hasher, subTableBits = 10, slotsPerPage = 64, arenaSlabBytes }: KeydirOptions) {
    invariant(subTableBits >= 1 && subTableBits <= 16, `sub-table bits must be 1 to 16: ${subTableBits}`);
    this.#hasher = hasher;
    this.#restBits = 32 - subTableBits;
    this.#restMask = 2 ** this.#restBits - 1;
    this.#tables = new Array<SubTable | undefined>(2 ** subTableBits).fill(undefined);
    this.#slots = new SlotPages(slotsPerPage);
    this.#arena = new KeyArena(arenaSlabBytes);
  }

  /** Keys, due ones included. */
  get size(): number {
    return this.#size;
  }

  /** Keys that have an expiry, due ones included. */
  get expiringCount(): number {
    return this.#expiringCount;
  }

  /** Memory taken from the system; pages of it that were never written may not be resident. */
  get memoryBytes(): number {
    let bytes = this.#tables.length * 8;
    for (const table of this.#tables) if (table !== undefined) bytes += table.memoryBytes;
    return (
      bytes +
      this.#slots.memoryBytes +
      this.#arena.memoryBytes +
      this.#expiry.memoryBytes +
      this.#queue.memoryBytes
    );
  }

  /** Fills the fields of the record. */
  find(hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    const table = this.#tables[hash >>> this.#restBits];
    if (table === undefined || !this.#seekKey(table, hash, bytes, start, end)) return false;
    this.#readSlot(table);
    return true;
  }

  /** The key whose newest put has this offset; `relocate` may follow. Fills the fields of the record. */
  findOffset(hash: number, offset: number): boolean {
    const table = this.#tables[hash >>> this.#restBits];
    if (table === undefined) return false;
    const rest = hash & this.#restMask;
    for (let found = table.seek(rest); found; found = table.seekNext(rest)) {
      if (slotOffset(table) !== offset) continue;
      this.#readSlot(table);
      this.#cursorTable = table;
      return true;
    }
    return false;
  }

  /** Right after `findOffset` was true: merge has copied that record. Offset and length stay. */
  relocate(newSegment: number, newPosition: number): void {
    const table = this.#cursorTable;
    invariant(table !== undefined, 'relocate must follow a findOffset that found its record');
    checkRecord(newSegment, newPosition, 0, 0);
    table.slab[table.word + SEGMENT_WORD] =
      (newSegment << 16) | (table.slab[table.word + SEGMENT_WORD]! & 0xffff);
    table.slab[table.word + POSITION_WORD] = newPosition;
    this.#cursorTable = undefined;
  }

  /** The key's newest record is this put. True if the key was there: then the previous fields say what died. */
  put(
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    segment: number,
    position: number,
    length: number,
    offset: number,
    expiresAtMs: number,
  ): boolean {
    checkRecord(segment, position, length, offset);
    const table = this.#tables[hash >>> this.#restBits] ?? this.#openTable(hash >>> this.#restBits);
    const replaced = this.#seekKey(table, hash, bytes, start, end);
    this.#cursorTable = undefined;
    if (replaced) {
      this.#readPrevious(table);
      if (expiresAtMs === 0) this.#dropExpiry(table);
    } else {
      this.#forgetPrevious();
      const reference = this.#arena.add(bytes, start, end, expiresAtMs !== 0);
      table.insert(hash | 0);
      table.slab[table.word + KEY_REFERENCE_WORD] = reference;
      table.slab[table.word + LENGTH_WORD] = 0;
      this.#size++;
    }
    const flags = table.slab[table.word + LENGTH_WORD]! & EXPIRY_BIT;
    table.slab[table.word + SEGMENT_WORD] = (segment << 16) | Math.floor(offset / WORD_RANGE);
    table.slab[table.word + OFFSET_WORD] = offset | 0;
    table.slab[table.word + POSITION_WORD] = position | 0;
    table.slab[table.word + LENGTH_WORD] = length | flags;
    if (expiresAtMs !== 0) this.#setExpiry(table, hash, expiresAtMs, offset, 0, 0);
    return replaced;
  }

  /** True if the key was there: then the previous fields say what died. */
  remove(hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    const table = this.#tables[hash >>> this.#restBits];
    this.#cursorTable = undefined;
    if (table === undefined || !this.#seekKey(table, hash, bytes, start, end)) {
      this.#forgetPrevious();
      return false;
    }
    this.#readPrevious(table);
    this.#dropExpiry(table);
    this.#arena.free(table.slab[table.word + KEY_REFERENCE_WORD]!);
    table.remove();
    this.#size--;
    return true;
  }

  /**
   * A metadata-only record (its offset, segment and length) now carries the key's expiry; 0 = it has none.
   * False if the key is not there. The previous expiry fields name the metadata record that died, if any.
   */
  changeExpiry(
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    expiresAtMs: number,
    offset: number,
    segment: number,
    length: number,
  ): boolean {
    checkRecord(segment, 0, length, offset);
    invariant(length > 0, 'a metadata-only record has a length');
    this.#forgetPrevious();
    this.#cursorTable = undefined;
    const table = this.#tables[hash >>> this.#restBits];
    if (table === undefined || !this.#seekKey(table, hash, bytes, start, end)) return false;
    this.#readPreviousExpiry(this.#entryOf(table));
    this.#setExpiry(table, hash, expiresAtMs, offset, segment, length);
    return true;
  }

  /** Whether the metadata-only record of this offset is the newest of the key since its put. */
  isNewestExpiry(hash: number, bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    return this.#expiryEntry(hash, bytes, start, end, offset) !== NO_ENTRY;
  }

  /** Merge has copied the metadata-only record of this offset. False if it is no longer the key's newest. */
  relocateExpiry(
    hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    offset: number,
    newSegment: number,
  ): boolean {
    checkRecord(newSegment, 0, 0, offset);
    const entry = this.#expiryEntry(hash, bytes, start, end, offset);
    if (entry === NO_ENTRY) return false;
    this.#expiry.setRecordSegment(entry, newSegment);
    return true;
  }

  /**
   * Visits about `countMax` keys in hash order from hash `position` on, always all keys of one hash together.
   * Returns where to go on (below 2^33), 0 when done. A key that is there throughout a scan is visited exactly
   * once, whatever is put, removed, merged or grown between the calls.
   */
  scan(position: number, countMax: number, visit: VisitKey): number {
    if (position >= HASH_RANGE) return 0;
    let visited = 0;
    let lastHash = -1;
    let rest = position & this.#restMask;
    for (let tableIndex = position >>> this.#restBits; tableIndex < this.#tables.length; tableIndex++) {
      const table = this.#tables[tableIndex];
      for (let found = table?.seekAtLeast(rest) ?? false; found; found = table!.seekFollowing()) {
        const hash = table!.slab[table!.word]! >>> 0;
        if (visited >= countMax && hash !== lastHash) return lastHash + 1;
        this.#visitKey(table!.slab[table!.word + KEY_REFERENCE_WORD]!, visit);
        lastHash = hash;
        visited++;
      }
      rest = 0;
    }
    return 0;
  }

  /** When `popDue` has something to do; Infinity if nothing expires. */
  nextDueMs(): number {
    return this.#queue.nextDueMs;
  }

  /**
   * Announces up to `countMax` due keys, earliest first, and returns how many. They stay in the keydir until
   * they are removed; a key that is neither removed nor changed is announced again after some seconds,
   * or at once after `requeue`.
   */
  popDue(nowMs: number, countMax: number, visit: VisitDueKey): number {
    this.#queue.bringBack(nowMs, countMax);
    for (let count = 0; count < countMax; count++) {
      const entry = this.#queue.announceNext(nowMs);
      if (entry === NO_ENTRY) return count;
      const reference = this.#expiry.keyReference(entry);
      const hash = this.#expiry.hash(entry);
      const offset = this.#expiry.newestOffset(entry);
      const start = this.#arena.keyStart(reference);
      visit(
        this.#arena.bytesOf(reference),
        start,
        start + this.#arena.keyLength(reference),
        hash >>> 0,
        offset,
      );
    }
    return countMax;
  }

  /** The tombstone of an announced key could not be written: the next `popDue` announces it again. */
  requeue(hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    const table = this.#tables[hash >>> this.#restBits];
    if (table === undefined || !this.#seekKey(table, hash, bytes, start, end)) return false;
    const entry = this.#entryOf(table);
    if (entry === NO_ENTRY || this.#expiry.expiresAtMs(entry) === 0) return false;
    this.#queue.requeue(entry);
    return true;
  }

  /**
   * One bounded step of the arena's compaction, to be called between turns; true while there is more to do.
   * It is worth calling after removals; at 5,000 entries a step takes a few milliseconds.
   */
  compactStep(budgetEntries: number): boolean {
    this.#cursorTable = undefined;
    return this.#arena.compactStep(budgetEntries, this.#onMove);
  }

  clear(): void {
    this.#tables.fill(undefined);
    this.#cursorTable = undefined;
    this.#slots.clear();
    this.#arena.clear();
    this.#queue.clear();
    this.#expiry.clear();
    this.#size = 0;
    this.#expiringCount = 0;
  }

  /** Walks everything and throws an InvariantError where the parts disagree; for tests and the doctor. */
  verify(): void {
    let size = 0;
    let entries = 0;
    let keyBytes = 0;
    this.#arena.verify();
    for (const [tableIndex, table] of this.#tables.entries()) {
      if (table === undefined) continue;
      table.verify();
      size += table.count;
      for (let found = table.seekAtLeast(0); found; found = table.seekFollowing()) {
        if (this.#verifySlot(tableIndex, table)) entries++;
        keyBytes += this.#arena.entryBytes(table.slab[table.word + KEY_REFERENCE_WORD]!);
      }
    }
    invariant(size === this.#size, `${size} keys in the sub-tables, ${this.#size} counted`);
    const { liveBytes } = this.#arena;
    invariant(
      keyBytes === liveBytes,
      `slots refer to ${keyBytes} bytes of keys, the arena holds ${liveBytes}`,
    );
    invariant(
      entries === this.#expiry.count,
      `${entries} slots have an expiry entry, ${this.#expiry.count} are used`,
    );
    const queued = this.#queue.verify();
    invariant(queued === this.#expiringCount, `${queued} keys queued, ${this.#expiringCount} expire`);
  }

  #verifySlot(tableIndex: number, table: SubTable): boolean {
    const hash = table.slab[table.word]!;
    const reference = table.slab[table.word + KEY_REFERENCE_WORD]!;
    const start = this.#arena.keyStart(reference);
    const end = start + this.#arena.keyLength(reference);
    const ownHash = this.#hasher.hash(this.#arena.bytesOf(reference), start, end) | 0;
    invariant(hash === ownHash, `a slot of hash ${hash >>> 0} refers to a key of hash ${ownHash >>> 0}`);
    invariant(hash >>> this.#restBits === tableIndex, `hash ${hash >>> 0} is in sub-table ${tableIndex}`);
    const entry = this.#entryOf(table);
    if (entry === NO_ENTRY) return false;
    invariant(this.#expiry.keyReference(entry) === reference, `expiry entry ${entry} refers to another key`);
    invariant(this.#expiry.hash(entry) === hash, `expiry entry ${entry} has another hash`);
    return true;
  }

  #openTable(tableIndex: number): SubTable {
    const table = new SubTable(this.#slots, this.#restBits, (tableIndex * GOLDEN_RATIO) % 1);
    this.#tables[tableIndex] = table;
    return table;
  }

  /** Cursor of the table to the key's slot; else to where it belongs, and false. */
  #seekKey(table: SubTable, hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    const rest = hash & this.#restMask;
    for (let found = table.seek(rest); found; found = table.seekNext(rest)) {
      if (this.#arena.equals(table.slab[table.word + KEY_REFERENCE_WORD]!, bytes, start, end)) return true;
    }
    return false;
  }

  /** The sub-table, its cursor on the slot that owns this arena entry. */
  #seekReference(hash: number, reference: number): SubTable {
    const table = this.#tables[hash >>> this.#restBits]!;
    const rest = hash & this.#restMask;
    for (let found = table.seek(rest); found; found = table.seekNext(rest)) {
      if (table.slab[table.word + KEY_REFERENCE_WORD] === reference) return table;
    }
    throw new InvariantError(`no slot refers to the arena entry ${reference >>> 0} of hash ${hash >>> 0}`);
  }

  /** The arena has moved a key. */
  #follow(oldReference: number, newReference: number): void {
    const start = this.#arena.keyStart(oldReference);
    const end = start + this.#arena.keyLength(oldReference);
    const hash = this.#hasher.hash(this.#arena.bytesOf(oldReference), start, end);
    const table = this.#seekReference(hash, oldReference);
    table.slab[table.word + KEY_REFERENCE_WORD] = newReference;
    const entry = this.#entryOf(table);
    if (entry !== NO_ENTRY) this.#expiry.setKeyReference(entry, newReference);
  }

  #readSlot(table: SubTable): void {
    const slab = table.slab;
    const word = table.word;
    this.segment = slab[word + SEGMENT_WORD]! >>> 16;
    this.position = slab[word + POSITION_WORD]! >>> 0;
    this.length = slab[word + LENGTH_WORD]! & LENGTH_MASK;
    this.offset = slotOffset(table);
    const entry = this.#entryOf(table);
    this.expiresAtMs = entry === NO_ENTRY ? 0 : this.#expiry.expiresAtMs(entry);
    this.newestOffset = entry === NO_ENTRY ? this.offset : this.#expiry.newestOffset(entry);
  }

  #readPrevious(table: SubTable): void {
    const slab = table.slab;
    const word = table.word;
    this.previousSegment = slab[word + SEGMENT_WORD]! >>> 16;
    this.previousPosition = slab[word + POSITION_WORD]! >>> 0;
    this.previousLength = slab[word + LENGTH_WORD]! & LENGTH_MASK;
    this.previousOffset = slotOffset(table);
    this.#readPreviousExpiry(this.#entryOf(table));
  }

  #readPreviousExpiry(entry: number): void {
    this.previousExpiryLength = entry === NO_ENTRY ? 0 : this.#expiry.recordLength(entry);
    this.previousExpirySegment = entry === NO_ENTRY ? 0 : this.#expiry.recordSegment(entry);
  }

  #forgetPrevious(): void {
    this.previousSegment = 0;
    this.previousPosition = 0;
    this.previousLength = 0;
    this.previousOffset = 0;
    this.previousExpiryLength = 0;
    this.previousExpirySegment = 0;
  }

  #entryOf(table: SubTable): number {
    if ((table.slab[table.word + LENGTH_WORD]! & EXPIRY_BIT) === 0) return NO_ENTRY;
    return this.#arena.tag(table.slab[table.word + KEY_REFERENCE_WORD]!);
  }

  #expiryEntry(hash: number, bytes: Uint8Array, start: number, end: number, offset: number): number {
    const table = this.#tables[hash >>> this.#restBits];
    if (table === undefined || !this.#seekKey(table, hash, bytes, start, end)) return NO_ENTRY;
    const entry = this.#entryOf(table);
    if (entry === NO_ENTRY || this.#expiry.recordLength(entry) === 0) return NO_ENTRY;
    return this.#expiry.newestOffset(entry) === offset ? entry : NO_ENTRY;
  }

  #setExpiry(
    table: SubTable,
    hash: number,
    expiresAtMs: number,
    newestOffset: number,
    segment: number,
    length: number,
  ): void {
    let entry = this.#entryOf(table);
    if (entry === NO_ENTRY) entry = this.#openExpiry(table, hash);
    else this.#unqueue(entry);
    this.#expiry.set(entry, expiresAtMs, newestOffset, segment, length);
    if (expiresAtMs === 0) return;
    this.#queue.add(entry);
    this.#expiringCount++;
  }

  #openExpiry(table: SubTable, hash: number): number {
    const word = table.word;
    let reference = table.slab[word + KEY_REFERENCE_WORD]!;
    if (!this.#arena.isWide(reference)) reference = this.#widen(reference);
    const entry = this.#expiry.allocate(hash | 0, reference);
    this.#arena.setTag(reference, entry);
    table.slab[word + KEY_REFERENCE_WORD] = reference;
    table.slab[word + LENGTH_WORD]! |= EXPIRY_BIT;
    return entry;
  }

  /** The same key in a wide entry. */
  #widen(reference: number): number {
    const start = this.#arena.keyStart(reference);
    const end = start + this.#arena.keyLength(reference);
    const wide = this.#arena.add(this.#arena.bytesOf(reference), start, end, true);
    this.#arena.free(reference);
    return wide;
  }

  #dropExpiry(table: SubTable): void {
    const entry = this.#entryOf(table);
    if (entry === NO_ENTRY) return;
    this.#unqueue(entry);
    this.#expiry.free(entry);
    table.slab[table.word + LENGTH_WORD]! &= ~EXPIRY_BIT;
  }

  #unqueue(entry: number): void {
    if (this.#expiry.expiresAtMs(entry) === 0) return;
    this.#queue.remove(entry);
    this.#expiringCount--;
  }

  #visitKey(reference: number, visit: VisitKey): void {
    const start = this.#arena.keyStart(reference);
    visit(this.#arena.bytesOf(reference), start, start + this.#arena.keyLength(reference));
  }
}

function slotOffset(table: SubTable): number {
  const high = table.slab[table.word + SEGMENT_WORD]! & 0xffff;
  return high * WORD_RANGE + (table.slab[table.word + OFFSET_WORD]! >>> 0);
}

function checkRecord(segment: number, position: number, length: number, offset: number): void {
  const fits =
    segment >= 0 &&
    segment <= KEYDIR_LIMITS.segmentMax &&
    position >= 0 &&
    position <= KEYDIR_LIMITS.positionMax &&
    length >= 0 &&
    length <= KEYDIR_LIMITS.lengthMax &&
    offset >= 0 &&
    offset <= KEYDIR_LIMITS.offsetMax;
  if (!fits)
    invariant(
      false,
      `segment ${segment}, position ${position}, length ${length}, offset ${offset} do not fit`,
    );
}
