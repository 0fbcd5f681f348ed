import { join } from 'node:path';
import { CaskadeError } from '../model/errors.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import { BatchScan, type ScannedBatch } from './batch-scan.ts';
import { type CommittedIndex, IndexedRecord } from './committed-index.ts';
import { nextOffsetOf } from './format/batch.ts';
import { endOfData } from './format/integers.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './format/segment-header.ts';
import { type HintDoors, hintPath, loadHint } from './hint-file.ts';
import type { LogMemory } from './log-memory.ts';
import { MANIFEST_NAME, type ManifestSegment, segmentFileName } from './manifest.ts';
import type { PartitionMeta } from './partition-meta.ts';
import { FetchedBatch, type PendingBatch } from './pending-batch.ts';
import type { ProducerRecords } from './producer-records.ts';
import type { Segment } from './segment.ts';
import { SegmentRecords } from './segment-records.ts';
import type { SegmentedLog } from './segmented-log.ts';
import { Slices } from './slices.ts';
import { TAIL_RULES, type TailVerdict } from './tail-verdict.ts';

/** What a start found (R6: only `clean` and `torn` under flush always are proved whole). */
export interface RecoveryReport {
  readonly verdict: 'new' | 'clean' | 'torn' | 'lossy';
  readonly segments: number;
  readonly fromHints: number;
  /** Hints that were there and could not be trusted. */
  readonly badHints: number;
  readonly records: number;
  /** Bytes cut off the tail. */
  readonly cutBytes: number;
  readonly removedFiles: number;
}

export interface RecoveryOptions {
  /** The operator accepts the loss of a rotten last batch (R19). */
  readonly acceptTornTail: boolean;
  /** The last life made everything durable before it ended: there is the marker of a clean shutdown. */
  readonly closedCleanly: boolean;
  /** A member of a cluster: a tail that may have been acknowledged is given up after `markLossy`, and fetched anew (R6, R19). */
  readonly isMember: boolean;
  readonly memory: Pick<LogMemory, 'pendingBytesMax'>;
  /** Told of every committed record. */
  readonly producers: ProducerRecords;
  /** Durable when it resolves; called before anything is cut. */
  readonly markLossy: () => Promise<void>;
}

/** What recovery leaves behind, besides log and index. */
export interface RecoveredLog {
  /** As far as the log itself tells. */
  readonly logEndOffset: Offset;
  /** Batches above META's high watermark: checked, not indexed. */
  readonly pending: readonly PendingBatch[];
  readonly report: RecoveryReport;
}

const PIECE_BYTES = 1024 * 1024;
const KEPT_NAMES = new Set([MANIFEST_NAME, 'META', 'EPOCHS']);

/**
 * Brings log and index of one partition back to what was known to be committed: nothing at or above META's high
 * watermark is indexed. A node alone never cuts the middle of a log (C11); a member of a cluster cuts its active
 * segment at the first bad batch, after its directory was durably marked lossy (ADR 16).
 */
export class Recovery {
  readonly #doors: HintDoors;
  readonly #log: SegmentedLog;
  readonly #index: CommittedIndex;
  readonly #meta: PartitionMeta;
  readonly #options: RecoveryOptions;
  readonly #records: SegmentRecords;
  readonly #record = new IndexedRecord();
  readonly #slices: Slices;
  #recordCount = 0;
  #fromHints = 0;
  #badHints = 0;
  #nextOffset = 0;
  #epoch = 0;
  readonly #pending: PendingBatch[] = [];
  #pendingBytes = 0;

  constructor(
    doors: HintDoors,
    log: SegmentedLog,
    index: CommittedIndex,
    meta: PartitionMeta,
    options: RecoveryOptions,
  ) {
    this.#doors = doors;
    this.#log = log;
    this.#index = index;
    this.#meta = meta;
    this.#options = options;
    this.#records = new SegmentRecords(doors.hasher);
    this.#slices = new Slices(doors.clock);
  }

