import { BatchScan } from '../../src/storage/batch-scan.ts';
import { RecordKind, RecordView } from '../../src/storage/format/record.ts';
import type { NodeMachine } from './node-machine.ts';

const SEGMENT_HEADER_BYTES = 96;
const BATCH_HEADER_BYTES = 56;

/** What the bytes of a partition's segments are, found by reading all of them. */
export interface SegmentBooks {
  readonly segments: number;
  readonly headerBytes: number;
  readonly liveBytes: number;
  readonly tombstoneBytes: number;
  readonly deadBytes: number;
  readonly totalBytes: number;
}

interface LiveKey {
  putBytes: number;
  expiryBytes: number;
}

/** Plays the log from its first record to its last, without the store's own index. */
export async function readBooks(machine: NodeMachine): Promise<SegmentBooks> {
  const live = new Map<string, LiveKey>();
  const view = new RecordView();
  let headerBytes = 0;
  let recordBytes = 0;
  let tombstoneBytes = 0;
  const { segments } = await machine.manifest();
  const files = await machine.segmentFiles();
  for (const { base, generation } of segments) {
    const name = files.find((file) => file.includes(`${base}-`) && file.includes(`${generation}.log`));
    const handle = await machine.fileSystem.open(machine.path(name ?? 'missing'), 'read');
    const scan = new BatchScan(handle, await handle.size());
    headerBytes += SEGMENT_HEADER_BYTES;
    for await (const { bytes, start, header } of scan.batches()) {
      headerBytes += BATCH_HEADER_BYTES;
      let at = start + BATCH_HEADER_BYTES;
      for (let count = 0; count < header.count; count += 1) {
        const fault = view.decode(bytes, at, bytes.length, true);
        if (fault !== null) throw new Error(`${handle.path}: a record cannot be read: ${fault}`);
        if (play(live, view, bytes)) tombstoneBytes += view.length;
        recordBytes += view.length;
        at += view.length;
      }
    }
    await handle.close();
  }
  let liveBytes = 0;
  for (const { putBytes, expiryBytes } of live.values()) liveBytes += putBytes + expiryBytes;
  return {
    segments: segments.length,
    headerBytes,
    liveBytes,
    tombstoneBytes,
    deadBytes: recordBytes - liveBytes - tombstoneBytes,
    totalBytes: headerBytes + recordBytes,
  };
}

/** True for a record that only a merge of a prefix may drop. */
function play(live: Map<string, LiveKey>, view: RecordView, bytes: Buffer): boolean {
  const key = bytes.toString('latin1', view.keyStart, view.keyEnd);
  switch (view.kind) {
    case RecordKind.put:
      live.set(key, { putBytes: view.length, expiryBytes: 0 });
      return false;
    case RecordKind.expiryChange: {
      const entry = live.get(key);
      if (entry !== undefined) entry.expiryBytes = view.length;
      return false;
    }
    case RecordKind.tombstone:
      live.delete(key);
      return true;
    default:
      live.clear();
      return true;
  }
}
