import { CaskadeError, InvariantError, invariant, isDiskFull } from '../model/errors.ts';
import { asOffset, type Offset } from '../model/numbers.ts';
import type { BatchCommitter } from './batch-committer.ts';
import { assertContinues, splitFetched } from './fetched-batches.ts';
import { FlushFailure } from './flush-failure.ts';
import type { LogMemory } from './log-memory.ts';
import { LogReader } from './log-reader.ts';
import { MetaKeeper } from './meta-keeper.ts';
import type { FlushMode, PlannedCut } from './partition-meta.ts';
import type { OpenedPartition, StoreDoors } from './partition-store.ts';
import type { FetchedBatch, PendingBatch } from './pending-batch.ts';
import { PendingTail } from './pending-tail.ts';
import type { AppendFetchedOptions, LogSlice } from './replica-log.ts';
import type { Segment } from './segment.ts';
import type { SegmentedLog } from './segmented-log.ts';
import { Slices } from './slices.ts';

const NO_BYTES = Buffer.alloc(0);

/** Appended to an array of epochs: nothing began. */
type Epochs = LogSlice['epochs'];

/**
 * The log of one replica with its marks: committed <= durable <= sealed. (In a rebuild, which puts its syncs off,
 * durable stays behind until the end.) What changes the log is called one at a time; `commitTo` and `readLog` at any
 * time.
 */
export class CommitLog {
  readonly log: SegmentedLog;
  readonly keeper: MetaKeeper;
  readonly #directory: string;
  readonly #epochs: OpenedPartition['epochs'];
  readonly #doors: StoreDoors;
  readonly #flushMode: FlushMode;
  readonly #committer: BatchCommitter;
  readonly #tail = new PendingTail();
  readonly #reader: LogReader;
  readonly #memory: LogMemory;
  #committedOffset: Offset;
  #durableOffset: Offset;
  #sealedOffset: Offset;
  /** Some batch was written without the sync that its mode asks for. */
  #isSyncDue = false;
  /** Grows with every cut: a read of the files that was under way says nothing then. */
  #cuts = 0;
  /** What made the log unusable: a write, sync or cut that failed is final (KAFKA-10778). */
  #failure: unknown = null;
  #committing: Promise<void> | null = null;
  #commitTarget: Offset;

  constructor(opened: OpenedPartition, doors: StoreDoors, flushMode: FlushMode, committer: BatchCommitter) {
    this.log = opened.log;
    this.#directory = opened.directory;
    this.#epochs = opened.epochs;
    this.#memory = opened.memory;
    this.#doors = doors;
    this.#flushMode = flushMode;
    this.#committer = committer;
    this.#reader = new LogReader(opened.log);
    this.keeper = new MetaKeeper(doors.fileSystem, opened.directory, opened.meta);
    this.#committedOffset = opened.committedOffset;
    this.#commitTarget = opened.committedOffset;
    this.#durableOffset = opened.logEndOffset;
    this.#sealedOffset = opened.logEndOffset;
    for (const batch of opened.pending) this.#tail.push(batch);
  }

  get committedOffset(): Offset {
    return this.#committedOffset;
  }

  /** Everything below it is committed or about to be: what has to be read back first takes more than one turn. */
  get commitTarget(): Offset {
    return this.#commitTarget;
  }

  get durableOffset(): Offset {
    return this.#durableOffset;
  }

  get sealedOffset(): Offset {
    return this.#sealedOffset;
  }

  get startOffset(): Offset {
    return asOffset(this.log.segments[0]?.base ?? 0);
  }

  // Append

  /**
   * Makes room for the batch. Throws a FlushFailure of stage `reserve`: after a full disk it may be tried again, after
   * anything else never.
   */
  async reserve(batch: Pick<PendingBatch, 'baseOffset' | 'nextOffset' | 'length'>): Promise<void> {
    await this.#beforeWrite(batch, () => this.log.reserve(batch.length, batch.baseOffset));
  }

  /** A leader's sealed batch: fetchable from now on, written and synced when it resolves. */
  async append(batch: PendingBatch, onSealed: () => Promise<void> | null): Promise<void> {
    this.#tail.push(batch);
    this.#sealedOffset = batch.nextOffset;
    const others = onSealed();
    if (others !== null) await others;
    await this.#write(batch, true);
    this.#durableOffset = batch.nextOffset;
  }

