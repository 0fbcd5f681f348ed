import { CaskadeError, invariant } from '../../model/errors.ts';

/** References count in units of this many bytes. */
const UNIT_BYTES = 4;
const REFERENCE_RANGE = 2 ** 32;
const SLAB_BYTES_DEFAULT = 16 * 1024 * 1024;
const FIRST_SLAB_BYTES = 64 * 1024;
/** Unit 0 of a slab is never given out, so that reference 0 means "none". */
const FIRST_UNIT = 1;

/** First byte of an entry: the length of a short key, or one of these; the top bit marks a wide entry. */
const SHORT_LENGTH_MAX = 124;
const LONG_KEY = 125;
const FREE_ENTRY = 126;
const WIDE_BIT = 0x80;
const LONG_HEADER_BYTES = 4;
const TAG_BYTES = 4;
/** A freed entry holds its own size and a link: 8 bytes are the least. */
const ENTRY_UNITS_MIN = 2;
/** Freed entries up to this size are kept in lists by exact size; larger ones wait for compaction. */
const LISTED_UNITS_MAX = 64;
const SPARE_BUFFERS_MAX = 2;

interface Slab {
  bytes: Uint8Array;
  /** First unit that was never given out since the slab was empty. */
  fillUnit: number;
  liveUnits: number;
  /** Heads of the lists of freed entries, by size in units; 0 = none. */
  readonly freeHeads: Int32Array;
  /** Lengths of these lists. */
  readonly freeCounts: Uint32Array;
  evacuating: boolean;
}

/** Told where an entry has gone, before the old place is given up. */
export type OnMove = (oldReference: number, newReference: number) => void;

/**
 * The keys themselves, in slabs outside the JavaScript heap. A reference (uint32, kept as int32) is slab number
 * and unit: 16 GiB of keys with the default slab. Slab 0 starts small and doubles by copying.
 *
 * Entry: header (1 byte for a key up to 124 bytes, else 125 and 3 bytes of length), in a wide entry 4 bytes of
 * tag (the number of the key's expiry entry), the key, padding to 4 bytes; at least 8 bytes. A freed entry:
 * 126, its size in units (3 bytes), the unit of the next freed entry of that size (4 bytes). So a slab can
 * be walked from its first unit to `fillUnit`.
 *
 * Why the waste is bounded:
 * - A freed entry of up to 256 bytes is used again by the next key of the same size in units, so a steady
 *   population, or one that is deleted and written anew, needs no new memory.
 * - When the sizes change, the freed entries of the old sizes do not fit. A slab whose last entry is freed is
 *   empty at once; a full slab of which less than half is live is evacuated by `compactStep`. Each evacuation
 *   gives back a whole slab and takes less than half of one, so it ends, and then every slab but the one
 *   being filled is at least half live: never more than twice the live bytes plus two slabs.
 */
export class KeyArena {
  readonly #slabUnits: number;
  readonly #unitShift: number;
  readonly #unitMask: number;
  readonly #slabs: (Slab | undefined)[] = [];
  readonly #spareBuffers: Uint8Array[] = [];
  /** How many freed entries of a size all slabs' lists hold, and the slab where the last one was found. */
  readonly #freeCounts = new Uint32Array(LISTED_UNITS_MAX + 1);
  readonly #freeSlabHints = new Uint32Array(LISTED_UNITS_MAX + 1);
  #fillSlab = -1;
  #evacuatingSlab = -1;
  #evacuateFromUnit = 0;
  /** A slab that may have fallen under half live; -1 when none is known. */
  #sparseSlab = -1;
  #liveUnits = 0;

