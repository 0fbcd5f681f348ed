import { invariant } from '../../model/errors.ts';
import { SLOT_WORDS, type SlotPages } from './slot-pages.ts';

/** Words of a slot. A slot is empty when its key reference is 0. */
export const HASH_WORD = 0;
export const KEY_REFERENCE_WORD = 1;

const LOAD_MAX = 0.85;
const LOAD_MIN = 0.4;
const LOAD_AFTER_SHRINK = 0.6;
const GROWTH_FACTOR = 1.25;

/**
 * One part of the keydir: the keys whose hashes begin with the same bits, as an open-addressed table that is
 * sorted by hash.
 *
 * Invariants (checked by `verify`):
 * - The home of an entry is floor(rest * homeCount / 2^restBits), rest being the hash without the bits that
 *   chose the sub-table: monotone in the hash.
 * - Read from left to right, an entry stands at max(its home, position of the entry before it + 1), and hashes
 *   never fall. So a search from the home meets no empty slot before its entry, ends at the first greater hash,
 *   and a scan in slot order is a scan in hash order.
 * - There is no wrap-around: slots behind the last home are slack, and a run that reaches the end of the
 *   table is given another page.
 *
 * Growing spreads the entries out in place, from the right (no entry's new position is left of its old one),
 * shrinking draws them together from the left. Page counts of a table are taken from the sequence
 * ceil(1.25^(k + phase)), with another phase for each sub-table: tables that fill at the same pace grow at
 * different times, and the load over all of them stays near 0.76.
 *
 * The cursor (`slab`, `word`, `#index`) is the result of the last search or insert and is valid until the next
 * call that changes this keydir.
 */
export class SubTable {
  count = 0;
  /** The cursor's slot: `slab[word + HASH_WORD ...]`. */
  slab: Int32Array;
  word = 0;
  #index = 0;
  readonly #pool: SlotPages;
  readonly #pages: number[] = [];
  readonly #pageShift: number;
  readonly #slotMask: number;
  readonly #restMask: number;
  readonly #restRange: number;
  readonly #phase: number;
  #slotCount = 0;
  #homeCount = 0;
  #homesPerRest = 0;
  #growAtCount = 0;
  #shrinkBelowCount = 0;

  /** `phase` in [0, 1) staggers the growth; `restBits` (at most 31) are the hash bits below the selecting ones. */
  constructor(pool: SlotPages, restBits: number, phase: number) {
    this.#pool = pool;
    this.#pageShift = pool.pageShift;
    this.#slotMask = pool.slotsPerPage - 1;
    this.#restRange = 2 ** restBits;
    this.#restMask = this.#restRange - 1;
    this.#phase = phase;
    this.slab = EMPTY_SLAB;
  }

  get slotCount(): number {
    return this.#slotCount;
  }

  get memoryBytes(): number {
    return 200 + this.#pages.length * 8;
  }

  /** Cursor to the first entry of this hash; else to where an entry of this hash belongs, and false. */
  seek(rest: number): boolean {
    return this.#walk((rest * this.#homesPerRest) | 0, rest);
  }