  /** Returns the log end offset as far as the log itself tells, and what was found. */
  async run(): Promise<RecoveredLog> {
    const removedFiles = await this.#removeLeftovers();
    let verdict: RecoveryReport['verdict'] = 'clean';
    let cutBytes = 0;
    for (const entry of this.#log.manifest.segments) {
      const segment = await this.#open(entry);
      if (entry.state !== 'active') await this.#loadSealed(segment, entry);
      else ({ verdict, cutBytes } = await this.#loadActive(segment));
    }
    if (verdict !== 'lossy') verdict = await this.#checkedEnd(verdict);
    const report: RecoveryReport = {
      verdict,
      segments: this.#log.segments.length,
      fromHints: this.#fromHints,
      badHints: this.#badHints,
      records: this.#recordCount,
      cutBytes,
      removedFiles,
    };
    return { logEndOffset: asOffset(this.#nextOffset), pending: this.#pending, report };
  }

  /**
   * Files that the manifest does not name are what a crash left of a roll, a merge or a hint (C9). The sync is also for
   * the names that are kept: a process that died between a rename and the sync behind it leaves a manifest which the
   * next power cut may take back.
   */
  async #removeLeftovers(): Promise<number> {
    const { fileSystem, directory } = this.#doors;
    const kept = new Set(KEPT_NAMES);
    for (const { base, generation } of this.#log.manifest.segments) {
      kept.add(segmentFileName(base, generation));
      kept.add(hintPath('', { base, generation }));
    }
    const leftovers = (await fileSystem.list(directory)).filter((name) => !kept.has(name));
    for (const name of leftovers) await fileSystem.unlink(join(directory, name));
    await fileSystem.syncDirectory(directory);
    return leftovers.length;
  }

  async #open(entry: ManifestSegment): Promise<Segment> {
    let segment: Segment;
    try {
      segment = await this.#log.openSegment(entry, entry.state === 'active' || !this.#isCommitted(entry.end));
    } catch (error) {
      if (!(error instanceof CaskadeError) || error.code !== 'notFound') throw error;
      const path = join(this.#doors.directory, segmentFileName(entry.base, entry.generation));
      throw new CaskadeError(
        'corruptSegment',
        `${path}: the manifest names this segment, but the file is missing; restore it from a backup`,
        { cause: error },
      );
    }
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const read = await segment.handle.readAt(header, 0);
    const identity = decodeSegmentHeader(header.subarray(0, read), segment.path);
    const { partitionUuid, directoryId } = this.#meta;
    const isOurs = identity.partitionUuid === partitionUuid && identity.directoryId === directoryId;
    if (!isOurs || identity.baseOffset !== entry.base || identity.generation !== entry.generation) {
      throw new CaskadeError(
        'foreignDirectory',
        `${segment.path}: belongs to another directory or has been renamed; put back the file that was here`,
      );
    }
    return segment;
  }

  async #loadSealed(segment: Segment, entry: ManifestSegment): Promise<void> {
    segment.length = entry.length;
    segment.end = entry.end;
    const size = await segment.handle.size();
    if (size !== entry.length) {
      throw new CaskadeError(
        'corruptSegment',
        `${segment.path}: has ${size} bytes, but ${entry.length} were sealed; restore the file from a backup`,
      );
    }
    // A hint leaves out what later records superseded: that they were committed must be known here too (C2).
    const isTrusted = this.#isCommitted(entry.end);
    const hint = isTrusted ? await loadHint(this.#doors, segment, this.#index) : 'absent';
    if (hint === 'loaded') {
      this.#fromHints += 1;
      if (segment.speaksOfProducers) await this.#readProducers(segment);
    } else {
      if (hint === 'bad') this.#badHints += 1;
      const scan = new BatchScan(segment.handle, segment.length);
      await this.#applyAll(scan, segment);
      if (scan.end.fault !== null) throw corruptAt(segment, scan.end.position, scan.end.fault);
    }
    this.#nextOffset = entry.end;
  }

  /** A hint lists keys; what the records said of producers stands in the segment alone. */
  async #readProducers(segment: Segment): Promise<void> {
    const scan = new BatchScan(segment.handle, segment.length);
    for await (const batch of scan.batches()) {
      for (const place of this.#records.of(batch, segment.path, this.#record)) {
        this.#tellProducers(batch, place.start);
        if (this.#slices.isSpent) await this.#slices.rest();
      }
      this.#options.producers.commitTo(nextOffsetOf(batch.header));
    }
    if (scan.end.fault !== null) throw corruptAt(segment, scan.end.position, scan.end.fault);
  }

  #tellProducers(batch: ScannedBatch, at: number): void {
    const { view } = this.#records;
    this.#options.producers.recordAppended(asOffset(this.#record.offset), batch.bytes, at, view);
  }

  async #loadActive(segment: Segment): Promise<{ verdict: RecoveryReport['verdict']; cutBytes: number }> {
    const size = await segment.handle.size();
    const scan = new BatchScan(segment.handle, size);
    this.#nextOffset = segment.base;
    await this.#applyAll(scan, segment);
    if (scan.end.fault === 'future') throw corruptAt(segment, scan.end.position, 'future');
    segment.length = scan.end.position;
    segment.end = asOffset(this.#nextOffset);
    const outcome = await this.#settleTail(segment, scan, size);
    // What was just read may be in the page cache only: it is made durable before anybody is shown it.
    await this.#writeBack(segment);
    await segment.handle.sync();
    await segment.resumeTail();
    this.#log.resume(size);
    return outcome;
  }

  /**
   * A sync that failed in an earlier process has left its pages in the cache, marked clean: a sync alone would succeed
   * and write nothing (KAFKA-10778). Written again, the same bytes at the same place, they are dirty. A crash meanwhile
   * finds what was there before.
   */
  async #writeBack(segment: Segment): Promise<void> {
    for (let at = this.#syncedTo(segment); at < segment.length; at += PIECE_BYTES) {
      const bytes = await segment.load(at, Math.min(PIECE_BYTES, segment.length - at));
      await segment.handle.writeAt([bytes], at);
    }
  }

