import type { Clock } from '../env/clock.ts';
import { CaskadeError } from '../model/errors.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import { BatchScan, type ScannedBatch } from './batch-scan.ts';
import { BATCH_HEADER_BYTES, nextOffsetOf } from './format/batch.ts';
import { RecordView } from './format/record.ts';
import type { Segment } from './segment.ts';
import { Slices } from './slices.ts';

/** Where the log is bad. `offset`: everything below it, from the start of the pass, is whole. */
export interface BadPlace {
  readonly path: string;
  /** Of the batch or record, in the file. */
  readonly position: number;
  readonly offset: Offset;
  /** What does not hold: of a batch, of a record (`record crc`), or that the disk does not give the bytes. */
  readonly fault: string;
}

export type ScrubOutcome =
  | {
      readonly result: 'whole';
      /** Everything from the start of the log to here was read and holds. */
      readonly end: Offset;
      readonly bytes: number;
      readonly records: number;
    }
  | { readonly result: 'bad'; readonly place: BadPlace }
  | { readonly result: 'cancelled' };

export interface ScrubSource {
  readonly log: { readonly segments: readonly Segment[] };
  readonly committedOffset: Offset;
}

export interface ScrubSettings {
  /** Bytes read a second at most; 0 = no limit. */
  readonly bytesPerSecondMax: number;
  /** Looked at between batches: the partition changes its role, truncates or closes. */
  readonly isCancelled: () => boolean;
}

/** How far ahead of its rate a pass may be before it sleeps: timers are no finer. */
const AHEAD_MS_MAX = 10;

/**
 * One pass over everything below the high watermark, in log order: the CRC of every batch and of every record. It finds
 * what rots before a reader does, while another replica still has it (C11: what is found is a loss of this replica,
 * never cut off). One segment at a time is pinned, so a merge may change the log between two; the pass goes on at the
 * offset it has come to.
 */
export class Scrub {
  readonly #source: ScrubSource;
  readonly #clock: Clock;
  readonly #settings: ScrubSettings;
  readonly #slices: Slices;
  readonly #view = new RecordView();
  readonly #end: Offset;
  readonly #startedAtMs: number;
  #next = asOffset(0);
  #bytes = 0;
  #records = 0;

  constructor(source: ScrubSource, clock: Clock, settings: ScrubSettings) {
    this.#source = source;
    this.#clock = clock;
    this.#settings = settings;
    this.#slices = new Slices(clock);
    this.#end = source.committedOffset;
    this.#startedAtMs = clock.monotonicMs();
  }

  /** The first bad place, as a value: what to do about it is the role's. */
  async run(): Promise<ScrubOutcome> {
    while (this.#next < this.#end) {
      const segment = this.#source.log.segments.find(({ end }) => end > this.#next);
      if (segment === undefined) break;
      const { cacheId } = segment;
      segment.pin();
      try {
        const stop = await this.#scrub(segment);
        // What was bad may be what a cut took away: it is read once more.
        if (stop?.result === 'bad' && segment.cacheId !== cacheId) continue;
        if (stop !== null) return stop;
      } finally {
        segment.unpin();
      }
      this.#next = asOffset(Math.max(this.#next, segment.end));
    }
    return { result: 'whole', end: this.#end, bytes: this.#bytes, records: this.#records };
  }

  async #scrub(segment: Segment): Promise<ScrubOutcome | null> {
    // The active segment grows, and is cut above the high watermark, while it is read.
    const { length } = segment;
    const scan = new BatchScan(segment.handle, length);
    try {
      for await (const batch of scan.batches()) {
        if (batch.header.baseOffset >= this.#end) return null;
        const bad = await this.#scrubRecords(batch, segment);
        if (bad !== null) return bad;
        this.#next = asOffset(Math.max(this.#next, nextOffsetOf(batch.header)));
        await this.#throttle(batch.header.length);
        if (this.#settings.isCancelled()) return { result: 'cancelled' };
      }
    } catch (error) {
      if (error instanceof CaskadeError) return this.#bad(segment, scan.end.position, error.code);
      throw error;
    }
    if (this.#next >= this.#end || (scan.end.fault === null && scan.end.position === length)) return null;
    return this.#bad(segment, scan.end.position, `batch ${scan.end.fault ?? 'short'}`);
  }

  async #scrubRecords(batch: ScannedBatch, segment: Segment): Promise<ScrubOutcome | null> {
    const end = batch.start + batch.header.length;
    let at = batch.start + BATCH_HEADER_BYTES;
    for (let count = 0; count < batch.header.count; count += 1) {
      const fault = this.#view.decode(batch.bytes, at, end, true);
      if (fault !== null) return this.#bad(segment, batch.position + at - batch.start, `record ${fault}`);
      at += this.#view.length;
      if (this.#slices.isSpent) await this.#slices.rest();
    }
    this.#records += batch.header.count;
    return at === end ? null : this.#bad(segment, batch.position + at - batch.start, 'record short');
  }

  #bad(segment: Segment, position: number, fault: string): ScrubOutcome {
    return { result: 'bad', place: { path: segment.path, position, offset: this.#next, fault } };
  }

  async #throttle(bytes: number): Promise<void> {
    this.#bytes += bytes;
    const { bytesPerSecondMax } = this.#settings;
    if (bytesPerSecondMax === 0) return;
    const dueMs = (this.#bytes / bytesPerSecondMax) * 1000;
    const aheadMs = dueMs - (this.#clock.monotonicMs() - this.#startedAtMs);
    if (aheadMs > AHEAD_MS_MAX) await this.#clock.sleep(aheadMs);
  }
}
