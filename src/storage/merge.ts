import { removeIfThere } from '../env/replace-file.ts';
import { InvariantError } from '../model/errors.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import { BatchScan, type ScannedBatch } from './batch-scan.ts';
import { type CommittedIndex, IndexedRecord } from './committed-index.ts';
import { BATCH_HEADER_BYTES, BatchFlag, sealBatch } from './format/batch.ts';
import { RecordKind } from './format/record.ts';
import { assertWhole, type HintDoors, hintPath, visitHint } from './hint-file.ts';
import { type MergedFile, MergeOutput } from './merge-output.ts';
import { MERGE_RULES, type MergeRules } from './merge-rules.ts';
import { ProducerCarry, type ProducerRecords, speaksOfProducers } from './producer-records.ts';
import type { Segment } from './segment.ts';
import { type RecordPlace, SegmentRecords } from './segment-records.ts';
import type { SegmentedLog } from './segmented-log.ts';
import { Slices } from './slices.ts';

export interface MergeSettings {
  /** Bytes read a second at most; 0 = no limit. */
  readonly bytesPerSecondMax: number;
}

/** What a merge needs from the partition around it. */
export interface MergeHost {
  /** `PartitionStore.syncEvidence`: only what is durable, and known at the next start to be committed, may kill (C2, R18). */
  readonly syncEvidence: () => Promise<void>;
  /** Everything below it is committed here. */
  readonly committedOffset: () => Offset;
  /** No tombstone at or above it may go (R16); Infinity where nobody else has a copy. */
  readonly tombstoneRemoveOffset: () => Offset;
  /** True while another replica is built from this one: no tombstone may go (C5). */
  readonly isFloorPinned: () => boolean;
  /** What goes with dropped records of producers is kept in a snapshot of these (C13). Absent: such records are never dropped. */
  readonly producers?: ProducerRecords;
  /** True when the partition changed its role, truncates or closes: the merge gives up (C13b). */
  readonly isCancelled: () => boolean;
  /** A committed record cannot be read (C11). */
  readonly corrupt?: () => void;
  /** Whether the manifest names the outputs nobody knows: as after a roll that failed so (KAFKA-10778). */
  readonly failed?: (error: unknown) => void;
  /** Runs `change` while nothing else changes the list of segments. */
  readonly exclusively: (change: () => Promise<void>) => Promise<void>;
}

export interface MergeOutcome {
  readonly inputs: number;
  readonly outputs: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly recordsKept: number;
  readonly recordsDropped: number;
}

class MergeCancelled extends Error {}

/**
 * Rewrites a run of sealed segments without what newer committed records have superseded (PROTOCOL 3.3, as amended by
 * R4, R15, R16).
 *
 * Order of the steps, each safe to crash after: outputs and their hints written and synced; directory synced; ONE
 * rename of the manifest commits; the index follows; the inputs are unlinked when nobody reads them. Batches keep base
 * offset, last delta and epoch.
 */
export class Merge {
  readonly #doors: HintDoors;
  readonly #log: SegmentedLog;
  readonly #index: CommittedIndex;
  readonly #settings: MergeSettings;
  readonly #host: MergeHost;
  readonly #rules: MergeRules;
  readonly #records: SegmentRecords;
  readonly #record = new IndexedRecord();
  readonly #slices: Slices;
  readonly #carry: ProducerCarry;
  #output: MergeOutput | null = null;
  #finished: MergedFile[] = [];
  #isPrefix = false;
  /** The record looked at last gave its place to a snapshot. */
  #isReplaced = false;
  #removedFloor = -1;
  #kept = 0;
  #dropped = 0;
  #startedAtMs = 0;
  #readBytes = 0;

  constructor(
    doors: HintDoors,
    log: SegmentedLog,
    index: CommittedIndex,
    settings: MergeSettings,
    host: MergeHost,
    rules: MergeRules = MERGE_RULES,
  ) {
    this.#doors = doors;
    this.#log = log;
    this.#index = index;
    this.#settings = settings;
    this.#host = host;
    this.#rules = rules;
    this.#records = new SegmentRecords(doors.hasher);
    this.#slices = new Slices(doors.clock);
    this.#carry = new ProducerCarry(host.producers, this.#slices);
  }

