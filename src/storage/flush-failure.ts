import type { Offset } from '../model/numbers.ts';
import type { PendingBatch } from './pending-batch.ts';

/** A batch that could not be made durable, and whether anything of it may have reached the disk. */
export class FlushFailure extends Error {
  /** `reserve`: nothing of it was written, or ever will be. `write`: nobody can say. */
  readonly stage: 'reserve' | 'write';
  /** The batch that failed: from its first offset to the one after its last. */
  readonly firstOffset: Offset;
  readonly nextOffset: Offset;

  constructor(
    stage: 'reserve' | 'write',
    batch: Pick<PendingBatch, 'baseOffset' | 'nextOffset'>,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'FlushFailure';
    this.stage = stage;
    this.firstOffset = batch.baseOffset;
    this.nextOffset = batch.nextOffset;
  }
}
