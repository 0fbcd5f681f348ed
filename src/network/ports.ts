/** What the connections need of the log. */
export interface NetworkLogger {
  error(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

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