  /** META's high watermark follows the syncs, but under a weak mode is only known to do so where the last life ended well. */
  #syncedTo(segment: Segment): number {
    const isSynced = this.#meta.flush === 'always' || this.#options.closedCleanly;
    if (!isSynced) return SEGMENT_HEADER_BYTES;
    return this.#pending.find((batch) => batch.segment === segment.slot)?.position ?? segment.length;
  }

  /** Decides about the bytes after the last valid batch, and turns them back into zeros (R19). */
  async #settleTail(
    segment: Segment,
    scan: BatchScan,
    size: number,
  ): Promise<{ verdict: RecoveryReport['verdict']; cutBytes: number }> {
    const rest = Buffer.alloc(size - segment.length);
    await segment.handle.readAt(rest, segment.length);
    const verdict = TAIL_RULES.judgeTail(rest, segment.length, this.#nextOffset);
    if (verdict === 'clean') return { verdict: 'clean', cutBytes: 0 };
    if (this.#options.isMember) return this.#giveUpTail(segment, rest, verdict);
    const isWeak = this.#meta.flush !== 'always';
    if (verdict === 'corrupt' && !isWeak) throw corruptAt(segment, segment.length, scan.end.fault ?? 'crc');
    if (verdict === 'rotten' && !isWeak && !this.#options.acceptTornTail) {
      throw new CaskadeError(
        'tornTailRefused',
        `${segment.path}: position ${segment.length}: the last batch is damaged and does not look cut short by a crash, so an acknowledged write may be in it; restore the file from a backup, or start once with --accept-torn-tail to give the batch up`,
      );
    }
    // Before anything is cut: a batch that was once known to be committed is not given up without the operator's word.
    if (!this.#options.acceptTornTail) this.#checkHighWatermark();
    const cutBytes = endOfData(rest);
    await this.#zero(segment, segment.length, cutBytes);
    const isProved = verdict === 'torn' && !isWeak && this.#nextOffset >= this.#meta.highWatermark;
    return { verdict: isProved ? 'torn' : 'lossy', cutBytes };
  }

  /** As a member: what a crash tore was never acknowledged; anything else may have been, and must come again from the others. */
  async #giveUpTail(
    segment: Segment,
    rest: Buffer,
    found: TailVerdict,
  ): Promise<{ verdict: RecoveryReport['verdict']; cutBytes: number }> {
    const isProved = found === 'torn' && this.#nextOffset >= this.#meta.highWatermark;
    if (!isProved) await this.#options.markLossy();
    const cutBytes = endOfData(rest);
    await this.#zero(segment, segment.length, cutBytes);
    return { verdict: isProved ? 'torn' : 'lossy', cutBytes };
  }

  async #zero(segment: Segment, position: number, bytes: number): Promise<void> {
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      await segment.handle.writeAt([Buffer.alloc(Math.min(PIECE_BYTES, bytes - done))], position + done);
    }
  }

  async #applyAll(scan: BatchScan, segment: Segment): Promise<void> {
    for await (const batch of scan.batches()) {
      this.#checkOrder(batch, segment);
      segment.batchCount += 1;
      const isCommitted = this.#isCommitted(nextOffsetOf(batch.header));
      for (const place of this.#records.of(batch, segment.path, this.#record)) {
        if (isCommitted) {
          this.#index.apply(this.#record, segment);
          this.#tellProducers(batch, place.start);
        }
        this.#recordCount += 1;
        if (this.#slices.isSpent) await this.#slices.rest();
      }
      if (isCommitted) this.#options.producers.commitTo(nextOffsetOf(batch.header));
      else this.#keepPending(batch, segment);
      this.#nextOffset = nextOffsetOf(batch.header);
    }
  }

  #isCommitted(end: number): boolean {
    return end <= this.#meta.highWatermark;
  }

  #keepPending({ header, bytes, start, position }: ScannedBatch, segment: Segment): void {
    const isHeld = this.#pendingBytes + header.length <= this.#options.memory.pendingBytesMax;
    if (isHeld) this.#pendingBytes += header.length;
    const image = isHeld ? Buffer.from(bytes.subarray(start, start + header.length)) : null;
    this.#pending.push(FetchedBatch.at(header, image, { segment: segment.slot, position }));
  }

  /** Invariant I4: offsets and epochs never go back along the log. */
  #checkOrder(batch: ScannedBatch, segment: Segment): void {
    const { baseOffset, leaderEpoch } = batch.header;
    if (baseOffset < this.#nextOffset || leaderEpoch < this.#epoch) {
      throw new CaskadeError(
        'corruptSegment',
        `${segment.path}: position ${batch.position}: a batch of offset ${baseOffset}, epoch ${leaderEpoch} comes after offset ${this.#nextOffset - 1}, epoch ${this.#epoch}`,
      );
    }
    this.#epoch = leaderEpoch;
  }

  /** A log that ends below what was committed has lost something: alone it is refused, a member says so. */
  async #checkedEnd(verdict: RecoveryReport['verdict']): Promise<RecoveryReport['verdict']> {
    if (!this.#options.isMember) this.#checkHighWatermark();
    if (this.#nextOffset >= this.#meta.highWatermark) return verdict;
    if (this.#options.isMember) await this.#options.markLossy();
    return this.#options.isMember ? 'lossy' : verdict;
  }

  #checkHighWatermark(): void {
    const { highWatermark, flush } = this.#meta;
    if (this.#nextOffset >= highWatermark || flush !== 'always') return;
    throw new CaskadeError(
      'corruptSegment',
      `${this.#doors.directory}: the log ends at offset ${this.#nextOffset}, but ${highWatermark} was committed; restore the directory from a backup`,
    );
  }
}

function corruptAt(segment: Segment, position: number, fault: string): CaskadeError {
  if (fault === 'future') {
    return new CaskadeError(
      'futureFormat',
      `${segment.path}: position ${position}: a batch was written by a newer Caskade; start the newer version`,
    );
  }
  return new CaskadeError(
    'corruptSegment',
    `${segment.path}: position ${position}: a batch that was once acknowledged cannot be read (${fault}); restore the file from a replica or a backup`,
  );
}
