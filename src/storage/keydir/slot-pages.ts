import { invariant } from '../../model/errors.ts';

export const SLOT_WORDS = 6;

/** Pages of one slab: slabs of 1.5 MiB with the default page of 64 slots. */
const SLAB_PAGES_SHIFT = 10;
const SLAB_PAGES = 1 << SLAB_PAGES_SHIFT;
const SLAB_PAGES_MASK = SLAB_PAGES - 1;
const FIRST_SLAB_PAGES = 16;

/**
 * The memory under all sub-tables of a keydir: pages of a fixed number of slots, handed out of large slabs.
 *
 * A sub-table is a list of page numbers, so it grows and shrinks in place by whole pages. No buffer is ever
 * reallocated on the way from nothing to ten million keys, hence no garbage for the collector, no second copy
 * at the moment of growth and no fragmentation of malloc. A page given back is used again by any sub-table;
 * slabs are let go when the last page is back.
 *
 * Only slab 0 is ever smaller than a full slab: it starts with a few pages and is copied to twice its size,
 * so that a small store stays small.
 */
export class SlotPages {
  readonly slotsPerPage: number;
  readonly pageShift: number;
  /** By slab number. Read anew after every `allocate`: slab 0 may have been replaced. */
  readonly slabs: Int32Array[] = [];
  /** Positions of a table's entries while it is respread; kept from one time to the next. */
  scratch = new Int32Array(0);
  readonly #pageWords: number;
  /** Free pages are linked through their first word: number of the next one + 1, 0 at the end. */
  #freeHead = 0;
  #pagesTouched = 0;
  #pagesUsed = 0;

  constructor(slotsPerPage: number) {
    this.slotsPerPage = slotsPerPage;
    this.pageShift = 31 - Math.clz32(slotsPerPage);
    invariant(1 << this.pageShift === slotsPerPage, `slots per page must be a power of two: ${slotsPerPage}`);
    this.#pageWords = slotsPerPage * SLOT_WORDS;
  }

  get memoryBytes(): number {
    let bytes = this.scratch.byteLength;
    for (const slab of this.slabs) bytes += slab.byteLength;
    return bytes;
  }

  /** Number of a page full of empty slots. */
  allocate(): number {
    this.#pagesUsed++;
    if (this.#freeHead === 0) return this.#firstUse();
    const page = this.#freeHead - 1;
    this.#freeHead = this.slabOf(page)[this.wordOf(page)]!;
    return page;
  }

  /** All slots of the page must be empty: they are when it is given out again. */
  free(page: number): void {
    this.#pagesUsed--;
    if (this.#pagesUsed === 0) {
      this.clear();
      return;
    }
    this.slabOf(page)[this.wordOf(page)] = this.#freeHead;
    this.#freeHead = page + 1;
  }

  slabOf(page: number): Int32Array {
    return this.slabs[page >>> SLAB_PAGES_SHIFT]!;
  }

  /** Index of the page's first word in its slab. */
  wordOf(page: number): number {
    return (page & SLAB_PAGES_MASK) * this.#pageWords;
  }

  clear(): void {
    this.slabs.length = 0;
    this.scratch = new Int32Array(0);
    this.#freeHead = 0;
    this.#pagesTouched = 0;
    this.#pagesUsed = 0;
  }

  #firstUse(): number {
    const page = this.#pagesTouched++;
    if (page >= SLAB_PAGES) {
      if ((page & SLAB_PAGES_MASK) === 0) this.slabs.push(new Int32Array(SLAB_PAGES * this.#pageWords));
      return page;
    }
    const first = this.slabs[0];
    if (first === undefined) {
      this.slabs.push(new Int32Array(FIRST_SLAB_PAGES * this.#pageWords));
    } else if (page * this.#pageWords === first.length) {
      const larger = new Int32Array(first.length * 2);
      larger.set(first);
      this.slabs[0] = larger;
    }
    return page;
  }
}
