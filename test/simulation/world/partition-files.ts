import type { FaultyFileSystem } from '../../../src/env/faulty-file-system.ts';
import type { Offset } from '../../../src/model/numbers.ts';
import { batchCrcHolds, readBatchHeader } from '../../../src/storage/format/batch.ts';
import { SEGMENT_HEADER_BYTES } from '../../../src/storage/format/segment-header.ts';

/** What a partition's directory holds, by name. */
export type PartitionFiles = Map<string, Uint8Array>;

/** A copy of all files of these directories. The process is down. */
export async function filesOf(
  disk: FaultyFileSystem,
  directories: readonly string[],
): Promise<readonly PartitionFiles[]> {
  const found: PartitionFiles[] = [];
  for (const directory of directories) {
    const files: PartitionFiles = new Map();
    for (const name of await disk.fileSystem.list(directory))
      files.set(name, disk.contentOf(`${directory}/${name}`) ?? new Uint8Array(0));
    found.push(files);
  }
  return found;
}

/** Makes of what is in a directory what is to be there. */
export function putFiles(
  disk: FaultyFileSystem,
  directory: string,
  present: PartitionFiles,
  wanted: PartitionFiles,
): void {
  for (const name of new Set([...present.keys(), ...wanted.keys()])) {
    const bytes = wanted.get(name);
    const path = `${directory}/${name}`;
    if (bytes === present.get(name)) continue;
    if (bytes === undefined) disk.lose(path);
    else disk.restore(path, bytes);
  }
}

/** Where a batch lies in its file. */
export interface BatchSpan {
  readonly baseOffset: Offset;
  readonly start: number;
  readonly end: number;
}

/** The valid batches of a segment file, first to last. */
export function batchesOf(bytes: Uint8Array): readonly BatchSpan[] {
  const spans: BatchSpan[] = [];
  for (let start: number = SEGMENT_HEADER_BYTES; start < bytes.length; ) {
    const header = readBatchHeader(bytes, start, bytes.length);
    if (typeof header === 'string' || !batchCrcHolds(bytes, start, header)) break;
    spans.push({ baseOffset: header.baseOffset, start, end: start + header.length });
    start += header.length;
  }
  return spans;
}
