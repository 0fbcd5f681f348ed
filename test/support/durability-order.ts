import type { FileSystem } from '../../src/env/file-system.ts';
import type { TracedOperation } from '../../src/env/operation-trace.ts';
import { BatchScan } from '../../src/storage/batch-scan.ts';
import { nextOffsetOf } from '../../src/storage/format/batch.ts';

/** Where a batch lies on the disk. */
export interface PlacedBatch {
  readonly path: string;
  readonly position: number;
  readonly length: number;
  readonly nextOffset: number;
}

const REPLY = /^reply (\d+)$/;

/** The text of a note: everything below `offset` was just acknowledged. */
export const replyNote = (offset: number): string => `reply ${offset}`;

/** Every batch of the segment files in a partition's directory. */
export async function batchesOf(fileSystem: FileSystem, directory: string): Promise<PlacedBatch[]> {
  const batches: PlacedBatch[] = [];
  for (const name of await fileSystem.list(directory)) {
    if (!name.endsWith('.log')) continue;
    const path = `${directory}/${name}`;
    const handle = await fileSystem.open(path, 'read');
    const scan = new BatchScan(handle, await handle.size());
    for await (const { position, header } of scan.batches()) {
      batches.push({ path, position, length: header.length, nextOffset: nextOffsetOf(header) });
    }
    await handle.close();
  }
  return batches;
}

/**
 * The rule of the whole store: a reply leaves after a sync of the log that began after the batch's write had ended. One line for each
 * reply that came before that; empty when the rule was kept.
 */
export function orderViolations(
  operations: readonly TracedOperation[],
  batches: readonly PlacedBatch[],
): string[] {
  const violations: string[] = [];
  for (const reply of operations) {
    const offset = reply.kind === 'note' ? REPLY.exec(reply.path)?.[1] : undefined;
    if (offset === undefined) continue;
    for (const batch of batches) {
      if (batch.nextOffset > Number(offset)) continue;
      const fault = faultOf(operations, batch, reply.startedAt);
      if (fault !== null)
        violations.push(`${reply.path}: the batch before offset ${batch.nextOffset} ${fault}`);
    }
  }
  return violations;
}

function faultOf(
  operations: readonly TracedOperation[],
  batch: PlacedBatch,
  repliedAt: number,
): string | null {
  const writtenAt = operations.find(
    ({ kind, path, position, length }) =>
      kind === 'write' && path === batch.path && position === batch.position && length === batch.length,
  )?.endedAt;
  if (writtenAt === undefined) return 'was never written';
  const synced = operations.some(
    ({ kind, path, startedAt, endedAt }) =>
      kind === 'sync' &&
      path === batch.path &&
      startedAt > writtenAt &&
      endedAt !== undefined &&
      endedAt < repliedAt,
  );
  return synced ? null : 'was not synced between its write and the reply';
}
