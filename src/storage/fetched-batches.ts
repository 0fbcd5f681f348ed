import { CaskadeError } from '../model/errors.ts';
import type { LeaderEpoch, Offset } from '../model/numbers.ts';
import { batchCrcHolds, isFutureBatch, nextOffsetOf, readBatchHeader } from './format/batch.ts';
import { FetchedBatch } from './pending-batch.ts';

/** Where the log stands that fetched batches are to be appended to. */
export interface LogPlace {
  readonly directory: string;
  readonly logEndOffset: Offset;
  readonly lastEpoch: LeaderEpoch;
}

/** What was asked for from another offset than the one where the log ends now leaves something out, or comes twice. */
export function assertContinues(place: LogPlace, fromOffset: Offset): void {
  if (fromOffset === place.logEndOffset) return;
  throw refusal(place, `it begins at offset ${fromOffset}, and the log ends at ${place.logEndOffset}`);
}

/**
 * Splits what a leader sent into batches, each checked: checksum, known format, offsets and epochs that never go back
 * (I4), nothing left over, nothing at or above `nextOffset`. Nothing is allocated for a length before it is checked
 * against the bytes that are there. Throws `corruptSegment`, or `futureFormat` for a whole batch of a newer version.
 */
export function splitFetched(bytes: Buffer, nextOffset: Offset, place: LogPlace): readonly FetchedBatch[] {
  const batches: FetchedBatch[] = [];
  let at = 0;
  let end: number = place.logEndOffset;
  let epoch: number = place.lastEpoch;
  while (at < bytes.length) {
    const batch = readOne(bytes, at, place);
    if (batch.baseOffset < end || batch.leaderEpoch < epoch) {
      throw refusal(
        place,
        `a batch of offset ${batch.baseOffset}, epoch ${batch.leaderEpoch} comes after offset ${end - 1}, epoch ${epoch}`,
      );
    }
    end = batch.nextOffset;
    epoch = batch.leaderEpoch;
    at += batch.length;
    batches.push(batch);
  }
  if (nextOffset < end) throw refusal(place, `batches up to offset ${end} were said to end at ${nextOffset}`);
  return batches;
}

function readOne(bytes: Buffer, at: number, place: LogPlace): FetchedBatch {
  const header = readBatchHeader(bytes, at, bytes.length);
  if (typeof header === 'string') throw refusal(place, `byte ${at} is no batch (${header})`);
  if (at + header.length > bytes.length) throw refusal(place, `the batch at byte ${at} is cut short`);
  if (!batchCrcHolds(bytes, at, header)) throw refusal(place, `the batch at byte ${at} fails its checksum`);
  if (isFutureBatch(bytes, at, header)) {
    throw new CaskadeError(
      'futureFormat',
      `${place.directory}: the leader sent a batch in the format of a newer Caskade (offset ${nextOffsetOf(header) - 1}); start the newer version here`,
    );
  }
  return new FetchedBatch(header, bytes.subarray(at, at + header.length));
}

function refusal(place: LogPlace, what: string): CaskadeError {
  return new CaskadeError('corruptSegment', `${place.directory}: what the leader sent was refused: ${what}`);
}
