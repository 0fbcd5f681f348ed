import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { endOfData } from '../../../src/storage/format/integers.ts';
import type { SeededRandom } from '../seeded-random.ts';

/** Sectors between the first and the last that a torn write left: some are still zero, as they were laid. */
const HOLE_BYTES = 1500;
const PIECE_BYTES = 40;
/** From the end of the data: within the last batch. */
const LAST_BATCH_BYTES = 20;

/** Behind the log of every partition stands a batch of which a crash let only the first and the last sector reach the disk (R19). */
export function tearTails(dataDirectory: string, random: SeededRandom): void {
  const piece = (): Buffer => Buffer.from(random.bytes(PIECE_BYTES).map((byte) => byte | 1));
  const torn = Buffer.concat([piece(), Buffer.alloc(HOLE_BYTES), piece()]);
  for (const path of newestSegments(dataDirectory)) overwrite(path, endOfData(readFileSync(path)), torn);
}

/** One bit of the last batch of every partition is another: it may have been acknowledged, so the replica is to be built anew (R19). */
export function rotTails(dataDirectory: string, random: SeededRandom): void {
  for (const path of newestSegments(dataDirectory)) {
    const bytes = readFileSync(path);
    const position = endOfData(bytes) - 1 - random.below(LAST_BATCH_BYTES);
    const byte = bytes[position] as number;
    overwrite(path, position, Buffer.of(byte ^ (1 << random.below(8))));
  }
}

function newestSegments(dataDirectory: string): readonly string[] {
  const root = join(dataDirectory, 'partitions');
  return readdirSync(root).flatMap((name) => {
    const segments = readdirSync(join(root, name)).filter((file) => file.endsWith('.log'));
    const newest = segments.sort().at(-1);
    return newest === undefined ? [] : [join(root, name, newest)];
  });
}

function overwrite(path: string, position: number, bytes: Buffer): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, position);
  closeSync(file);
}
