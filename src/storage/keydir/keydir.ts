import { InvariantError, invariant } from '../../model/errors.ts';
import { NO_ENTRY } from './expiry-table.ts';
import { KeyArena } from './key-arena.ts';
import { KeyExpiries, type VisitDueKey } from './key-expiries.ts';
import type { KeyHasher } from './key-hash.ts';
import {
  checkRecord,
  setSlotHasExpiry,
  setSlotKey,
  setSlotPlace,
  setSlotRecord,
  slotKey,
  slotLength,
  slotOffset,
  slotPosition,
  slotSegment,
} from './slot.ts';
import { SlotPages } from './slot-pages.ts';
import { HASH_WORD, SubTable } from './sub-table.ts';

const HASH_RANGE = 2 ** 32;
const GOLDEN_RATIO = 0.6180339887498949;

/** How a keydir lays out its memory; the defaults suit millions of keys. */
export interface KeydirSizes {
  /** 2^n sub-tables, n from 1 to 16. */
  readonly subTableBits?: number;
  /** A power of two, at least 4. */
  readonly slotsPerPage?: number;
  /** A power of two; a slab must hold the largest key. */
  readonly arenaSlabBytes?: number;
}

export interface KeydirOptions extends KeydirSizes {
  /** Must give the hashes that callers pass. */
  readonly hasher: KeyHasher;
}