  async appendFetched(bytes: Uint8Array, nextOffset: Offset, options: AppendFetchedOptions): Promise<void> {
    const { lastEpoch } = this;
    const place = { directory: this.#directory, logEndOffset: this.#sealedOffset, lastEpoch };
    assertContinues(place, options.fromOffset ?? place.logEndOffset);
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const batches = splitFetched(view, nextOffset, place);
    const epochs = options.epochs ?? [];
    const isSynced = options.deferSync !== true;
    for (const batch of batches) await this.#appendOne(batch, epochs, isSynced);
    if (nextOffset > this.#sealedOffset) await this.#skipTo(nextOffset, epochs);
  }

  /** After a failure: what is not on the disk never happened. */
  dropUnwritten(): void {
    if (this.#failure === null) return;
    this.#tail.truncateTo(this.#durableOffset);
    this.#sealedOffset = this.#durableOffset;
  }

  async roll(): Promise<void> {
    if (this.log.active.batchCount > 0) await this.log.roll(this.#sealedOffset);
  }

  async sync(): Promise<void> {
    const sealed = this.#sealedOffset;
    await this.log.sync();
    if (!this.#isSyncDue) return;
    this.#isSyncDue = false;
    this.#durableOffset = sealed;
  }

  get lastEpoch(): ReturnType<OpenedPartition['epochs']['epochBelow']> {
    return this.#epochs.epochBelow(this.#sealedOffset);
  }

  // Truncate

  async truncateTo(offset: Offset): Promise<void> {
    if (offset < this.#committedOffset) {
      throw new InvariantError(
        `${this.#directory}: a truncation to ${offset}, but ${this.#committedOffset} is committed (I3)`,
      );
    }
    const cut = offset < this.#sealedOffset ? this.#plannedCut(offset) : null;
    try {
      if (cut === null) await this.#epochs.trimTo(offset);
      // META names the cut first, so that a start finishes what a crash leaves half done.
      else await this.keeper.change((meta) => ({ ...meta, cut }));
    } catch (error) {
      // A full disk is met with nothing changed.
      if (!isDiskFull(error)) this.#failure = error;
      throw error;
    }
    if (cut !== null) await this.#cut(cut).catch((error: unknown) => this.#halfCut(cut, error));
  }

  #plannedCut(offset: Offset): PlannedCut {
    const end = asOffset(Math.max(this.#tail.borderAt(offset), this.#committedOffset));
    const target = this.log.segments[this.log.indexAt(end)];
    if (target === undefined) throw new InvariantError(`${this.#directory}: nothing holds offset ${end}`);
    const first = this.#tail.from(end).find(({ segment }) => segment === target.slot);
    return { offset: end, base: target.base, position: first?.position ?? target.length };
  }

  async #cut({ offset, position }: PlannedCut): Promise<void> {
    const end = asOffset(offset);
    // While META was written nothing may have been committed: truncations and commits of a role come one after the other.
    invariant(
      this.#committedOffset <= end,
      `${this.#directory}: committed up to ${this.#committedOffset} while a cut at ${end} was planned (I3)`,
    );
    const index = this.log.indexAt(end);
    const target = this.log.segments[index] as Segment;
    const dropped = this.#tail.truncateTo(end).filter(({ segment }) => segment === target.slot);
    this.#cuts += 1;
    this.#reader.forget();
    this.#sealedOffset = end;
    this.#durableOffset = asOffset(Math.min(this.#durableOffset, end));
    target.batchCount -= dropped.length;
    await this.log.truncate(index, position, end);
    await this.#epochs.trimTo(end);
    await this.keeper.change(({ cut: _done, ...meta }) => meta);
    this.#isSyncDue = false;
    this.#durableOffset = end;
  }

  /** Whatever the cause: what the files hold now only a start finds out. */
  #halfCut(cut: PlannedCut, cause: unknown): never {
    const text = cause instanceof Error ? cause.message : String(cause);
    this.#failure = isDiskFull(cause)
      ? new CaskadeError('diskIo', `${this.#directory}: the cut at ${cut.offset} is half done: ${text}`, {
          cause,
        })
      : cause;
    throw this.#failure;
  }

  // Commit

  commitTo(highWatermark: Offset): Promise<void> | null {
    const target = asOffset(Math.min(highWatermark, this.#sealedOffset));
    if (target > this.#commitTarget) this.#commitTarget = target;
    if (this.#committing !== null) return this.#committing;
    const { first } = this.#tail;
    if (first !== undefined && !this.#committer.isOwn(first) && this.#isMuch(this.#commitTarget)) {
      this.#committing = this.#commitInTurns().finally(() => {
        this.#committing = null;
      });
      return this.#committing;
    }
    for (let batch = first; this.#isDue(batch); batch = this.#tail.first) this.#commit(batch, batch.image);
    this.#settle();
    return null;
  }

  /** Batches that must be read back, or so many that one turn is not enough for them. */
  #isMuch(target: Offset): boolean {
    const { bytes, isWhole } = this.#tail.heldBelow(target);
    return !isWhole || bytes > this.#memory.commitBytesPerTurnMax;
  }

  async #commitInTurns(): Promise<void> {
    const slices = new Slices(this.#doors.clock);
    for (let batch = this.#tail.first; this.#isDue(batch); batch = this.#tail.first) {
      const bytes = batch.image ?? (await this.#committer.load(batch));
      this.#commit(batch, bytes);
      if (slices.isSpentAfter(batch.count)) await slices.rest();
    }
    this.#settle();
  }

  #isDue(batch: PendingBatch | undefined): batch is PendingBatch {
    return batch !== undefined && batch.nextOffset <= this.#commitTarget;
  }

  #commit(batch: PendingBatch, bytes: Buffer | null): void {
    this.#tail.shift();
    this.#committer.commit(batch, bytes);
    this.#committedOffset = batch.nextOffset;
  }

  /** No batch is left below the target: what is above the last one is a gap. */
  #settle(): void {
    const end = this.#tail.first?.baseOffset ?? this.#sealedOffset;
    const reached = Math.min(this.#commitTarget, end);
    if (reached > this.#committedOffset) this.#committedOffset = asOffset(reached);
  }

  // Read

  readLog(offset: Offset, bytesMax: number): LogSlice | Promise<LogSlice> {
    if (offset < this.startOffset || offset > this.#sealedOffset) {
      throw new InvariantError(
        `${this.#directory}: a read at ${offset} of a log from ${this.startOffset} to ${this.#sealedOffset}`,
      );
    }
    if (offset === this.#sealedOffset) return nothingAt(offset);
    const held = this.#tail.slice(offset, bytesMax);
    if (held !== null) {
      const { bytes, nextOffset } = held;
      return { bytes, nextOffset, epochs: this.#epochs.beganIn(offset, nextOffset) };
    }
    return this.#readFiles(offset, bytesMax);
  }

  async #readFiles(offset: Offset, bytesMax: number): Promise<LogSlice> {
    const cuts = this.#cuts;
    const floor = this.log.manifest.removedFloor;
    const limit = this.#tail.heldAbove(offset, this.#sealedOffset);
    try {
      const slice = await this.#reader.read(offset, bytesMax, limit);
      // A merge that took tombstones which the reader needs may have come before the read reached their segment: it
      // must ask again, and be refused (C5).
      const { removedFloor } = this.log.manifest;
      if (cuts !== this.#cuts || (removedFloor !== floor && removedFloor >= offset)) return nothingAt(offset);
      const rest = await this.#afterGap(slice, bytesMax);
      return { ...rest, epochs: this.#epochs.beganIn(offset, rest.nextOffset) };
    } catch (error) {
      if (cuts !== this.#cuts) return nothingAt(offset);
      throw error;
    }
  }

  /** The files had nothing up to where memory begins: whoever reads need not know where that is. */
  async #afterGap(slice: Omit<LogSlice, 'epochs'>, bytesMax: number): Promise<Omit<LogSlice, 'epochs'>> {
    const isAtEnd = slice.nextOffset >= this.#sealedOffset;
    return slice.bytes.length > 0 || isAtEnd ? slice : this.readLog(slice.nextOffset, bytesMax);
  }

  // Inside

  async #appendOne(batch: FetchedBatch, epochs: Epochs, isSynced: boolean): Promise<void> {
    const { baseOffset, leaderEpoch } = batch;
    const known = epochs.filter(
      ({ startOffset }) => startOffset >= this.#sealedOffset && startOffset <= baseOffset,
    );
    const starts = [...known, { epoch: leaderEpoch, startOffset: baseOffset }];
    await this.#beforeWrite(batch, () => this.#epochs.assign(starts, this.lastEpoch, leaderEpoch));
    await this.reserve(batch);
    await this.#write(batch, isSynced);
    this.#tail.push(this.#tail.heldBytes > this.#memory.pendingBytesMax ? batch.withoutImage() : batch);
    this.#sealedOffset = batch.nextOffset;
    if (!this.#isSyncDue) this.#durableOffset = batch.nextOffset;
  }

  /** The leader's log ends in a gap: a new segment remembers how far it reaches. */
  async #skipTo(nextOffset: Offset, epochs: Epochs): Promise<void> {
    const { lastEpoch } = this;
    const known = epochs.filter(({ startOffset }) => startOffset >= this.#sealedOffset);
    const gap = { baseOffset: this.#sealedOffset, nextOffset };
    await this.#beforeWrite(gap, async () => {
      await this.#epochs.assign(known, lastEpoch, known.at(-1)?.epoch ?? lastEpoch);
      await this.log.roll(nextOffset);
    });
    this.#sealedOffset = nextOffset;
    this.#isSyncDue = false;
    this.#durableOffset = nextOffset;
  }

  async #beforeWrite(
    batch: Pick<PendingBatch, 'baseOffset' | 'nextOffset'>,
    prepare: () => Promise<void>,
  ): Promise<void> {
    if (this.#failure !== null) throw new FlushFailure('reserve', batch, this.#failure);
    try {
      await prepare();
    } catch (error) {
      if (!isDiskFull(error)) this.#failure = error;
      throw new FlushFailure('reserve', batch, error);
    }
  }

  async #write(batch: PendingBatch, isSynced: boolean): Promise<void> {
    try {
      await this.log.append(batch);
      if (this.#flushMode !== 'always') return;
      if (isSynced) await this.log.sync();
      else this.#isSyncDue = true;
    } catch (error) {
      this.#failure = error;
      throw new FlushFailure('write', batch, error);
    }
  }
}

function nothingAt(offset: Offset): LogSlice {
  return { bytes: NO_BYTES, nextOffset: offset, epochs: [] };
}
