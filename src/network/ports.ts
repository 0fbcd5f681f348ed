import type { Logger } from '../env/logger.ts';

/** What the connections need of the log. */
export type NetworkLogger = Pick<Logger, 'warn' | 'error'>;

/** Limits of one connection; the production values stand in LIMITS. */
export interface ConnectionLimits {
  readonly inlineBytesMax: number;
  readonly multibulkCountMax: number;
  readonly bulkBytesMax: number;
  readonly requestBytesMax: number;
  readonly outputBytesMax: number;
  readonly outputPauseBytes: number;
  readonly outputStalledMsMax: number;
  readonly writeBytesMax: number;
  readonly commandsPerTurnMax: number;
  readonly lingerMsMax: number;
}
