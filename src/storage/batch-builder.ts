import { InvariantError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import { asOffset, type LeaderEpoch, type Offset } from '../model/numbers.ts';
import { BATCH_HEADER_BYTES, sealBatch } from './format/batch.ts';
import { crcOf } from './format/crc.ts';
import { copyBytes, writeUint32, writeUint64 } from './format/integers.ts';
import { RECORD_AT, RECORD_HEADER_BYTES, RecordFlag, type RecordKind } from './format/record.ts';
import type { PendingBatch } from './pending-batch.ts';

const INITIAL_BYTES = 64 * 1024;
/** Buffers up to this size are used again. */
const POOLED_BYTES_MAX = 2 * LIMITS.batchBytesTarget;
const POOLED_COUNT_MAX = 8;
/** No bytes: who passes this object is spared a look at its length. */
export const EMPTY = new Uint8Array(0);

/** Batch buffers that are free again. */
export class BatchBufferPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  give(bytes: Buffer): void {
    if (bytes.length <= POOLED_BYTES_MAX && this.#free.length < POOLED_COUNT_MAX) this.#free.push(bytes);
  }
}

/**
 * One record batch while it grows and after it is sealed. Records are encoded straight into the bytes that will be
 * written to disk and sent to followers; nothing is encoded twice.
 */
export class BatchBuilder implements PendingBatch {
  readonly baseOffset: Offset;
  readonly leaderEpoch: LeaderEpoch;
  bytes: Buffer;
  length = BATCH_HEADER_BYTES;
  count = 0;
  firstTimestampMs = 0;
  maxTimestampMs = 0;
  sealed = false;
  /** Where its first byte lies, once it is written. */
  segment = -1;
  position = -1;

  constructor(baseOffset: Offset, leaderEpoch: LeaderEpoch, bytes: Buffer) {
    this.baseOffset = baseOffset;
    this.leaderEpoch = leaderEpoch;
    this.bytes = bytes;
  }

  get nextOffset(): Offset {
    return asOffset(this.baseOffset + this.count);
  }

  get image(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /**
   * Appends a record and returns its position in the batch. `expiresAtMs` -1: the record has no expiry field. `extras`:
   * a block of `encodeExtras`, or nothing.
   */
  append(
    kind: RecordKind,
    flags: number,
    detail: number,
    database: number,
    expiresAtMs: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array = EMPTY,
    valueStart = 0,
    valueEnd = 0,
    extras: Uint8Array = EMPTY,
  ): number {
    const hasExpiry = expiresAtMs >= 0;
    const keyLength = keyEnd - keyStart;
    const extrasLength = extras === EMPTY ? 0 : extras.length;
    const length =
      RECORD_HEADER_BYTES + (hasExpiry ? 8 : 0) + extrasLength + keyLength + (valueEnd - valueStart);
    const at = this.length;
    if (this.sealed) throw new InvariantError('a record was appended to a sealed batch');
    if (at + length > this.bytes.length) this.#grow(at + length);
    const { bytes } = this;
    writeUint32(bytes, at + RECORD_AT.length, length);
    writeUint32(bytes, at + RECORD_AT.delta, this.count);
    bytes[at + RECORD_AT.kind] = kind;
    bytes[at + RECORD_AT.flags] =
      flags | (hasExpiry ? RecordFlag.hasExpiry : 0) | (extrasLength > 0 ? RecordFlag.hasExtras : 0);
    bytes[at + RECORD_AT.codec] = 0;
    bytes[at + RECORD_AT.detail] = detail;
    writeUint32(bytes, at + RECORD_AT.database, database);
    writeUint32(bytes, at + RECORD_AT.keyLength, keyLength);
    let body = at + RECORD_HEADER_BYTES;
    if (hasExpiry) {
      writeUint64(bytes, body, expiresAtMs);
      body += 8;
    }
    if (extrasLength > 0) {
      bytes.set(extras, body);
      body += extrasLength;
    }
    copyBytes(bytes, body, key, keyStart, keyEnd);
    copyBytes(bytes, body + keyLength, value, valueStart, valueEnd);
    writeUint32(bytes, at, crcOf(bytes, at + 4, at + length));
    this.length = at + length;
    this.count += 1;
    return at;
  }

  /** Takes back the records from this position on; `count` are left. */
  cutTo(length: number, count: number): void {
    if (this.sealed) throw new InvariantError('a record was taken back from a sealed batch');
    this.length = length;
    this.count = count;
  }

  /** Writes the header and the checksum; nothing is appended any more. */
  seal(): void {
    if (this.count === 0) throw new InvariantError('an empty batch was sealed');
    this.sealed = true;
    sealBatch(this.bytes, 0, {
      flags: 0,
      length: this.length,
      baseOffset: this.baseOffset,
      lastOffsetDelta: this.count - 1,
      count: this.count,
      leaderEpoch: this.leaderEpoch,
      firstTimestampMs: this.firstTimestampMs,
      maxTimestampMs: this.maxTimestampMs,
    });
  }

  #grow(needed: number): void {
    if (needed > LIMITS.batchBytesMax)
      throw new InvariantError(`a batch of ${needed} bytes passed its admission`);
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}
