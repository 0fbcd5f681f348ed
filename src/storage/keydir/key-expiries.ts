import { invariant } from '../../model/errors.ts';
import { ExpiryQueue } from './expiry-queue.ts';
import { ExpiryTable, NO_ENTRY } from './expiry-table.ts';
import type { KeyArena } from './key-arena.ts';
import { setSlotHasExpiry, setSlotKey, slotHasExpiry, slotKey } from './slot.ts';
import type { SubTable } from './sub-table.ts';

/** `offset` is that of the newest record of the key, put or metadata-only. */
export type VisitDueKey = (
  bytes: Uint8Array,
  start: number,
  end: number,
  hash: number,
  offset: number,
) => void;

/**
 * The expiries of a keydir's keys: ties together the flag in the slot, the tag in the key's arena entry, the
 * entry in the expiry table and its place in the queue. A slot is named by the table's cursor.
 */
export class KeyExpiries {
  /** Keys that have an expiry; an entry may also say that its key has none. */
  expiringCount = 0;
  readonly #arena: KeyArena;
  readonly #entries = new ExpiryTable();
  readonly #queue = new ExpiryQueue(this.#entries);

  constructor(arena: KeyArena) {
    this.#arena = arena;
  }

  get entryCount(): number {
    return this.#entries.count;
  }

  get memoryBytes(): number {
    return this.#entries.memoryBytes + this.#queue.memoryBytes;
  }

  get nextDueMs(): number {
    return this.#queue.nextDueMs;
  }

  /** What is known of the entries: when they expire, and the newest record. */
  get entries(): Readonly<
    Pick<ExpiryTable, 'expiresAtMs' | 'newestOffset' | 'recordSegment' | 'recordLength'>
  > {
    return this.#entries;
  }

  /** The slot's entry; NO_ENTRY if it has none. */
  entryOf(table: SubTable): number {
    return slotHasExpiry(table) ? this.#arena.tag(slotKey(table)) : NO_ENTRY;
  }

  /** See ExpiryTable.set for what the numbers mean. */
  set(
    table: SubTable,
    hash: number,
    expiresAtMs: number,
    newestOffset: number,
    segment: number,
    length: number,
  ): void {
    let entry = this.entryOf(table);
    if (entry === NO_ENTRY) entry = this.#open(table, hash);
    else this.#unqueue(entry);
    this.#entries.set(entry, expiresAtMs, newestOffset, segment, length);
    if (expiresAtMs === 0) return;
    this.#queue.add(entry);
    this.expiringCount++;
  }

  drop(table: SubTable): void {
    const entry = this.entryOf(table);
    if (entry === NO_ENTRY) return;
    this.#unqueue(entry);
    this.#entries.free(entry);
    setSlotHasExpiry(table, false);
  }

  setRecordSegment(entry: number, segment: number): void {
    this.#entries.setRecordSegment(entry, segment);
  }

  /** The slot's key was moved within the arena; the slot says where. */
  follow(table: SubTable): void {
    const entry = this.entryOf(table);
    if (entry !== NO_ENTRY) this.#entries.setKeyReference(entry, slotKey(table));
  }

  /** See Keydir.popDue. */
  popDue(nowMs: number, countMax: number, visit: VisitDueKey): number {
    this.#queue.bringBack(nowMs, countMax);
    for (let count = 0; count < countMax; count++) {
      const entry = this.#queue.announceNext(nowMs);
      if (entry === NO_ENTRY) return count;
      const reference = this.#entries.keyReference(entry);
      const bytes = this.#arena.bytesOf(reference);
      const start = this.#arena.keyStart(reference);
      const end = start + this.#arena.keyLength(reference);
      visit(bytes, start, end, this.#entries.hash(entry) >>> 0, this.#entries.newestOffset(entry));
    }
    return countMax;
  }

  /** False if the slot's key has no expiry. */
  requeue(table: SubTable): boolean {
    const entry = this.entryOf(table);
    if (entry === NO_ENTRY || this.#entries.expiresAtMs(entry) === 0) return false;
    this.#queue.requeue(entry);
    return true;
  }

  clear(): void {
    this.#queue.clear();
    this.#entries.clear();
    this.expiringCount = 0;
  }

  /** True if the slot has an entry; throws an InvariantError if the two do not agree. */
  verifySlot(table: SubTable, hash: number): boolean {
    const entry = this.entryOf(table);
    if (entry === NO_ENTRY) return false;
    invariant(
      this.#entries.keyReference(entry) === slotKey(table),
      `expiry entry ${entry} refers to another key`,
    );
    invariant(this.#entries.hash(entry) === hash, `expiry entry ${entry} has another hash`);
    return true;
  }

  verifyQueue(): void {
    const queued = this.#queue.verify();
    invariant(queued === this.expiringCount, `${queued} keys queued, ${this.expiringCount} expire`);
  }

  #open(table: SubTable, hash: number): number {
    let reference = slotKey(table);
    if (!this.#arena.isWide(reference)) reference = this.#widen(reference);
    const entry = this.#entries.allocate(hash | 0, reference);
    this.#arena.setTag(reference, entry);
    setSlotKey(table, reference);
    setSlotHasExpiry(table, true);
    return entry;
  }

  /** The same key in an arena entry that has room for the tag. */
  #widen(reference: number): number {
    const start = this.#arena.keyStart(reference);
    const end = start + this.#arena.keyLength(reference);
    const wide = this.#arena.add(this.#arena.bytesOf(reference), start, end, true);
    this.#arena.free(reference);
    return wide;
  }

  #unqueue(entry: number): void {
    if (this.#entries.expiresAtMs(entry) === 0) return;
    this.#queue.remove(entry);
    this.expiringCount--;
  }
}
