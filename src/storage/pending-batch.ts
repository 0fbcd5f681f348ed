import { asOffset, type LeaderEpoch, type Offset } from '../model/numbers.ts';
import type { BatchHeader } from './format/batch.ts';
import { nextOffsetOf } from './format/batch.ts';

/** A sealed batch between the committed offset and the log end. A `BatchBuilder` is one too. */
export interface PendingBatch {
  readonly baseOffset: Offset;
  readonly nextOffset: Offset;
  readonly leaderEpoch: LeaderEpoch;
  readonly length: number;
  /** Records in it. */
  readonly count: number;
  /** Slot of its segment and its first byte's position there, once it is written. */
  segment: number;
  position: number;
  /** The batch as it lies in the file; null: it must be read from there. */
  readonly image: Buffer | null;
}

/** A batch that this replica did not build: fetched from a leader, or found in the log at a start. */
export class FetchedBatch implements PendingBatch {
  readonly header: BatchHeader;
  readonly image: Buffer | null;
  segment = -1;
  position = -1;

  constructor(header: BatchHeader, image: Buffer | null) {
    this.header = header;
    this.image = image;
  }

  /** The same batch, to be read from its file when it is needed. */
  withoutImage(): FetchedBatch {
    return FetchedBatch.at(this.header, null, this);
  }

  static at(
    header: BatchHeader,
    image: Buffer | null,
    place: Pick<PendingBatch, 'segment' | 'position'>,
  ): FetchedBatch {
    const batch = new FetchedBatch(header, image);
    batch.segment = place.segment;
    batch.position = place.position;
    return batch;
  }

  get baseOffset(): Offset {
    return asOffset(this.header.baseOffset);
  }

  get nextOffset(): Offset {
    return nextOffsetOf(this.header);
  }

  get leaderEpoch(): LeaderEpoch {
    return this.header.leaderEpoch;
  }

  get length(): number {
    return this.header.length;
  }

  get count(): number {
    return this.header.count;
  }
}
