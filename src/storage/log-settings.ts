/** What the log of one partition, and everything that writes its files, must know. */
export interface LogSettings {
  readonly directory: string;
  readonly partitionUuid: string;
  readonly directoryId: string;
  readonly segmentBytesMax: number;
  /** Zeros kept ahead of the tail; 0 for a file system without a disk below it. */
  readonly preallocationBytes: number;
}