  /** From an entry of this hash to the next one of the same hash; else as `seek`. */
  seekNext(rest: number): boolean {
    const index = this.#index + 1;
    this.#index = index;
    if ((index & this.#slotMask) === 0) return this.#walk(index, rest);
    this.word += SLOT_WORDS;
    const slotRest = this.slab[this.word + HASH_WORD]! & this.#restMask;
    return slotRest === rest && this.slab[this.word + KEY_REFERENCE_WORD] !== 0;
  }

  /** Cursor to the first entry whose hash is at least `rest`, over gaps; false at the end of the table. */
  seekAtLeast(rest: number): boolean {
    return this.#walkOverGaps((rest * this.#homesPerRest) | 0, rest);
  }

  /** Cursor to the next entry in hash order; false at the end of the table. */
  seekFollowing(): boolean {
    return this.#walkOverGaps(this.#index + 1, 0);
  }

  /**
   * After a search for this hash that found no entry to replace: opens a slot and points the cursor at it.
   * The caller fills the remaining words before it does anything else; the reference must not be 0.
   */
  insert(hash: number): void {
    const rest = hash & this.#restMask;
    if (this.count >= this.#growAtCount) {
      this.#respread(this.#pagesAbove(this.#pages.length + 1));
      for (let found = this.seek(rest); found; ) found = this.seekNext(rest);
    }
    this.#openGap(this.#index);
    this.#point(this.#index);
    this.slab[this.word + HASH_WORD] = hash;
    this.count++;
  }

  /** Removes the cursor's entry; the entries behind it that are not at home move up to close the gap. */
  remove(): void {
    const end = this.#runEnd(this.#index + 1);
    this.#shiftLeft(this.#index + 1, end);
    this.#clearSlot(end - 1);
    this.count--;
    if (this.count < this.#shrinkBelowCount || this.count === 0) this.#shrink();
  }

  /** Walks the whole table and throws an InvariantError where it is not as described above. */
  verify(): void {
    let position = -1;
    let rest = 0;
    let count = 0;
    for (let index = 0; index < this.#slotCount; index++) {
      if (this.#referenceAt(index) === 0) continue;
      const slotRest = this.#restAt(index);
      invariant(slotRest >= rest, `slot ${index}: hash ${slotRest} stands behind ${rest}`);
      const expected = Math.max(this.#homeOf(index), position + 1);
      invariant(index === expected, `hash ${slotRest} stands at slot ${index} instead of ${expected}`);
      position = index;
      rest = slotRest;
      count++;
    }
    invariant(count === this.count, `${count} entries counted, ${this.count} kept in mind`);
    invariant(count <= this.#growAtCount, `${count} entries over ${this.#homeCount} homes`);
  }

  #walk(fromIndex: number, rest: number): boolean {
    const restMask = this.#restMask;
    let index = fromIndex;
    for (let page = index >>> this.#pageShift; page < this.#pages.length; page++) {
      const slab = this.#pool.slabOf(this.#pages[page]!);
      let word = this.#pool.wordOf(this.#pages[page]!) + (index & this.#slotMask) * SLOT_WORDS;
      const pageEnd = (page + 1) << this.#pageShift;
      for (; index < pageEnd; index++, word += SLOT_WORDS) {
        const slotRest = slab[word + HASH_WORD]! & restMask;
        if (slab[word + KEY_REFERENCE_WORD] !== 0 && slotRest < rest) continue;
        this.slab = slab;
        this.word = word;
        this.#index = index;
        return slotRest === rest && slab[word + KEY_REFERENCE_WORD] !== 0;
      }
    }
    this.#index = index;
    return false;
  }

  #walkOverGaps(fromIndex: number, rest: number): boolean {
    for (let index = fromIndex; index < this.#slotCount; index++) {
      if (this.#referenceAt(index) === 0 || this.#restAt(index) < rest) continue;
      this.#point(index);
      return true;
    }
    return false;
  }

  #point(index: number): void {
    const page = this.#pages[index >>> this.#pageShift]!;
    this.slab = this.#pool.slabOf(page);
    this.word = this.#pool.wordOf(page) + (index & this.#slotMask) * SLOT_WORDS;
    this.#index = index;
  }

  #openGap(from: number): void {
    const hole = this.#firstEmpty(from);
    if (hole === this.#slotCount) this.#appendPage();
    this.#shiftRight(from, hole);
  }

  #firstEmpty(from: number): number {
    let index = from;
    for (let page = index >>> this.#pageShift; page < this.#pages.length; page++) {
      const slab = this.#pool.slabOf(this.#pages[page]!);
      let word = this.#pool.wordOf(this.#pages[page]!) + (index & this.#slotMask) * SLOT_WORDS;
      const pageEnd = (page + 1) << this.#pageShift;
      for (; index < pageEnd; index++, word += SLOT_WORDS) {
        if (slab[word + KEY_REFERENCE_WORD] === 0) return index;
      }
    }
    return index;
  }

  /** The first slot from `from` on that is empty or whose entry is at home. */
  #runEnd(from: number): number {
    let index = from;
    for (let page = index >>> this.#pageShift; page < this.#pages.length; page++) {
      const slab = this.#pool.slabOf(this.#pages[page]!);
      let word = this.#pool.wordOf(this.#pages[page]!) + (index & this.#slotMask) * SLOT_WORDS;
      const pageEnd = (page + 1) << this.#pageShift;
      for (; index < pageEnd; index++, word += SLOT_WORDS) {
        if (slab[word + KEY_REFERENCE_WORD] === 0) return index;
        const rest = slab[word + HASH_WORD]! & this.#restMask;
        if (((rest * this.#homesPerRest) | 0) === index) return index;
      }
    }
    return index;
  }

  /** Moves the slots [from, end) one to the right, over slot `end`. */
  #shiftRight(from: number, end: number): void {
    let hole = end;
    while (hole > from) {
      const first = Math.max(from, hole & ~this.#slotMask);
      this.#moveInPage(first, hole, 1);
      hole = first;
      if (hole === from) return;
      this.#copySlot(hole - 1, hole);
      hole--;
    }
  }

  /** Moves the slots [from, end) one to the left, over slot `from` - 1. */
  #shiftLeft(from: number, end: number): void {
    let index = from;
    while (index < end) {
      if ((index & this.#slotMask) === 0) {
        this.#copySlot(index, index - 1);
        index++;
        continue;
      }
      const pageEnd = Math.min(end, (index | this.#slotMask) + 1);
      this.#moveInPage(index, pageEnd, -1);
      index = pageEnd;
    }
  }

  /** Moves the slots [first, end), which are of one page, by `slots` within that page. */
  #moveInPage(first: number, end: number, slots: number): void {
    if (first === end) return;
    const page = this.#pages[first >>> this.#pageShift]!;
    const slab = this.#pool.slabOf(page);
    const from = this.#pool.wordOf(page) + (first & this.#slotMask) * SLOT_WORDS;
    const to = from + (end - first) * SLOT_WORDS;
    slab.copyWithin(from + slots * SLOT_WORDS, from, to);
  }

  /** A run has reached the end of the table: more slack, the homes stay. */
  #appendPage(): void {
    this.#pages.push(this.#pool.allocate());
    this.#slotCount += this.#slotMask + 1;
  }

  /** Spreads the entries over more pages, in place. */
  #respread(pageCount: number): void {
    const oldSlotCount = this.#slotCount;
    while (this.#pages.length < pageCount) this.#pages.push(this.#pool.allocate());
    this.#setSizes();
    const positions = this.#scratchFor(this.count);
    let entries = 0;
    let position = -1;
    for (let index = 0; index < oldSlotCount; index++) {
      if (this.#referenceAt(index) === 0) continue;
      position = Math.max(this.#homeOf(index), position + 1);
      positions[entries++] = position;
    }
    while (position >= this.#slotCount) this.#appendPage();
    for (let index = oldSlotCount - 1; entries > 0; index--) {
      if (this.#referenceAt(index) === 0) continue;
      const target = positions[--entries]!;
      if (target === index) continue;
      this.#copySlot(index, target);
      this.#clearSlot(index);
    }
  }

  #shrink(): void {
    if (this.count === 0) {
      this.#release();
      return;
    }
    const pageCount = this.#pagesAbove(Math.ceil(this.count / LOAD_AFTER_SHRINK / (this.#slotMask + 1)));
    if (pageCount >= this.#pages.length) return;
    const oldSlotCount = this.#slotCount;
    this.#setSizes(pageCount);
    let position = -1;
    for (let index = 0; index < oldSlotCount; index++) {
      if (this.#referenceAt(index) === 0) continue;
      position = Math.max(this.#homeOf(index), position + 1);
      if (position === index) continue;
      this.#copySlot(index, position);
      this.#clearSlot(index);
    }
    const pagesNeeded = Math.max(pageCount, (position >>> this.#pageShift) + 1);
    while (this.#pages.length > pagesNeeded) this.#pool.free(this.#pages.pop()!);
    this.#slotCount = this.#pages.length << this.#pageShift;
  }

  /** The table is empty: gives all pages back. */
  #release(): void {
    for (const page of this.#pages) this.#pool.free(page);
    this.#pages.length = 0;
    this.slab = EMPTY_SLAB;
    this.#setSizes();
  }

  #setSizes(pageCount = this.#pages.length): void {
    this.#slotCount = pageCount << this.#pageShift;
    // A quarter of the last page is slack.
    this.#homeCount = pageCount === 0 ? 0 : this.#slotCount - ((this.#slotMask + 1) >>> 2);
    this.#homesPerRest = this.#homeCount / this.#restRange;
    this.#growAtCount = Math.floor(this.#homeCount * LOAD_MAX);
    this.#shrinkBelowCount = pageCount > 1 ? Math.floor(this.#homeCount * LOAD_MIN) : 0;
  }

  /** The smallest member of this table's own growth sequence that is not below `minimum`. */
  #pagesAbove(minimum: number): number {
    let step = Math.max(0, Math.floor(Math.log(minimum) / Math.log(GROWTH_FACTOR) - this.#phase) - 1);
    for (;;) {
      const pageCount = step === 0 ? 1 : Math.ceil(GROWTH_FACTOR ** (step + this.#phase));
      if (pageCount >= minimum) return pageCount;
      step++;
    }
  }

  #scratchFor(count: number): Int32Array {
    if (this.#pool.scratch.length < count) this.#pool.scratch = new Int32Array(Math.ceil(count * 1.5));
    return this.#pool.scratch;
  }

  #referenceAt(index: number): number {
    const page = this.#pages[index >>> this.#pageShift]!;
    const word = this.#pool.wordOf(page) + (index & this.#slotMask) * SLOT_WORDS;
    return this.#pool.slabOf(page)[word + KEY_REFERENCE_WORD]!;
  }

  #restAt(index: number): number {
    const page = this.#pages[index >>> this.#pageShift]!;
    const word = this.#pool.wordOf(page) + (index & this.#slotMask) * SLOT_WORDS;
    return this.#pool.slabOf(page)[word + HASH_WORD]! & this.#restMask;
  }

  #homeOf(index: number): number {
    return (this.#restAt(index) * this.#homesPerRest) | 0;
  }

  #copySlot(from: number, to: number): void {
    const fromPage = this.#pages[from >>> this.#pageShift]!;
    const toPage = this.#pages[to >>> this.#pageShift]!;
    const source = this.#pool.slabOf(fromPage);
    const target = this.#pool.slabOf(toPage);
    const fromWord = this.#pool.wordOf(fromPage) + (from & this.#slotMask) * SLOT_WORDS;
    const toWord = this.#pool.wordOf(toPage) + (to & this.#slotMask) * SLOT_WORDS;
    for (let word = 0; word < SLOT_WORDS; word++) target[toWord + word] = source[fromWord + word]!;
  }

  #clearSlot(index: number): void {
    const page = this.#pages[index >>> this.#pageShift]!;
    const word = this.#pool.wordOf(page) + (index & this.#slotMask) * SLOT_WORDS;
    this.#pool.slabOf(page)[word + KEY_REFERENCE_WORD] = 0;
  }
}

const EMPTY_SLAB = new Int32Array(SLOT_WORDS);