  constructor(slabBytes: number = SLAB_BYTES_DEFAULT) {
    this.#slabUnits = slabBytes / UNIT_BYTES;
    this.#unitShift = 31 - Math.clz32(this.#slabUnits);
    this.#unitMask = this.#slabUnits - 1;
    invariant(1 << this.#unitShift === this.#slabUnits, `slab bytes must be a power of two: ${slabBytes}`);
  }

  get liveBytes(): number {
    return this.#liveUnits * UNIT_BYTES;
  }

  get memoryBytes(): number {
    let bytes = 0;
    for (const slab of this.#slabs)
      if (slab !== undefined) bytes += slab.bytes.length + slab.freeHeads.byteLength;
    for (const buffer of this.#spareBuffers) bytes += buffer.length;
    return bytes;
  }

  /** Stores a copy of `bytes[start, end)`; a wide entry has room for a tag, 0 at first. */
  add(bytes: Uint8Array, start: number, end: number, wide: boolean): number {
    const length = end - start;
    const reference = this.#allocate(entryUnits(length, wide));
    const target = this.bytesOf(reference);
    let at = this.#byteOf(reference);
    const wideBit = wide ? WIDE_BIT : 0;
    if (length <= SHORT_LENGTH_MAX) {
      target[at++] = length | wideBit;
    } else {
      target[at] = LONG_KEY | wideBit;
      writeLittleEndian(target, at + 1, length, LONG_HEADER_BYTES - 1);
      at += LONG_HEADER_BYTES;
    }
    if (wide) {
      writeLittleEndian(target, at, 0, TAG_BYTES);
      at += TAG_BYTES;
    }
    for (let from = start; from < end; from++) target[at++] = bytes[from]!;
    return reference;
  }

  free(reference: number): void {
    const slabNumber = reference >>> this.#unitShift;
    const slab = this.#slabs[slabNumber]!;
    const at = this.#byteOf(reference);
    const units = unitsAt(slab.bytes, at);
    slab.bytes[at] = FREE_ENTRY;
    writeLittleEndian(slab.bytes, at + 1, units, LONG_HEADER_BYTES - 1);
    slab.liveUnits -= units;
    this.#liveUnits -= units;
    if (slab.evacuating) return;
    if (units <= LISTED_UNITS_MAX) {
      writeLittleEndian(slab.bytes, at + 4, slab.freeHeads[units]!, 4);
      slab.freeHeads[units] = reference & this.#unitMask;
      slab.freeCounts[units]!++;
      this.#freeCounts[units]!++;
    }
    if (slab.liveUnits === 0) this.#reset(slabNumber, slab);
    else if (this.#isSparse(slabNumber, slab)) this.#sparseSlab = slabNumber;
  }

  equals(reference: number, bytes: Uint8Array, start: number, end: number): boolean {
    const stored = this.bytesOf(reference);
    const at = this.#byteOf(reference);
    const first = stored[at]!;
    const length = end - start;
    let from = at + 1;
    if ((first & ~WIDE_BIT) === LONG_KEY) {
      if (readLittleEndian(stored, at + 1, LONG_HEADER_BYTES - 1) !== length) return false;
      from = at + LONG_HEADER_BYTES;
    } else if ((first & ~WIDE_BIT) !== length) return false;
    if ((first & WIDE_BIT) !== 0) from += TAG_BYTES;
    for (let index = 0; index < length; index++) {
      if (stored[from + index] !== bytes[start + index]) return false;
    }
    return true;
  }

  /** The slab that holds the entry: `bytesOf(r)[keyStart(r), keyStart(r) + keyLength(r))` is the key. */
  bytesOf(reference: number): Uint8Array {
    return this.#slabs[reference >>> this.#unitShift]!.bytes;
  }

  keyStart(reference: number): number {
    const at = this.#byteOf(reference);
    return at + headerBytes(this.bytesOf(reference)[at]!);
  }

  keyLength(reference: number): number {
    return lengthAt(this.bytesOf(reference), this.#byteOf(reference));
  }

  /** What the entry takes, header and padding included. */
  entryBytes(reference: number): number {
    return unitsAt(this.bytesOf(reference), this.#byteOf(reference)) * UNIT_BYTES;
  }

  isWide(reference: number): boolean {
    return (this.bytesOf(reference)[this.#byteOf(reference)]! & WIDE_BIT) !== 0;
  }

  tag(reference: number): number {
    return readLittleEndian(this.bytesOf(reference), this.keyStart(reference) - TAG_BYTES, TAG_BYTES);
  }

  setTag(reference: number, tag: number): void {
    writeLittleEndian(this.bytesOf(reference), this.keyStart(reference) - TAG_BYTES, tag, TAG_BYTES);
  }

  /**
   * Moves up to `budgetEntries` entries out of a slab of which less than half is live. True while there is
   * more to do. The cost of a call is bounded by the budget: freed entries that are skipped count too.
   */
  compactStep(budgetEntries: number, onMove: OnMove): boolean {
    if (this.#evacuatingSlab < 0 && !this.#beginEvacuation()) return false;
    const slabNumber = this.#evacuatingSlab;
    const slab = this.#slabs[slabNumber]!;
    let unit = this.#evacuateFromUnit;
    for (let budget = budgetEntries; budget > 0 && unit < slab.fillUnit && slab.liveUnits > 0; budget--) {
      const at = unit * UNIT_BYTES;
      const units = unitsAt(slab.bytes, at);
      if ((slab.bytes[at]! & ~WIDE_BIT) !== FREE_ENTRY)
        this.#moveEntry((slabNumber << this.#unitShift) | unit, onMove);
      unit += units;
    }
    this.#evacuateFromUnit = unit;
    if (slab.liveUnits === 0) {
      this.#evacuatingSlab = -1;
      this.#drop(slabNumber, slab);
    }
    return this.#evacuatingSlab >= 0 || this.#findSparse() >= 0;
  }

  clear(): void {
    this.#slabs.length = 0;
    this.#spareBuffers.length = 0;
    this.#freeCounts.fill(0);
    this.#fillSlab = -1;
    this.#evacuatingSlab = -1;
    this.#sparseSlab = -1;
    this.#liveUnits = 0;
  }

  /** Walks every slab and throws an InvariantError where the counts or the lists do not agree with it. */
  verify(): void {
    const listed = new Uint32Array(LISTED_UNITS_MAX + 1);
    let live = 0;
    for (const slab of this.#slabs) if (slab !== undefined) live += this.#verifySlab(slab, listed);
    invariant(live === this.#liveUnits, `${live} live units found, ${this.#liveUnits} counted`);
    for (let units = 0; units <= LISTED_UNITS_MAX; units++) {
      const counted = this.#freeCounts[units];
      invariant(
        listed[units] === counted,
        `${listed[units]} free entries of ${units} units, ${counted} counted`,
      );
    }
  }

  #verifySlab(slab: Slab, listed: Uint32Array): number {
    let live = 0;
    let listable = 0;
    for (let unit = FIRST_UNIT; unit < slab.fillUnit; ) {
      const units = unitsAt(slab.bytes, unit * UNIT_BYTES);
      const free = (slab.bytes[unit * UNIT_BYTES]! & ~WIDE_BIT) === FREE_ENTRY;
      if (!free) live += units;
      else if (units <= LISTED_UNITS_MAX && !slab.evacuating) listable++;
      unit += units;
    }
    invariant(live === slab.liveUnits, `${live} live units in a slab that counts ${slab.liveUnits}`);
    for (let units = 0; units <= LISTED_UNITS_MAX; units++) {
      for (let unit = slab.freeHeads[units]!; unit !== 0; ) {
        invariant(
          unitsAt(slab.bytes, unit * UNIT_BYTES) === units,
          `a free entry is in the list of size ${units}`,
        );
        listed[units]!++;
        listable--;
        unit = readLittleEndian(slab.bytes, unit * UNIT_BYTES + 4, 4);
      }
    }
    invariant(listable === 0, `${listable} free entries are in no list`);
    return live;
  }

  #byteOf(reference: number): number {
    return (reference & this.#unitMask) * UNIT_BYTES;
  }

  #allocate(units: number): number {
    const reference =
      units <= LISTED_UNITS_MAX && this.#freeCounts[units]! > 0 ? this.#takeFreed(units) : this.#fill(units);
    this.#slabs[reference >>> this.#unitShift]!.liveUnits += units;
    this.#liveUnits += units;
    return reference;
  }

  #takeFreed(units: number): number {
    let slabNumber = this.#freeSlabHints[units]!;
    for (;;) {
      const slab = this.#slabs[slabNumber];
      const unit = slab === undefined ? 0 : slab.freeHeads[units]!;
      if (slab !== undefined && unit !== 0) {
        slab.freeHeads[units] = readLittleEndian(slab.bytes, unit * UNIT_BYTES + 4, 4);
        slab.freeCounts[units]!--;
        this.#freeCounts[units]!--;
        this.#freeSlabHints[units] = slabNumber;
        return (slabNumber << this.#unitShift) | unit;
      }
      slabNumber = slabNumber + 1 < this.#slabs.length ? slabNumber + 1 : 0;
    }
  }

  #fill(units: number): number {
    let slab = this.#slabs[this.#fillSlab];
    while (slab === undefined || slab.fillUnit + units > slab.bytes.length / UNIT_BYTES) {
      slab = this.#nextFillSlab(slab, units);
    }
    const reference = (this.#fillSlab << this.#unitShift) | slab.fillUnit;
    slab.fillUnit += units;
    return reference;
  }

  /** Doubles the first slab while it is small; else opens another one. */
  #nextFillSlab(current: Slab | undefined, units: number): Slab {
    invariant(units <= this.#slabUnits - FIRST_UNIT, `a key of ${units} units does not fit into a slab`);
    if (current !== undefined && current.bytes.length < this.#slabUnits * UNIT_BYTES) {
      const larger = new Uint8Array(current.bytes.length * 2);
      larger.set(current.bytes);
      current.bytes = larger;
      return current;
    }
    const full = this.#fillSlab;
    this.#fillSlab = this.#slabs.indexOf(undefined);
    if (this.#fillSlab < 0) this.#fillSlab = this.#slabs.length;
    if (this.#fillSlab >= REFERENCE_RANGE / this.#slabUnits) {
      this.#fillSlab = full;
      throw new CaskadeError(
        'limitExceeded',
        'the keys of one partition take more than 16 GiB; use more partitions',
      );
    }
    const slab = {
      bytes: this.#newBuffer(),
      fillUnit: FIRST_UNIT,
      liveUnits: 0,
      freeHeads: new Int32Array(LISTED_UNITS_MAX + 1),
      freeCounts: new Uint32Array(LISTED_UNITS_MAX + 1),
      evacuating: false,
    };
    this.#slabs[this.#fillSlab] = slab;
    if (current !== undefined && this.#isSparse(full, current)) this.#sparseSlab = full;
    return slab;
  }

  #newBuffer(): Uint8Array {
    const slabBytes = this.#slabUnits * UNIT_BYTES;
    if (this.#slabs.length === 0) return new Uint8Array(Math.min(FIRST_SLAB_BYTES, slabBytes));
    return this.#spareBuffers.pop() ?? new Uint8Array(slabBytes);
  }

  #isSparse(slabNumber: number, slab: Slab): boolean {
    return slabNumber !== this.#fillSlab && slab.liveUnits * 2 < this.#slabUnits;
  }

  #findSparse(): number {
    const known = this.#slabs[this.#sparseSlab];
    if (known !== undefined && this.#isSparse(this.#sparseSlab, known)) return this.#sparseSlab;
    this.#sparseSlab = this.#slabs.findIndex(
      (slab, number) => slab !== undefined && this.#isSparse(number, slab),
    );
    return this.#sparseSlab;
  }

  #beginEvacuation(): boolean {
    if (this.#sparseSlab < 0 || this.#findSparse() < 0) return false;
    const slab = this.#slabs[this.#sparseSlab]!;
    this.#dropLists(slab);
    slab.evacuating = true;
    this.#evacuatingSlab = this.#sparseSlab;
    this.#evacuateFromUnit = FIRST_UNIT;
    return true;
  }

  #moveEntry(reference: number, onMove: OnMove): void {
    const wide = this.isWide(reference);
    const start = this.keyStart(reference);
    const bytes = this.bytesOf(reference);
    const moved = this.add(bytes, start, start + this.keyLength(reference), wide);
    if (wide) this.setTag(moved, this.tag(reference));
    onMove(reference, moved);
    this.free(reference);
  }

  /** The last entry of a slab was freed: the slab being filled starts again, another one is given back. */
  #reset(slabNumber: number, slab: Slab): void {
    this.#dropLists(slab);
    slab.fillUnit = FIRST_UNIT;
    if (slabNumber !== this.#fillSlab) this.#drop(slabNumber, slab);
  }

  #drop(slabNumber: number, slab: Slab): void {
    this.#slabs[slabNumber] = undefined;
    const isFull = slab.bytes.length === this.#slabUnits * UNIT_BYTES;
    if (isFull && this.#spareBuffers.length < SPARE_BUFFERS_MAX) this.#spareBuffers.push(slab.bytes);
  }

  #dropLists(slab: Slab): void {
    for (let units = ENTRY_UNITS_MIN; units <= LISTED_UNITS_MAX; units++) {
      this.#freeCounts[units]! -= slab.freeCounts[units]!;
    }
    slab.freeCounts.fill(0);
    slab.freeHeads.fill(0);
  }
}

function entryUnits(keyLength: number, wide: boolean): number {
  const header = (keyLength <= SHORT_LENGTH_MAX ? 1 : LONG_HEADER_BYTES) + (wide ? TAG_BYTES : 0);
  return Math.max(ENTRY_UNITS_MIN, (header + keyLength + UNIT_BYTES - 1) >>> 2);
}

/** Size of the entry at `at`, live or freed. */
function unitsAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if ((first & ~WIDE_BIT) === FREE_ENTRY) return readLittleEndian(bytes, at + 1, LONG_HEADER_BYTES - 1);
  return entryUnits(lengthAt(bytes, at), (first & WIDE_BIT) !== 0);
}

function lengthAt(bytes: Uint8Array, at: number): number {
  const short = bytes[at]! & ~WIDE_BIT;
  return short === LONG_KEY ? readLittleEndian(bytes, at + 1, LONG_HEADER_BYTES - 1) : short;
}

function headerBytes(first: number): number {
  const lengthBytes = (first & ~WIDE_BIT) === LONG_KEY ? LONG_HEADER_BYTES : 1;
  return lengthBytes + ((first & WIDE_BIT) !== 0 ? TAG_BYTES : 0);
}

function readLittleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = 0; index < count; index++) value |= bytes[at + index]! << (8 * index);
  return value;
}

function writeLittleEndian(bytes: Uint8Array, at: number, value: number, count: number): void {
  for (let index = 0; index < count; index++) bytes[at + index] = (value >>> (8 * index)) & 0xff;
}
