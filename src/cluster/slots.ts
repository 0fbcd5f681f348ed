import { asSlot, SLOT_COUNT, type Slot } from '../model/numbers.ts';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** CRC-16/XMODEM (polynomial 0x1021, start 0), as Redis Cluster's specification names it. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let at = start; at < end; at += 1) {
    crc = ((crc << 8) & 0xffff) ^ (table[((crc >>> 8) ^ (bytes[at] as number)) & 0xff] as number);
  }
  return crc;
}

/** The key's hash slot: of what stands between its first '{' and the next '}', if that is not empty; else of all of it. */
export function slotOf(bytes: Uint8Array, start: number, end: number): Slot {
  const open = positionOf(OPEN_BRACE, bytes, start, end);
  if (open < end) {
    const close = positionOf(CLOSE_BRACE, bytes, open + 1, end);
    if (close > open + 1 && close < end) return asSlot(crc16(bytes, open + 1, close) & (SLOT_COUNT - 1));
  }
  return asSlot(crc16(bytes, start, end) & (SLOT_COUNT - 1));
}

/** Of the first `byte`, or `end`. By hand: `indexOf` would go on past the key, through all that was received with it. */
function positionOf(byte: number, bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== byte) at += 1;
  return at;
}
