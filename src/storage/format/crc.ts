import { crc32 } from 'node:zlib';

/**
 * CRC-32 as zlib computes it. A call into zlib costs more than a short record is worth, so short ranges are done
 * here, four bytes a step over four tables.
 */
const NATIVE_FROM_BYTES = 160;
const POLYNOMIAL = 0xedb88320;

const tables = (() => {
  const built = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    built[byte] = crc;
  }
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = built[byte] as number;
    for (let table = 1; table < 4; table += 1) {
      crc = (built[crc & 0xff] as number) ^ (crc >>> 8);
      built[table * 256 + byte] = crc;
    }
  }
  return built;
})();

/** CRC-32 of `bytes[start, end)`, as an unsigned number. */
export function crcOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start >= NATIVE_FROM_BYTES) return crc32(bytes.subarray(start, end));
  return shortCrc(bytes, start, end);
}

/** Continues `previous` with `bytes[start, end)`. */
export function continueCrc(previous: number, bytes: Uint8Array, start: number, end: number): number {
  return crc32(bytes.subarray(start, end), previous);
}

/**
 * Whether `difference`, of the CRCs of two messages of `byteCount` bytes, is that of messages which differ in one bit. Each bit
 * makes a difference of its own; a message that differs otherwise is taken for one of these with a chance of bits / 2^32.
 */
export function isDifferenceOfOneBit(difference: number, byteCount: number): boolean {
  let ofBit = 1;
  for (let bit = byteCount * 8; bit > 0; bit -= 1) {
    ofBit = (ofBit & 1) === 0 ? ofBit >>> 1 : (ofBit >>> 1) ^ POLYNOMIAL;
    if ((ofBit ^ difference) === 0) return true;
  }
  return false;
}

function shortCrc(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1;
  let at = start;
  const wide = end - 3;
  while (at < wide) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc =
      (tables[768 + (crc & 0xff)] as number) ^
      (tables[512 + ((crc >>> 8) & 0xff)] as number) ^
      (tables[256 + ((crc >>> 16) & 0xff)] as number) ^
      (tables[crc >>> 24] as number);
    at += 4;
  }
  while (at < end) {
    crc = (tables[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
    at += 1;
  }
  return ~crc >>> 0;
}
