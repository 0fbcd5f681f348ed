import type { Clock } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import { CaskadeError } from '../../model/errors.ts';
import {
  asOffset,
  type DatabaseId,
  type EpochMillis,
  type LeaderEpoch,
  type NodeId,
  type Offset,
  type PartitionId,
} from '../../model/numbers.ts';
import type { BlockCache } from '../../storage/block-cache.ts';
import type { Flushable, FlushScheduler } from '../../storage/flush-scheduler.ts';
import { Maintenance, type MaintenanceSettings } from '../../storage/maintenance.ts';
import { FlushFailure, type PartitionStore } from '../../storage/partition-store.ts';
import { SerialQueue } from '../../storage/serial-queue.ts';
import {
  type CommitListener,
  type EntryView,
  type KeyView,
  type LeaderPartition,
  type PartitionStats,
  ReadOutcome,
  type ScannedKey,
  TombstoneReason,
} from '../leader-partition.ts';
import { highWatermark } from '../rules/high-watermark.ts';
import { CommitListeners } from './commit-listeners.ts';
import { Congestion } from './congestion.ts';
import { DueKeys } from './due-keys.ts';
import { ExpirySweeper } from './expiry-sweeper.ts';
import { ResolutionQueue } from './resolution-queue.ts';
import { type StallTarget, StallWatch } from './stall-watch.ts';
import { WriteGate } from './write-gate.ts';

export interface PartitionSettings {
  readonly id: PartitionId;
  readonly nodeId: NodeId;
  readonly leaderEpoch: LeaderEpoch;
  readonly minInsync: number;
  /** A write that is not committed by then is in doubt. */
  readonly writeTimeoutMs: number;
  /** How often to look for segments worth merging. */
  readonly mergeIntervalMs: number;
  readonly flushIntervalMs: number;
  readonly flushMode: 'always' | 'interval' | 'os';
  readonly maintenance: MaintenanceSettings;
}

export interface PartitionDoors {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cache: BlockCache;
  readonly scheduler: FlushScheduler;
  readonly fileSystem: ConstructorParameters<typeof Maintenance>[0]['fileSystem'];
}

const NO_READS = {
  byLease: 0,
  byReadIndex: 0,
  byVersionCheck: 0,
  refused: 0,
  leaseRemainingMs: Number.POSITIVE_INFINITY,
};
const NO_ERROR = new CaskadeError('tryAgain', 'nothing was refused');

/**
 * One partition in the leader's role. On one node the ISR is {self} and the high watermark is what this node has on disk; everything
 * else is as it is with followers.
 *
 * All appends and look-ups are synchronous. What awaits (flush, roll, the exchange of merged segments) goes through one serial queue.
 */
export class Partition implements LeaderPartition, Flushable, StallTarget {
  readonly id: PartitionId;
  readonly leaderEpoch: LeaderEpoch;
  suspension: Promise<void> = Promise.resolve();
  refusal: CaskadeError = NO_ERROR;

  readonly #settings: PartitionSettings;
  readonly #doors: PartitionDoors;
  readonly #store: PartitionStore;
  readonly #serial = new SerialQueue();
  readonly #resolutions = new ResolutionQueue();
  readonly #maintenance: Maintenance;
  readonly #sweeper: ExpirySweeper;
  readonly #listeners = new CommitListeners(this);
  readonly #gate: WriteGate;
  readonly #congestion = new Congestion();
  readonly #stallWatch: StallWatch;
  #highWatermark: Offset;
  #durableOffsets: Offset[];
  #flushRequested = false;
  #isClosing = false;
  #isMergeDue = false;
  #segmentCount: number;
  #lastSyncMs = 0;
  #expiredKeys = 0;
  #flushes = 0;

  constructor(settings: PartitionSettings, store: PartitionStore, doors: PartitionDoors, sweepKey: KeyView) {
    this.id = settings.id;
    this.leaderEpoch = settings.leaderEpoch;
    this.#settings = settings;
    this.#doors = doors;
    this.#store = store;
    this.#highWatermark = store.durableOffset;
    this.#durableOffsets = [store.durableOffset];
    this.#segmentCount = store.log.segments.length;
    this.#sweeper = this.#newSweeper(sweepKey);
    this.#gate = this.#newGate();
    this.#stallWatch = new StallWatch(doors.clock, this, settings.writeTimeoutMs);
    this.#maintenance = this.#newMaintenance();
  }

  /** Begins the background work; the partition may be used before. */
  start(): void {
    this.#sweeper.look();
    void this.#maintenance.run();
  }