  /** Merges `count` sealed segments from index `first` on. Null: it was cancelled and left nothing behind. */
  async run(first: number, count: number): Promise<MergeOutcome | null> {
    const inputs = this.#log.segments.slice(first, first + count);
    this.#refuseUncommitted(inputs);
    this.#isPrefix = first === 0;
    this.#startedAtMs = this.#doors.clock.monotonicMs();
    for (const input of inputs) input.pin();
    try {
      await this.#placeSnapshot(inputs);
      await this.#copy(inputs);
      await this.#prove();
    } catch (error) {
      await this.#abort();
      if (error instanceof MergeCancelled) return null;
      throw error;
    } finally {
      for (const input of inputs) input.unpin();
    }
    const outputs = await this.#commit(inputs);
    if (outputs === null) return null;
    await this.#follow(inputs, outputs);
    await this.#remove(inputs);
    return {
      inputs: inputs.length,
      outputs: outputs.length,
      inputBytes: sumLength(inputs),
      outputBytes: sumLength(outputs),
      recordsKept: this.#kept,
      recordsDropped: this.#dropped,
    };
  }

  #refuseUncommitted(inputs: readonly Segment[]): void {
    const { end, path } = inputs.at(-1) as Segment;
    if (this.#rules.isMergeable(end, this.#host.committedOffset())) return;
    throw new InvariantError(`${path}: a merge of a segment that is not wholly committed (C2)`);
  }