/** The bytes are the arena's own: read them during the call, change nothing. */
export type VisitKey = (bytes: Uint8Array, start: number, end: number) => void;

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
  readonly #expiries: KeyExpiries;
  readonly #onMove = (oldReference: number, newReference: number): void =>
    this.#follow(oldReference, newReference);
  /** Where findOffset found its record, until any other search. */
  #cursorTable: SubTable | undefined;
  #size = 0;

  constructor({ hasher, subTableBits = 10, slotsPerPage = 64, arenaSlabBytes }: KeydirOptions) {
    invariant(subTableBits >= 1 && subTableBits <= 16, `sub-table bits must be 1 to 16: ${subTableBits}`);
    this.#hasher = hasher;
    this.#restBits = 32 - subTableBits;
    this.#restMask = 2 ** this.#restBits - 1;
    this.#tables = new Array<SubTable | undefined>(2 ** subTableBits).fill(undefined);
    this.#slots = new SlotPages(slotsPerPage);
    this.#arena = new KeyArena(arenaSlabBytes);
    this.#expiries = new KeyExpiries(this.#arena);
  }

  /** Keys, due ones included. */
  get size(): number {
    return this.#size;
  }

  /** Keys that have an expiry, due ones included. */
  get expiringCount(): number {
    return this.#expiries.expiringCount;
  }

  /** Memory taken from the system; pages of it that were never written may not be resident. */
  get memoryBytes(): number {
    let bytes = this.#tables.length * 8;
    for (const table of this.#tables) if (table !== undefined) bytes += table.memoryBytes;
    return bytes + this.#slots.memoryBytes + this.#arena.memoryBytes + this.#expiries.memoryBytes;
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
    this.#cursorTable = undefined;
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

  /**
   * Right after `findOffset` was true, before any other call but of getters: merge has copied that record. Offset and
   * length stay.
   */
  relocate(newSegment: number, newPosition: number): void {
    const table = this.#cursorTable;
    invariant(table !== undefined, 'relocate must follow a findOffset that found its record');
    checkRecord(newSegment, newPosition, 0, 0);
    setSlotPlace(table, newSegment, newPosition);
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
    if (replaced) {
      this.#readPrevious(table);
      if (expiresAtMs === 0) this.#expiries.drop(table);
    } else {
      this.#forgetPrevious();
      const reference = this.#arena.add(bytes, start, end, expiresAtMs !== 0);
      table.insert(hash | 0);
      setSlotKey(table, reference);
      // A slot that was used before may still say so.
      setSlotHasExpiry(table, false);
      this.#size++;
    }
    setSlotRecord(table, segment, position, length, offset);
    if (expiresAtMs !== 0) this.#expiries.set(table, hash, expiresAtMs, offset, 0, 0);
    return replaced;
  }

  /** True if the key was there: then the previous fields say what died. */
  remove(hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    const table = this.#tables[hash >>> this.#restBits];
    if (table === undefined || !this.#seekKey(table, hash, bytes, start, end)) {
      this.#forgetPrevious();
      return false;
    }
    this.#readPrevious(table);
    this.#expiries.drop(table);
    this.#arena.free(slotKey(table));
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
    const table = this.#tables[hash >>> this.#restBits];
    if (table === undefined || !this.#seekKey(table, hash, bytes, start, end)) return false;
    this.#readPreviousExpiry(this.#expiries.entryOf(table));
    this.#expiries.set(table, hash, expiresAtMs, offset, segment, length);
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
    this.#expiries.setRecordSegment(entry, newSegment);
    return true;
  }

  /**
   * Visits about `countMax` keys in hash order from hash `position` on, always all keys of one hash together.
   * Returns where to go on (below 2^33), 0 when done. A key that is there throughout a scan is visited exactly
   * once, whatever is put, removed, merged or grown between the calls.
   */
  scan(position: number, countMax: number, visit: VisitKey): number {
    if (position >= HASH_RANGE) return 0;
    this.#cursorTable = undefined;
    let visited = 0;
    let lastHash = -1;
    let rest = position & this.#restMask;
    for (let tableIndex = position >>> this.#restBits; tableIndex < this.#tables.length; tableIndex++) {
      const table = this.#tables[tableIndex];
      for (let found = table?.seekAtLeast(rest) ?? false; found; found = table!.seekFollowing()) {
        const hash = table!.slab[table!.word + HASH_WORD]! >>> 0;
        if (visited >= countMax && hash !== lastHash) return lastHash + 1;
        this.#visitKey(slotKey(table!), visit);
        lastHash = hash;
        visited++;
      }
      rest = 0;
    }
    return 0;
  }

  /** When `popDue` has something to do; Infinity if nothing expires. */
  nextDueMs(): number {
    return this.#expiries.nextDueMs;
  }

  /**
   * Announces up to `countMax` due keys, earliest first, and returns how many. They stay in the keydir until
   * they are removed; a key that is neither removed nor changed is announced again after some seconds,
   * or at once after `requeue`.
   */
  popDue(nowMs: number, countMax: number, visit: VisitDueKey): number {
    return this.#expiries.popDue(nowMs, countMax, visit);
  }

  /** The tombstone of an announced key could not be written: the next `popDue` announces it again. */
  requeue(hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    const table = this.#tables[hash >>> this.#restBits];
    if (table === undefined || !this.#seekKey(table, hash, bytes, start, end)) return false;
    return this.#expiries.requeue(table);
  }

  /**
   * One bounded step of the arena's compaction, to be called between turns; true while there is more to do.
   * It is worth calling after removals; 5,000 entries take about a millisecond.
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
    this.#expiries.clear();
    this.#size = 0;
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
        keyBytes += this.#arena.entryBytes(slotKey(table));
      }
    }
    invariant(size === this.#size, `${size} keys in the sub-tables, ${this.#size} counted`);
    const { liveBytes } = this.#arena;
    invariant(
      keyBytes === liveBytes,
      `slots refer to ${keyBytes} bytes of keys, the arena holds ${liveBytes}`,
    );
    invariant(
      entries === this.#expiries.entryCount,
      `${entries} slots have an expiry entry, ${this.#expiries.entryCount} are used`,
    );
    this.#expiries.verifyQueue();
  }

  #verifySlot(tableIndex: number, table: SubTable): boolean {
    const hash = table.slab[table.word + HASH_WORD]!;
    const reference = slotKey(table);
    const start = this.#arena.keyStart(reference);
    const end = start + this.#arena.keyLength(reference);
    const ownHash = this.#hasher.hash(this.#arena.bytesOf(reference), start, end) | 0;
    invariant(hash === ownHash, `a slot of hash ${hash >>> 0} refers to a key of hash ${ownHash >>> 0}`);
    invariant(hash >>> this.#restBits === tableIndex, `hash ${hash >>> 0} is in sub-table ${tableIndex}`);
    return this.#expiries.verifySlot(table, hash);
  }

  #openTable(tableIndex: number): SubTable {
    const table = new SubTable(this.#slots, this.#restBits, (tableIndex * GOLDEN_RATIO) % 1);
    this.#tables[tableIndex] = table;
    return table;
  }

  /** Cursor of the table to the key's slot; else to where it belongs, and false. */
  #seekKey(table: SubTable, hash: number, bytes: Uint8Array, start: number, end: number): boolean {
    this.#cursorTable = undefined;
    const rest = hash & this.#restMask;
    for (let found = table.seek(rest); found; found = table.seekNext(rest)) {
      if (this.#arena.equals(slotKey(table), bytes, start, end)) return true;
    }
    return false;
  }

  /** The sub-table, its cursor on the slot that owns this arena entry. */
  #seekReference(hash: number, reference: number): SubTable {
    const table = this.#tables[hash >>> this.#restBits]!;
    const rest = hash & this.#restMask;
    for (let found = table.seek(rest); found; found = table.seekNext(rest)) {
      if (slotKey(table) === reference) return table;
    }
    throw new InvariantError(`no slot refers to the arena entry ${reference >>> 0} of hash ${hash >>> 0}`);
  }

  /** The arena has moved a key. */
  #follow(oldReference: number, newReference: number): void {
    const start = this.#arena.keyStart(oldReference);
    const end = start + this.#arena.keyLength(oldReference);
    const hash = this.#hasher.hash(this.#arena.bytesOf(oldReference), start, end);
    const table = this.#seekReference(hash, oldReference);
    setSlotKey(table, newReference);
    this.#expiries.follow(table);
  }

  #readSlot(table: SubTable): void {
    this.segment = slotSegment(table);
    this.position = slotPosition(table);
    this.length = slotLength(table);
    this.offset = slotOffset(table);
    const entry = this.#expiries.entryOf(table);
    this.expiresAtMs = entry === NO_ENTRY ? 0 : this.#expiries.entries.expiresAtMs(entry);
    this.newestOffset = entry === NO_ENTRY ? this.offset : this.#expiries.entries.newestOffset(entry);
  }

  #readPrevious(table: SubTable): void {
    this.previousSegment = slotSegment(table);
    this.previousPosition = slotPosition(table);
    this.previousLength = slotLength(table);
    this.previousOffset = slotOffset(table);
    this.#readPreviousExpiry(this.#expiries.entryOf(table));
  }

  #readPreviousExpiry(entry: number): void {
    this.previousExpiryLength = entry === NO_ENTRY ? 0 : this.#expiries.entries.recordLength(entry);
    this.previousExpirySegment = entry === NO_ENTRY ? 0 : this.#expiries.entries.recordSegment(entry);
  }

  #forgetPrevious(): void {
    this.previousSegment = 0;
    this.previousPosition = 0;
    this.previousLength = 0;
    this.previousOffset = 0;
    this.previousExpiryLength = 0;
    this.previousExpirySegment = 0;
  }

  #expiryEntry(hash: number, bytes: Uint8Array, start: number, end: number, offset: number): number {
    const table = this.#tables[hash >>> this.#restBits];
    if (table === undefined || !this.#seekKey(table, hash, bytes, start, end)) return NO_ENTRY;
    const entry = this.#expiries.entryOf(table);
    if (entry === NO_ENTRY || this.#expiries.entries.recordLength(entry) === 0) return NO_ENTRY;
    return this.#expiries.entries.newestOffset(entry) === offset ? entry : NO_ENTRY;
  }

  #visitKey(reference: number, visit: VisitKey): void {
    const start = this.#arena.keyStart(reference);
    visit(this.#arena.bytesOf(reference), start, start + this.#arena.keyLength(reference));
  }
}