  get highWatermark(): Offset {
    return this.#highWatermark;
  }

  get durableOffset(): Offset {
    return this.#store.durableOffset;
  }

  get hasUnflushed(): boolean {
    return this.#store.hasUnflushed;
  }

  hash(bytes: Uint8Array, start: number, end: number): number {
    return this.#store.hash(bytes, start, end);
  }

  get congestion(): Promise<void> | null {
    return this.#congestion.relief;
  }

  // Reads

  readCommitted(database: DatabaseId, key: KeyView, entry: EntryView, withValue: boolean): ReadOutcome {
    try {
      if (!this.#store.readCommitted(database, key, entry, withValue))
        return this.#suspend(this.#store.loaded);
    } catch (error) {
      return this.#refuseRead(error);
    }
    if (entry.expiresAtMs === 0 || entry.expiresAtMs > this.#doors.clock.wallMs()) return ReadOutcome.ready;
    return this.#awaitExpiry(database, key);
  }

  readAppended(database: DatabaseId, key: KeyView, entry: EntryView, withValue: boolean): ReadOutcome {
    try {
      if (!this.#store.readAppended(database, key, entry, withValue))
        return this.#suspend(this.#store.loaded);
    } catch (error) {
      return this.#refuseRead(error);
    }
    if (entry.expiresAtMs === 0 || entry.expiresAtMs > this.#doors.clock.wallMs()) return ReadOutcome.ready;
    entry.offset = this.#appendExpired(database, key);
    entry.uncommittedOffset = entry.offset;
    entry.found = false;
    entry.expiresAtMs = 0;
    return ReadOutcome.ready;
  }

  confirmRead(_arrival: number): ReadOutcome {
    return ReadOutcome.ready;
  }

  // Appends

  writeRefusal(): CaskadeError | null {
    return this.#gate.refusal;
  }

  beginGroup(): void {
    this.#store.beginGroup();
  }

  endGroup(): void {
    this.#store.endGroup();
  }

  put(
    database: DatabaseId,
    key: KeyView,
    value: Uint8Array,
    start: number,
    end: number,
    expiresAtMs: EpochMillis,
  ): Offset {
    const offset = this.#store.put(database, key, value, start, end, expiresAtMs);
    this.#requestFlush();
    return offset;
  }

  remove(database: DatabaseId, key: KeyView, reason: TombstoneReason): Offset {
    const offset = this.#store.remove(database, key, reason);
    this.#requestFlush();
    return offset;
  }

  changeExpiry(database: DatabaseId, key: KeyView, expiresAtMs: EpochMillis): Offset {
    const offset = this.#store.changeExpiry(database, key, expiresAtMs);
    this.#requestFlush();
    return offset;
  }

  flushDatabase(database: DatabaseId): Offset {
    const offset = this.#store.flushDatabase(database);
    this.#requestFlush();
    return offset;
  }

  listen(listener: CommitListener): void {
    this.#listeners.add(listener, asOffset(this.#store.logEndOffset - 1));
  }

  whenResolved(offset: Offset): Promise<void> {
    if (offset < this.#highWatermark || this.isFenced || offset >= this.#store.logEndOffset) {
      return Promise.resolve();
    }
    return this.#resolutions.wait(offset);
  }

  async whenFlushed(offset: Offset): Promise<void> {
    await this.whenResolved(offset);
  }

  // Keys

  keyCount(database: DatabaseId): number {
    return this.#store.index.keydir(database)?.size ?? 0;
  }

  expiringKeyCount(database: DatabaseId): number {
    return this.#store.index.keydir(database)?.expiringCount ?? 0;
  }

  scan(database: DatabaseId, position: number, countMax: number, visit: ScannedKey): number {
    return this.#store.index.keydir(database)?.scan(position, countMax, visit) ?? 0;
  }

  // Flush: called by the scheduler

  async flushOne(): Promise<void> {
    try {
      await this.#serial.run(() => this.#flush());
    } catch (error) {
      this.#fence(error);
    }
    if (!this.#store.hasUnflushed) this.#flushRequested = false;
  }

  // The write deadline: called by the stall watch

  get isWaiting(): boolean {
    return this.#highWatermark < this.#store.logEndOffset && !this.isFenced;
  }

  stalled(afterMs: number): void {
    const reason = `the disk has not answered for ${afterMs} ms`;
    this.#gate.stall(new CaskadeError('overloaded', `Partition ${this.id} takes no writes now: ${reason}`));
    this.#listeners.doubtAll(this.#highWatermark, reason);
    this.#resolutions.resolveAll();
    this.#congestion.end();
  }

  // Life

  async mergeNow(): Promise<void> {
    await this.#serial.run(() => this.#rollForMerge());
    await this.#maintenance.mergeAll();
  }

  /** Flushes what was appended, stops the background work, and leaves a directory that was closed cleanly. */
  async close(): Promise<void> {
    this.#gate.shut();
    this.#sweeper.stop();
    while (this.#store.hasUnflushed && !this.isFenced) await this.flushOne();
    this.#isClosing = true;
    await this.#maintenance.idle;
    await this.#serial.run(async () => {
      if (this.isFenced) await this.#store.abandon();
      else await this.#store.close();
    });
  }

  get isFenced(): boolean {
    return this.#gate.isFenced;
  }

  stats(): PartitionStats {
    const { log, index } = this.#store;
    const { cache } = this.#doors;
    return {
      leaderEpoch: this.leaderEpoch,
      logStartOffset: asOffset(log.segments[0]?.base ?? 0),
      logEndOffset: this.#store.logEndOffset,
      highWatermark: this.#highWatermark,
      isr: [this.#settings.nodeId],
      keyCount: index.keydirs.reduce((sum, keydir) => sum + (keydir?.size ?? 0), 0),
      segmentCount: log.segments.length,
      segmentBytes: log.bytes,
      deadBytes: log.deadBytes,
      cacheHits: cache.hits,
      cacheMisses: cache.misses,
      cacheBytes: cache.bytes,
      keydirBytes: index.memoryBytes,
      expiredKeys: this.#expiredKeys,
      expiryLagMs: this.#sweeper.lagMs,
      merges: this.#maintenance.merges,
      flushes: this.#flushes,
      unflushedBytes: this.#store.unflushedBytes,
      fencedReason: this.isFenced ? (this.#gate.refusal?.message ?? '') : '',
      reads: NO_READS,
    };
  }

  // Inside

  #suspend(until: Promise<void>): ReadOutcome {
    this.suspension = until;
    return ReadOutcome.suspended;
  }

  #refuseRead(error: unknown): ReadOutcome {
    if (!(error instanceof CaskadeError)) throw error;
    this.#doors.logger.error({ err: error, partition: this.id }, 'a read failed');
    this.refusal = error;
    return ReadOutcome.refused;
  }

  /** A due key is shown neither as there nor as gone before its tombstone is committed (R4). */
  #awaitExpiry(database: DatabaseId, key: KeyView): ReadOutcome {
    const refused = this.#gate.refusal;
    if (refused !== null) {
      this.refusal = refused;
      return ReadOutcome.refused;
    }
    let newest = this.#store.newestUncommitted(database, key);
    if (newest < 0) newest = this.#appendExpired(database, key);
    return this.#suspend(this.whenResolved(asOffset(newest)));
  }

  #appendExpired(database: DatabaseId, key: KeyView): Offset {
    this.#expiredKeys += 1;
    return this.remove(database, key, TombstoneReason.expired);
  }

  /**
   * A roll that failed after it had replaced the manifest leaves memory and disk at odds about which segment is active: no write may
   * follow. Only a full disk is met before that.
   */
  async #rollForMerge(): Promise<void> {
    if (this.isFenced || this.#isClosing) return;
    try {
      await this.#store.rollNow();
    } catch (error) {
      if (asCaskadeError(error).code !== 'diskFull') this.#fence(error);
      throw error;
    }
  }

  #requestFlush(): void {
    this.#congestion.appended(this.#store.unflushedBytes);
    if (this.#flushRequested) return;
    this.#flushRequested = true;
    this.#stallWatch.look();
    this.#doors.scheduler.request(this);
  }

  async #flush(): Promise<void> {
    if (this.isFenced) {
      this.#store.discardUnwritten();
      return;
    }
    try {
      await this.#store.flushOne();
    } catch (error) {
      if (!(error instanceof FlushFailure)) throw error;
      this.#flushFailed(error);
      return;
    }
    this.#flushes += 1;
    this.#advance();
    this.#afterFlush();
  }

  #advance(): void {
    this.#durableOffsets[0] = this.#store.durableOffset;
    const next = highWatermark({
      current: this.#highWatermark,
      isrSize: 1,
      minInsync: this.#settings.minInsync,
      durableOffsets: this.#durableOffsets,
    });
    if (next === this.#highWatermark) return;
    this.#store.commitTo(next);
    this.#highWatermark = next;
    this.#gate.endStall();
    this.#listeners.committed(next);
    this.#resolutions.resolveBelow(next);
    this.#sweeper.look();
  }

  #afterFlush(): void {
    this.#congestion.flushed(this.#store.unflushedBytes);
    const segmentCount = this.#store.log.segments.length;
    if (segmentCount > this.#segmentCount) void this.#maintenance.run();
    this.#segmentCount = segmentCount;
    this.#mergeAfterWhile();
    this.#syncInIntervals();
  }

  /** Deletes and overwrites make sealed segments worth merging without a roll. No timer while nothing is written. */
  #mergeAfterWhile(): void {
    if (this.#isMergeDue || !this.#settings.maintenance.enabled) return;
    this.#isMergeDue = true;
    this.#doors.clock.setTimer(this.#settings.mergeIntervalMs, () => {
      this.#isMergeDue = false;
      if (!this.#isClosing && !this.isFenced) void this.#maintenance.run();
    });
  }

