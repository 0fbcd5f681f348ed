import { asOffset, type Offset } from '../../../src/model/numbers.ts';
import type { LogSlice } from '../../../src/storage/replica-log.ts';
import { decodeBatches, type LogRecord } from './log-records.ts';
import type { ReplicaProbe } from './probe.ts';

const SLICE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Records of one replica that are sealed and not committed: read while they are in its memory, so that it is known at
 * once what a commit made true.
 */
export class PendingTail {
  readonly #records = new Map<number, LogRecord>();
  #endOffset = -1;

  /** Takes in what was sealed, and hands over and forgets what was truncated, since the last look. */
  look(replica: ReplicaProbe, cut: (record: LogRecord) => void): void {
    const { sealedOffset, highWatermark } = replica;
    if (this.#endOffset < 0) this.#endOffset = highWatermark;
    if (sealedOffset < this.#endOffset) {
      for (const [offset, record] of this.#records) {
        if (offset < sealedOffset) continue;
        this.#records.delete(offset);
        cut(record);
      }
      this.#endOffset = sealedOffset;
    }
    if (sealedOffset === this.#endOffset) return;
    const slice = read(replica, asOffset(this.#endOffset));
    this.#endOffset = sealedOffset;
    if (slice === null) return;
    if (slice instanceof Promise) slice.catch(() => undefined);
    else this.#add(slice);
  }

  #add(slice: LogSlice): void {
    for (const record of decodeBatches(slice.bytes)) this.#records.set(record.offset, record);
  }

  /** Hands over what was committed from `from` on; what is not in memory any more comes later, if it comes. */
  take(replica: ReplicaProbe, from: Offset, confirm: (record: LogRecord) => void): void {
    const { highWatermark } = replica;
    let found = 0;
    for (const [offset, record] of this.#records) {
      if (offset >= highWatermark) continue;
      this.#records.delete(offset);
      if (offset < from) continue;
      confirm(record);
      found += 1;
    }
    if (found >= highWatermark - from) return;
    const slice = read(replica, from);
    if (slice === null) return;
    const confirmAll = ({ bytes }: LogSlice): void => {
      for (const record of decodeBatches(bytes)) {
        if (record.offset >= from && record.offset < highWatermark) confirm(record);
      }
    };
    if (slice instanceof Promise) slice.then(confirmAll).catch(() => undefined);
    else confirmAll(slice);
  }
}

/** A merge, a truncation or a bad disk may be in the way: whole logs are compared later anyway. */
function read(replica: ReplicaProbe, from: Offset): LogSlice | Promise<LogSlice> | null {
  try {
    return replica.readLog(from, SLICE_BYTES_MAX);
  } catch {
    return null;
  }
}
