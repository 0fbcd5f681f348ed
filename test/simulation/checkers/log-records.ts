import { asOffset, type LeaderEpoch, type Offset } from '../../../src/model/numbers.ts';
import type { ProducerNote } from '../../../src/model/producer.ts';
import { BATCH_HEADER_BYTES, batchCrcHolds, readBatchHeader } from '../../../src/storage/format/batch.ts';
import { ExtraId, findExtra } from '../../../src/storage/format/extras.ts';
import { decodeProducerExtra, OutcomeDetail } from '../../../src/storage/format/outcome.ts';
import { RecordKind, RecordView } from '../../../src/storage/format/record.ts';

/** One record of a log, decoded. */
export interface LogRecord {
  readonly offset: Offset;
  readonly leaderEpoch: LeaderEpoch;
  readonly kind: RecordKind;
  readonly database: number;
  /** Latin-1 text. */
  readonly key: string;
  readonly value: string;
  readonly expiresAtMs: number;
  /** The numbered command whose first record, or outcome, this is. */
  readonly note: ProducerNote | null;
  /** Reason, unit or outcome, by the kind of the record. */
  readonly detail: number;
}

/** Everything that a merge must keep as it is, is the same. */
export function isSameRecord(left: LogRecord, right: LogRecord): boolean {
  return (
    left.leaderEpoch === right.leaderEpoch &&
    left.kind === right.kind &&
    left.detail === right.detail &&
    left.database === right.database &&
    left.expiresAtMs === right.expiresAtMs &&
    left.key === right.key &&
    left.value === right.value
  );
}

/** Decodes whole batches, each checked by its CRC. Throws on anything else: what is committed must be readable. */
export function decodeBatches({ buffer, byteOffset, byteLength }: Uint8Array): readonly LogRecord[] {
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  const records: LogRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const header = readBatchHeader(bytes, at, bytes.length);
    if (typeof header === 'string') throw new Error(`no batch at byte ${at}: ${header}`);
    if (!batchCrcHolds(bytes, at, header)) throw new Error(`the batch at byte ${at} does not hold its CRC`);
    const end = at + header.length;
    for (let position = at + BATCH_HEADER_BYTES; position < end; ) {
      const { record, length } = decodeRecord(bytes, position, end, header);
      records.push(record);
      position += length;
    }
    at = end;
  }
  return records;
}

function decodeRecord(
  bytes: Buffer,
  at: number,
  limit: number,
  header: { readonly baseOffset: Offset; readonly leaderEpoch: LeaderEpoch },
): { readonly record: LogRecord; readonly length: number } {
  const view = new RecordView();
  const fault = view.decode(bytes, at, limit, true);
  if (fault !== null) throw new Error(`no record at byte ${at}: ${fault}`);
  const record = {
    offset: asOffset(header.baseOffset + view.offsetDelta),
    leaderEpoch: header.leaderEpoch,
    kind: view.kind as RecordKind,
    database: view.database,
    key: bytes.toString('latin1', view.keyStart, view.keyEnd),
    value: bytes.toString('latin1', view.valueStart, view.valueEnd),
    expiresAtMs: view.expiresAtMs,
    note: noteOf(bytes, at, view),
    detail: view.detail,
  };
  return { record, length: view.length };
}

function noteOf(bytes: Uint8Array, at: number, view: RecordView): ProducerNote | null {
  if (view.kind === RecordKind.outcome && view.detail === OutcomeDetail.forgotten) return null;
  const extra = findExtra(bytes, at, view, ExtraId.producer);
  if (extra === null) return null;
  const note = decodeProducerExtra(extra);
  if (typeof note === 'string') throw new Error(`a producer at byte ${at} does not add up: ${note}`);
  return { ...note, outcome: note.outcome === null ? null : Uint8Array.from(note.outcome) };
}

export function describeRecord({ offset, leaderEpoch, kind, key, value, expiresAtMs }: LogRecord): string {
  const name = Object.entries(RecordKind).find(([, number]) => number === kind)?.[0] ?? String(kind);
  const due = expiresAtMs === 0 ? '' : ` due ${expiresAtMs}`;
  return `${offset}@${leaderEpoch} ${name} ${key} ${value.slice(0, 40)}${due}`;
}
