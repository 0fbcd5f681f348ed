import { DueHeap } from './due-heap.ts';
import { type ExpiryTable, NO_ENTRY } from './expiry-table.ts';

/** An announced key whose tombstone did not come is announced again after this long, at most twice as long. */
const ANNOUNCED_AGAIN_MS = 5_000;

/**
 * Which keys are due, and which of them were announced to the sweeper.
 *
 * Nothing is ever forgotten: an entry that has an expiry is in exactly one of the heap, the recent and the
 * older list of announced entries. It leaves them only by `remove` (the key or its expiry is gone) or `change`.
 * Announced entries need no help to come back: every ANNOUNCED_AGAIN_MS the recent list becomes the older one,
 * and the older list goes back to the heap, a bounded number at each `popDue`. `requeue` does it at once.
 * A wall clock that jumps back only starts the waiting anew.
 *
 * The lists are linked through the entries; an entry is taken out without knowing in which list it is.
 */
export class ExpiryQueue {
  readonly #table: ExpiryTable;
  readonly #heap: DueHeap;
  readonly #recent: AnnouncedList;
  readonly #older: AnnouncedList;
  #recentBeganMs = 0;

  constructor(table: ExpiryTable) {
    this.#table = table;
    this.#heap = new DueHeap(table);
    this.#recent = { first: NO_ENTRY };
    this.#older = { first: NO_ENTRY };
  }

  get memoryBytes(): number {
    return this.#heap.memoryBytes;
  }

  /** When `popDue` has something to do next; Infinity if nothing expires. May lie in the past. */
  get nextDueMs(): number {
    if (this.#older.first !== NO_ENTRY) return Math.min(this.#recentBeganMs, this.#heap.firstDueMs);
    if (this.#recent.first === NO_ENTRY) return this.#heap.firstDueMs;
    return Math.min(this.#recentBeganMs + ANNOUNCED_AGAIN_MS, this.#heap.firstDueMs);
  }

  /** The entry's expiresAtMs is set and not 0. */
  add(entry: number): void {
    this.#heap.add(entry, this.#table.expiresAtMs(entry));
  }

  remove(entry: number): void {
    if (this.#table.isAnnounced(entry)) this.#unlink(entry);
    else this.#heap.remove(entry);
  }

  /** Puts an announced entry back, to be announced again by the next `popDue`. */
  requeue(entry: number): void {
    if (!this.#table.isAnnounced(entry)) return;
    this.#unlink(entry);
    this.add(entry);
  }

  /** The next due entry, which is now announced; NO_ENTRY if none is due. */
  announceNext(nowMs: number): number {
    if (!(this.#heap.firstDueMs <= nowMs)) return NO_ENTRY;
    const entry = this.#heap.firstEntry;
    this.#heap.remove(entry);
    this.#link(entry);
    return entry;
  }

  /** Brings back up to `countMax` entries that were announced long ago. */
  bringBack(nowMs: number, countMax: number): void {
    if (nowMs < this.#recentBeganMs || this.#recent.first === NO_ENTRY) this.#recentBeganMs = nowMs;
    if (this.#older.first === NO_ENTRY && nowMs - this.#recentBeganMs >= ANNOUNCED_AGAIN_MS) {
      this.#older.first = this.#recent.first;
      this.#recent.first = NO_ENTRY;
      this.#recentBeganMs = nowMs;
    }
    for (let count = 0; count < countMax && this.#older.first !== NO_ENTRY; count++)
      this.requeue(this.#older.first);
  }

  clear(): void {
    this.#heap.clear();
    this.#recent.first = NO_ENTRY;
    this.#older.first = NO_ENTRY;
  }

  verify(): number {
    this.#heap.verify();
    let count = this.#heap.count;
    for (const list of [this.#recent, this.#older]) {
      for (let entry = list.first; entry !== NO_ENTRY; entry = this.#table.place(entry)) count++;
    }
    return count;
  }

  #link(entry: number): void {
    const next = this.#recent.first;
    this.#table.setAnnounced(entry, true);
    this.#table.setPlace(entry, next);
    this.#table.setBefore(entry, NO_ENTRY);
    if (next !== NO_ENTRY) this.#table.setBefore(next, entry);
    this.#recent.first = entry;
  }

  #unlink(entry: number): void {
    const next = this.#table.place(entry);
    const before = this.#table.before(entry);
    this.#table.setAnnounced(entry, false);
    if (next !== NO_ENTRY) this.#table.setBefore(next, before);
    if (before !== NO_ENTRY) this.#table.setPlace(before, next);
    else if (this.#recent.first === entry) this.#recent.first = next;
    else this.#older.first = next;
  }
}

interface AnnouncedList {
  first: number;
}