  /** flush: interval: the log is synced every so often, and acknowledged before. */
  #syncInIntervals(): void {
    const { flushMode, flushIntervalMs } = this.#settings;
    if (flushMode !== 'interval' || this.#lastSyncMs > 0) return;
    this.#lastSyncMs = this.#doors.clock.monotonicMs();
    this.#doors.clock.setTimer(flushIntervalMs, () => {
      this.#lastSyncMs = 0;
      if (this.#isClosing || this.isFenced) return;
      this.#serial.run(() => this.#store.syncNow()).catch((error: unknown) => this.#fence(error));
    });
  }

  /**
   * Nothing of the batch was written when making room for it failed: it is refused, and so is what came after it. Once the
   * write had begun nobody can say: in doubt, and the partition is fenced (R22, R24, KAFKA-10778).
   */
  #flushFailed(failure: FlushFailure): void {
    const error = asCaskadeError(failure.cause);
    if (failure.stage === 'write') {
      this.#giveUp(failure.firstOffset, failure.nextOffset, this.#gate.fence(error));
    } else if (error.code === 'diskFull') {
      this.#gate.refuseUntilRoom(error);
      this.#giveUp(failure.firstOffset, failure.firstOffset, error);
    } else {
      this.#giveUp(failure.firstOffset, failure.firstOffset, this.#gate.fence(error));
    }
  }

  /** Something failed outside of a flush: what is on disk and not committed is in doubt. */
  #fence(error: unknown): void {
    const refusal = this.#gate.fence(asCaskadeError(error));
    this.#giveUp(this.#highWatermark, this.#store.durableOffset, refusal);
  }

  #giveUp(firstOffset: Offset, refusedFrom: Offset, error: CaskadeError): void {
    this.#store.discardUnwritten();
    this.#listeners.giveUp(firstOffset, refusedFrom, error);
    this.#resolutions.resolveAll();
    this.#congestion.end();
  }

  #newSweeper(key: KeyView): ExpirySweeper {
    const isBusy = (): boolean => this.#gate.refusal !== null || this.congestion !== null;
    const host = {
      get isBusy() {
        return isBusy();
      },
      appendExpired: (database: DatabaseId, due: KeyView) => void this.#appendExpired(database, due),
    };
    return new ExpirySweeper(this.#doors.clock, new DueKeys(this.#store, host, key));
  }

  #newGate(): WriteGate {
    const host = {
      id: this.id,
      probeRoom: () => this.#serial.run(() => this.#store.probeRoom()),
      reopened: () => this.#sweeper.look(),
      failed: (error: unknown) => this.#fence(error),
    };
    return new WriteGate(host, this.#doors.clock, this.#doors.logger);
  }

  #newMaintenance(): Maintenance {
    const store = this.#store;
    const hintDoors = {
      fileSystem: this.#doors.fileSystem,
      clock: this.#doors.clock,
      directory: store.directory,
      hasher: store.hasher,
      hashSeed: store.meta.hashSeed,
    };
    const host = {
      syncEvidence: () => this.#serial.run(() => store.syncEvidence()),
      isCancelled: () => this.#isClosing || this.isFenced,
      exclusively: (change: () => Promise<void>) => this.#serial.run(change),
    };
    const { maintenance } = this.#settings;
    return new Maintenance(hintDoors, store.log, store.index, maintenance, host, this.#doors.logger);
  }
}

function asCaskadeError(error: unknown): CaskadeError {
  if (error instanceof CaskadeError) return error;
  return new CaskadeError('diskIo', error instanceof Error ? error.message : String(error), { cause: error });
}
