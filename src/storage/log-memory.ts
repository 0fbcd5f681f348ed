import { LIMITS } from '../model/limits.ts';

/** What a log may do with what is not committed yet. Bytes. */
export interface LogMemory {
  /** Batches above the committed offset are kept in memory up to this; those beyond it are read back when they are committed. */
  readonly pendingBytesMax: number;
  /** What is decoded and committed in one turn of the event loop; more goes in slices. */
  readonly commitBytesPerTurnMax: number;
}

export const LOG_MEMORY: LogMemory = {
  pendingBytesMax: LIMITS.pendingBytesMax,
  commitBytesPerTurnMax: LIMITS.commitBytesPerTurnMax,
};