  /**
   * The snapshot of producers takes the place of the last of their records that surely goes, and none above it goes:
   * who has fetched a part of what is merged finds the snapshot ahead, not behind. Dead stays dead; that a tombstone
   * may go can change, so it is not looked at.
   */
  async #placeSnapshot(inputs: readonly Segment[]): Promise<void> {
    if (this.#carry.hasNothing) return;
    for (const input of inputs.toReversed()) {
      this.#carry.place = await this.#lastGoing(input);
      if (this.#carry.place >= 0) return;
    }
  }

  async #lastGoing(input: Segment): Promise<number> {
    const record = this.#record;
    const scan = new BatchScan(input.handle, input.length);
    let last = -1;
    for await (const batch of scan.batches()) {
      for (const place of this.#records.of(batch, input.path, record)) {
        if (this.#slices.isSpent) await this.#slices.rest();
        if (!speaksOfProducers(batch.bytes, place.start, this.#records.view)) continue;
        const mayComeBack = record.kind === RecordKind.tombstone || record.kind === RecordKind.flush;
        const isGoing =
          record.kind === RecordKind.producerSnapshot || !this.#rules.isLive(this.#index, record);
        if (isGoing && !mayComeBack) last = record.offset;
      }
      await this.#throttle(batch.header.length);
    }
    assertWhole(scan, input);
    return last;
  }

  async #copy(inputs: readonly Segment[]): Promise<void> {
    const base = (inputs[0] as Segment).base;
    const end = (inputs.at(-1) as Segment).end;
    await this.#begin(base);
    for (const input of inputs) {
      const scan = new BatchScan(input.handle, input.length);
      for await (const batch of scan.batches()) {
        await this.#copyBatch(batch, input);
        await this.#throttle(batch.header.length);
      }
      assertWhole(scan, input);
    }
    await this.#finish(end);
  }

  async #copyBatch(batch: ScannedBatch, input: Segment): Promise<void> {
    const parts: Buffer[] = [];
    const output = await this.#outputFor(batch);
    const record = this.#record;
    let length = BATCH_HEADER_BYTES;
    let isSame = true;
    for (const place of this.#records.of(batch, input.path, record)) {
      if (this.#slices.isSpent) await this.#slices.rest();
      const kept = await this.#copyOf(batch, place, output);
      isSame &&= kept !== null && !this.#isReplaced;
      if (kept === null) continue;
      record.position = output.length + length;
      record.length = kept.length;
      await output.list(record);
      parts.push(kept);
      length += kept.length;
    }
    this.#kept += parts.length;
    this.#dropped += batch.header.count - parts.length;
    if (parts.length > 0) await output.append(rewrite(batch, parts, length, isSame));
  }

  /** The bytes that the record leaves in the output: its own, or the snapshot of producers in its place; null: none. */
  async #copyOf(batch: ScannedBatch, place: RecordPlace, output: MergeOutput): Promise<Buffer | null> {
    const record = this.#record;
    const { view } = this.#records;
    const bytes = batch.bytes.subarray(place.start, place.end);
    this.#isReplaced = false;
    if (!speaksOfProducers(batch.bytes, place.start, view)) return this.#keeps(record) ? bytes : null;
    output.speaksOfProducers = true;
    if (record.offset > this.#carry.place) return bytes;
    if (record.offset === this.#carry.place) {
      const snapshot = await this.#carry.inPlaceOf(view.offsetDelta);
      this.#isReplaced = true;
      toSnapshot(record, snapshot);
      return snapshot;
    }
    const isOfKey = record.kind !== RecordKind.outcome && record.kind !== RecordKind.producerSnapshot;
    return isOfKey && this.#keeps(record) ? bytes : null;
  }

  #keeps(record: IndexedRecord): boolean {
    if (record.kind !== RecordKind.tombstone && record.kind !== RecordKind.flush) {
      return this.#rules.isLive(this.#index, record);
    }
    const mayRemove = this.#rules.mayRemove({
      offset: record.offset,
      isFlush: record.kind === RecordKind.flush,
      isPrefix: this.#isPrefix,
      tombstoneRemoveOffset: this.#host.tombstoneRemoveOffset(),
      isFloorPinned: this.#host.isFloorPinned(),
    });
    if (!mayRemove) return true;
    this.#removedFloor = Math.max(this.#removedFloor, record.offset);
    return false;
  }

  /** A new output at a batch boundary when the present one is full. */
  async #outputFor(batch: ScannedBatch): Promise<MergeOutput> {
    const output = this.#output as MergeOutput;
    if (output.length + batch.header.length <= this.#log.settings.segmentBytesMax) return output;
    await this.#finish(batch.header.baseOffset);
    return this.#begin(batch.header.baseOffset);
  }

  async #begin(base: Offset): Promise<MergeOutput> {
    const generation = this.#log.takeGeneration();
    const output = await MergeOutput.create(this.#doors, this.#log.settings, base, generation);
    this.#output = output;
    return output;
  }

  async #finish(end: Offset): Promise<void> {
    const output = this.#output as MergeOutput;
    this.#finished.push(await output.finish(asOffset(end)));
    this.#output = null;
  }

  /** Reads no faster than configured, and looks whether it is still wanted. */
  async #throttle(bytes: number): Promise<void> {
    if (this.#host.isCancelled()) throw new MergeCancelled();
    this.#readBytes += bytes;
    const { bytesPerSecondMax } = this.#settings;
    if (bytesPerSecondMax === 0) return;
    const dueMs = (this.#readBytes / bytesPerSecondMax) * 1000;
    const aheadMs = dueMs - (this.#doors.clock.monotonicMs() - this.#startedAtMs);
    if (aheadMs > 10) await this.#doors.clock.sleep(aheadMs);
  }

  /** Before the manifest may name the outputs: their names are durable, and what kills is (C2, R18). */
  async #prove(): Promise<void> {
    await this.#doors.fileSystem.syncDirectory(this.#doors.directory);
    await this.#host.syncEvidence();
  }

  async #commit(inputs: readonly Segment[]): Promise<Segment[] | null> {
    const outputs: Segment[] = [];
    try {
      await this.#host.exclusively(async () => {
        if (this.#host.isCancelled() || this.#isFloorTaken()) throw new MergeCancelled();
        for (const { entry, path } of this.#finished) outputs.push(await this.#log.admitMerged(entry, path));
        for (const output of outputs) output.hasHint = true;
        await this.#log.exchange(inputs, outputs, this.#removedFloor);
      });
      return outputs;
    } catch (error) {
      await this.#giveBack(outputs, error);
      if (error instanceof MergeCancelled) return null;
      throw error;
    }
  }

  /**
   * If writing the manifest fails nobody knows which one a restart will find, so inputs and outputs both stay on disk: either
   * manifest is whole. A failure before that leaves the outputs nobody's, and they go.
   */
  async #giveBack(outputs: readonly Segment[], error: unknown): Promise<void> {
    const isInDoubt = this.#log.isInDoubtBy(error);
    if (isInDoubt) this.#host.failed?.(error);
    for (const output of outputs) await this.#log.release(output);
    if (!isInDoubt) await this.#abort();
  }

  /**
   * A replica has begun to be built since tombstones were left out. Also where the floor does not rise by it: it may
   * have begun with the value that a tombstone below the floor kills, and its floor check sees nothing of the change
   * (C5).
   */
  #isFloorTaken(): boolean {
    return this.#removedFloor >= 0 && this.#host.isFloorPinned();
  }

  /** Every record that is still the newest is now read from its new place. */
  async #follow(inputs: readonly Segment[], outputs: readonly Segment[]): Promise<void> {
    for (const output of outputs) {
      let at = 0;
      const visit = (record: IndexedRecord): void => {
        while (record.offset >= (inputs[at] as Segment).end) at += 1;
        this.#index.relocate(record, inputs[at] as Segment, output);
      };
      if (!(await visitHint(this.#doors, output, visit))) await this.#visitData(output, visit);
    }
  }

  /** The manifest names the output already, so a hint that does not read back is no way out: the data says the same (C10). */
  async #visitData(output: Segment, visit: (record: IndexedRecord) => void): Promise<void> {
    output.hasHint = false;
    output.batchCount = 0;
    const scan = new BatchScan(output.handle, output.length);
    for await (const batch of scan.batches()) {
      output.batchCount += 1;
      for (const _place of this.#records.of(batch, output.path, this.#record)) {
        visit(this.#record);
        if (this.#slices.isSpent) await this.#slices.rest();
      }
    }
    assertWhole(scan, output);
  }

  async #remove(inputs: readonly Segment[]): Promise<void> {
    for (const input of inputs) {
      if (input.liveBytes !== 0) {
        throw new InvariantError(
          `${input.path}: a merge left ${input.liveBytes} live bytes behind; the file is kept`,
        );
      }
      await this.#log.retire(input);
      await removeIfThere(this.#doors.fileSystem, hintPath(this.#doors.directory, input));
    }
  }

  async #abort(): Promise<void> {
    const output = this.#output;
    const finished = this.#finished;
    this.#output = null;
    this.#finished = [];
    try {
      await output?.abort();
    } finally {
      for (const { entry, path } of finished) {
        await removeIfThere(this.#doors.fileSystem, path);
        await removeIfThere(this.#doors.fileSystem, hintPath(this.#doors.directory, entry));
      }
    }
  }
}

/** The batch with only these records: the same bytes if none is missing, else resealed under the same offsets (R16). */
function rewrite(batch: ScannedBatch, parts: readonly Buffer[], length: number, isSame: boolean): Buffer {
  const { header, bytes, start } = batch;
  if (isSame) return Buffer.from(bytes.subarray(start, start + length));
  const rewritten = Buffer.concat([Buffer.alloc(BATCH_HEADER_BYTES), ...parts], length);
  sealBatch(rewritten, 0, { ...header, flags: header.flags | BatchFlag.merged, length, count: parts.length });
  return rewritten;
}

/** What is listed of a record whose place a snapshot of producers took. */
function toSnapshot(record: IndexedRecord, snapshot: Buffer): void {
  record.kind = RecordKind.producerSnapshot;
  record.flags = 0;
  record.database = 0;
  record.hash = 0;
  record.expiresAtMs = 0;
  record.bytes = snapshot;
  record.keyStart = 0;
  record.keyEnd = 0;
}

function sumLength(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.length, 0);
}
