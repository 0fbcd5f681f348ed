import { asOffset, type Offset } from '../../model/numbers.ts';

/** What the high watermark follows from. */
export interface HighWatermarkInput {
  /** Never goes back within a leader epoch (I3). */
  readonly current: Offset;
  /** Members of the committed ISR: the last partition version applied, proposals not counted (R1). */
  readonly isrSize: number;
  readonly minInsync: number;
  /** What each member of the maximal ISR, the leader included, has on disk. Never empty: the leader is in it. */
  readonly durableOffsets: readonly Offset[];
}

/**
 * The smallest durable offset over the maximal ISR; frozen while the committed ISR is below min.insync (PROTOCOL 2.5, R1,
 * KAFKA-15583).
 */
export function highWatermark({ current, isrSize, minInsync, durableOffsets }: HighWatermarkInput): Offset {
  if (isrSize < minInsync) return current;
  let lowest = Number.POSITIVE_INFINITY;
  for (const offset of durableOffsets) lowest = Math.min(lowest, offset);
  return asOffset(Math.max(current, lowest));
}
