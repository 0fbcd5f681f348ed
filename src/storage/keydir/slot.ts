import { invariant } from '../../model/errors.ts';
import { KEY_REFERENCE_WORD, type SubTable } from './sub-table.ts';

/**
 * What the six words of a slot say, beside the hash and the key reference that the sub-table knows. Each of these
 * functions is about the slot at the table's cursor.
 */

/** Segment number in the high half, high 16 bits of the offset in the low half. */
const SEGMENT_WORD = 2;
const OFFSET_WORD = 3;
const POSITION_WORD = 4;
/** Record length in the low 30 bits; the top bit: the key has an expiry entry. */
const LENGTH_WORD = 5;
const EXPIRY_BIT = 1 << 31;
const LENGTH_MASK = 2 ** 30 - 1;
const WORD_RANGE = 2 ** 32;

/** The most that a slot can hold. */
export const KEYDIR_LIMITS = {
  segmentMax: 2 ** 16 - 1,
  positionMax: 2 ** 32 - 1,
  lengthMax: LENGTH_MASK,
  offsetMax: 2 ** 48 - 1,
} as const;

export function slotSegment(table: SubTable): number {
  return table.slab[table.word + SEGMENT_WORD]! >>> 16;
}

export function slotPosition(table: SubTable): number {
  return table.slab[table.word + POSITION_WORD]! >>> 0;
}

export function slotLength(table: SubTable): number {
  return table.slab[table.word + LENGTH_WORD]! & LENGTH_MASK;
}

export function slotOffset(table: SubTable): number {
  const high = table.slab[table.word + SEGMENT_WORD]! & 0xffff;
  return high * WORD_RANGE + (table.slab[table.word + OFFSET_WORD]! >>> 0);
}

export function slotKey(table: SubTable): number {
  return table.slab[table.word + KEY_REFERENCE_WORD]!;
}

export function setSlotKey(table: SubTable, reference: number): void {
  table.slab[table.word + KEY_REFERENCE_WORD] = reference;
}

export function slotHasExpiry(table: SubTable): boolean {
  return (table.slab[table.word + LENGTH_WORD]! & EXPIRY_BIT) !== 0;
}

export function setSlotHasExpiry(table: SubTable, hasExpiry: boolean): void {
  const length = slotLength(table);
  table.slab[table.word + LENGTH_WORD] = hasExpiry ? length | EXPIRY_BIT : length;
}

/** The flag of the expiry stays. */
export function setSlotRecord(
  table: SubTable,
  segment: number,
  position: number,
  length: number,
  offset: number,
): void {
  const { slab, word } = table;
  slab[word + SEGMENT_WORD] = (segment << 16) | Math.floor(offset / WORD_RANGE);
  slab[word + OFFSET_WORD] = offset | 0;
  slab[word + POSITION_WORD] = position | 0;
  slab[word + LENGTH_WORD] = length | (slab[word + LENGTH_WORD]! & EXPIRY_BIT);
}

export function setSlotPlace(table: SubTable, segment: number, position: number): void {
  const { slab, word } = table;
  slab[word + SEGMENT_WORD] = (segment << 16) | (slab[word + SEGMENT_WORD]! & 0xffff);
  slab[word + POSITION_WORD] = position | 0;
}

export function checkRecord(segment: number, position: number, length: number, offset: number): void {
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
