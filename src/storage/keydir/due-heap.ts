import { invariant } from '../../model/errors.ts';
import type { ExpiryTable } from './expiry-table.ts';

const CHUNK_SHIFT = 13;
const CHUNK_ENTRIES = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_ENTRIES - 1;
const ARITY_SHIFT = 2;
const ARITY = 1 << ARITY_SHIFT;

/**
 * Expiry entries by due time: a heap of arity four in typed arrays. Each entry of the expiry table knows its
 * place here, so an entry is changed or removed where it stands; there are no stale members, and never a
 * rebuild that would stop the event loop. Grown by chunks, never copied.
 */
export class DueHeap {
  readonly #table: ExpiryTable;
  readonly #dues: Float64Array[] = [];
  readonly #entries: Int32Array[] = [];
  count = 0;

  constructor(table: ExpiryTable) {
    this.#table = table;
  }

  get memoryBytes(): number {
    return this.#dues.length * CHUNK_ENTRIES * 12;
  }

  /** Due time of the first entry; Infinity if there is none. */
  get firstDueMs(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.#dues[0]![0]!;
  }

  get firstEntry(): number {
    return this.#entries[0]![0]!;
  }

  add(entry: number, dueMs: number): void {
    const place = this.count++;
    if (place >>> CHUNK_SHIFT === this.#dues.length) {
      this.#dues.push(new Float64Array(CHUNK_ENTRIES));
      this.#entries.push(new Int32Array(CHUNK_ENTRIES));
    }
    this.#siftUp(place, entry, dueMs);
  }

  remove(entry: number): void {
    const place = this.#table.place(entry);
    this.count--;
    if (place !== this.count) this.#settle(place, this.#entryAt(this.count), this.#dueAt(this.count));
    // One spare chunk stays, so that a population on the border does not allocate again and again.
    while ((this.#dues.length - 2) * CHUNK_ENTRIES >= this.count && this.#dues.length > 0) {
      this.#dues.pop();
      this.#entries.pop();
    }
  }

  change(entry: number, dueMs: number): void {
    this.#settle(this.#table.place(entry), entry, dueMs);
  }

  clear(): void {
    this.#dues.length = 0;
    this.#entries.length = 0;
    this.count = 0;
  }

  verify(): void {
    for (let place = 0; place < this.count; place++) {
      const entry = this.#entryAt(place);
      invariant(this.#table.place(entry) === place, `expiry entry ${entry} does not know its place ${place}`);
      invariant(
        this.#table.expiresAtMs(entry) === this.#dueAt(place),
        `expiry entry ${entry} has two due times`,
      );
      const parent = (place - 1) >> ARITY_SHIFT;
      invariant(
        place === 0 || this.#dueAt(parent) <= this.#dueAt(place),
        `place ${place} is due before ${parent}`,
      );
    }
  }

  #settle(place: number, entry: number, dueMs: number): void {
    if (place > 0 && dueMs < this.#dueAt((place - 1) >>> ARITY_SHIFT)) this.#siftUp(place, entry, dueMs);
    else this.#siftDown(place, entry, dueMs);
  }

  #siftUp(from: number, entry: number, dueMs: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >>> ARITY_SHIFT;
      const parentDueMs = this.#dueAt(parent);
      if (parentDueMs <= dueMs) break;
      this.#put(place, this.#entryAt(parent), parentDueMs);
      place = parent;
    }
    this.#put(place, entry, dueMs);
  }

  #siftDown(from: number, entry: number, dueMs: number): void {
    let place = from;
    for (;;) {
      const first = (place << ARITY_SHIFT) + 1;
      const end = Math.min(first + ARITY, this.count);
      let least = -1;
      let leastDueMs = dueMs;
      for (let child = first; child < end; child++) {
        const childDueMs = this.#dueAt(child);
        if (childDueMs < leastDueMs) {
          leastDueMs = childDueMs;
          least = child;
        }
      }
      if (least < 0) break;
      this.#put(place, this.#entryAt(least), leastDueMs);
      place = least;
    }
    this.#put(place, entry, dueMs);
  }

  #put(place: number, entry: number, dueMs: number): void {
    this.#dues[place >>> CHUNK_SHIFT]![place & CHUNK_MASK] = dueMs;
    this.#entries[place >>> CHUNK_SHIFT]![place & CHUNK_MASK] = entry;
    this.#table.setPlace(entry, place);
  }

  #dueAt(place: number): number {
    return this.#dues[place >>> CHUNK_SHIFT]![place & CHUNK_MASK]!;
  }

  #entryAt(place: number): number {
    return this.#entries[place >>> CHUNK_SHIFT]![place & CHUNK_MASK]!;
  }
}
