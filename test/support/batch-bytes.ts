import { asLeaderEpoch, asOffset } from '../../src/model/numbers.ts';
import { BatchBuilder } from '../../src/storage/batch-builder.ts';
import { BATCH_HEADER_BYTES } from '../../src/storage/format/batch.ts';
import { continueCrc, crcOf } from '../../src/storage/format/crc.ts';
import { readUint32, writeUint32 } from '../../src/storage/format/integers.ts';
import { RECORD_AT, RecordKind } from '../../src/storage/format/record.ts';

export interface RecordSource {
  readonly kind?: RecordKind;
  readonly flags?: number;
  readonly detail?: number;
  readonly database?: number;
  readonly expiresAtMs?: number;
  readonly key?: string;
  readonly value?: string | Uint8Array;
  /** A block of `encodeExtras`. */
  readonly extras?: Uint8Array;
}

/** A sealed batch that nobody has written yet. */
export function buildBatch(records: readonly RecordSource[], baseOffset = 0, epoch = 1): BatchBuilder {
  const batch = new BatchBuilder(asOffset(baseOffset), asLeaderEpoch(epoch), Buffer.alloc(256));
  for (const record of records) {
    const { kind = RecordKind.put, flags = 0, detail = 0, database = 0, expiresAtMs = -1 } = record;
    const key = Buffer.from(record.key ?? 'key');
    const value = Buffer.from(record.value ?? (kind === RecordKind.put ? 'value' : ''));
    const { extras = new Uint8Array(0) } = record;
    const { length } = value;
    batch.append(kind, flags, detail, database, expiresAtMs, key, 0, key.length, value, 0, length, extras);
  }
  batch.seal();
  return batch;
}

export function batchBytes(records: readonly RecordSource[], baseOffset = 0, epoch = 1): Buffer {
  const batch = buildBatch(records, baseOffset, epoch);
  return Buffer.from(batch.bytes.subarray(0, batch.length));
}

/** Makes the checksums right again after bytes of the batch or of its records were changed. */
export function reseal(batch: Buffer): Buffer {
  let at = BATCH_HEADER_BYTES;
  while (at + 8 <= batch.length) {
    const length = readUint32(batch, at + RECORD_AT.length);
    if (length < 8 || at + length > batch.length) break;
    writeUint32(batch, at, crcOf(batch, at + 4, at + length));
    at += length;
  }
  writeUint32(batch, 12, continueCrc(crcOf(batch, 0, 12), batch, 16, batch.length));
  return batch;
}
