export const NO_ENTRY = 0;

const CHUNK_SHIFT = 10;
const CHUNK_ENTRIES = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_ENTRIES - 1;
const ENTRY_DOUBLES = 5;
const ENTRY_WORDS = 10;

const EXPIRES_AT_DOUBLE = 0;
const NEWEST_OFFSET_DOUBLE = 1;
const HASH = 4;
const KEY_REFERENCE = 5;
/** Segment in the low 16 bits; the top bit: announced. */
const RECORD_SEGMENT = 6;
const RECORD_LENGTH = 7;
/** Position in the due heap, or the next announced entry. */
const PLACE = 8;
/** The announced entry before this one. */
const BEFORE = 9;
const ANNOUNCED_BIT = 1 << 31;

/**
 * What the keydir keeps beside a slot whose key has an expiry, or whose newest metadata record must be
 * remembered: 40 bytes an entry, in chunks outside the JavaScript heap that are never moved. The number of an
 * entry stands in the key's arena entry (its tag), so there is nothing to hash and nothing to rehash, and
 * growth costs one chunk of 1,024 entries. Numbers start at 1.
 */
export class ExpiryTable {
  readonly #doubles: Float64Array[] = [];
  readonly #words: Int32Array[] = [];
  #freeHead = NO_ENTRY;
  #entriesTouched = 1;
  /** Entries in use. */
  count = 0;

  get memoryBytes(): number {
    return this.#words.length * CHUNK_ENTRIES * ENTRY_WORDS * 4;
  }

  allocate(hash: number, keyReference: number): number {
    const entry = this.#freeHead === NO_ENTRY ? this.#firstUse() : this.#takeFree();
    this.count++;
    this.#setWord(entry, HASH, hash);
    this.#setWord(entry, KEY_REFERENCE, keyReference);
    this.set(entry, 0, 0, 0, 0);
    return entry;
  }

  free(entry: number): void {
    this.count--;
    this.#setWord(entry, PLACE, this.#freeHead);
    this.#freeHead = entry;
    if (this.count === 0) this.clear();
  }

  /**
   * Sets what the key's newest record says; takes an announcement back. Segment and length are those of a
   * metadata-only record, and 0 if the newest record is the put itself.
   */
  set(entry: number, expiresAtMs: number, newestOffset: number, segment: number, length: number): void {
    const doubles = this.#doubles[entry >>> CHUNK_SHIFT]!;
    const base = (entry & CHUNK_MASK) * ENTRY_DOUBLES;
    doubles[base + EXPIRES_AT_DOUBLE] = expiresAtMs;
    doubles[base + NEWEST_OFFSET_DOUBLE] = newestOffset;
    this.#setWord(entry, RECORD_SEGMENT, segment);
    this.#setWord(entry, RECORD_LENGTH, length);
  }

  expiresAtMs(entry: number): number {
    return this.#doubles[entry >>> CHUNK_SHIFT]![(entry & CHUNK_MASK) * ENTRY_DOUBLES + EXPIRES_AT_DOUBLE]!;
  }

  /** Offset of the key's newest record, put or metadata-only. */
  newestOffset(entry: number): number {
    return this.#doubles[entry >>> CHUNK_SHIFT]![
      (entry & CHUNK_MASK) * ENTRY_DOUBLES + NEWEST_OFFSET_DOUBLE
    ]!;
  }

  recordSegment(entry: number): number {
    return this.#word(entry, RECORD_SEGMENT) & 0xffff;
  }

  setRecordSegment(entry: number, segment: number): void {
    this.#setWord(entry, RECORD_SEGMENT, segment | (this.#word(entry, RECORD_SEGMENT) & ANNOUNCED_BIT));
  }

  /** 0 = the newest record is the put. */
  recordLength(entry: number): number {
    return this.#word(entry, RECORD_LENGTH);
  }

  /** The key's hash, as int32. */
  hash(entry: number): number {
    return this.#word(entry, HASH);
  }

  keyReference(entry: number): number {
    return this.#word(entry, KEY_REFERENCE);
  }

  setKeyReference(entry: number, keyReference: number): void {
    this.#setWord(entry, KEY_REFERENCE, keyReference);
  }

  isAnnounced(entry: number): boolean {
    return (this.#word(entry, RECORD_SEGMENT) & ANNOUNCED_BIT) !== 0;
  }

  setAnnounced(entry: number, announced: boolean): void {
    const segment = this.recordSegment(entry);
    this.#setWord(entry, RECORD_SEGMENT, announced ? segment | ANNOUNCED_BIT : segment);
  }

  /** Position in the due heap, or the next announced entry. */
  place(entry: number): number {
    return this.#word(entry, PLACE);
  }

  setPlace(entry: number, place: number): void {
    this.#words[entry >>> CHUNK_SHIFT]![(entry & CHUNK_MASK) * ENTRY_WORDS + PLACE] = place;
  }

  /** The announced entry before this one. */
  before(entry: number): number {
    return this.#word(entry, BEFORE);
  }

  setBefore(entry: number, before: number): void {
    this.#setWord(entry, BEFORE, before);
  }

  clear(): void {
    this.#doubles.length = 0;
    this.#words.length = 0;
    this.#freeHead = NO_ENTRY;
    this.#entriesTouched = 1;
    this.count = 0;
  }

  #takeFree(): number {
    const entry = this.#freeHead;
    this.#freeHead = this.#word(entry, PLACE);
    return entry;
  }

  #firstUse(): number {
    const entry = this.#entriesTouched++;
    if (entry >>> CHUNK_SHIFT === this.#words.length) {
      const doubles = new Float64Array(CHUNK_ENTRIES * ENTRY_DOUBLES);
      this.#doubles.push(doubles);
      this.#words.push(new Int32Array(doubles.buffer));
    }
    return entry;
  }

  #word(entry: number, word: number): number {
    return this.#words[entry >>> CHUNK_SHIFT]![(entry & CHUNK_MASK) * ENTRY_WORDS + word]!;
  }

  #setWord(entry: number, word: number, value: number): void {
    this.#words[entry >>> CHUNK_SHIFT]![(entry & CHUNK_MASK) * ENTRY_WORDS + word] = value;
  }
}
