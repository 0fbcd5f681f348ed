import type { Clock, Timer } from '../../env/clock.ts';
import type { FileSystem } from '../../env/file-system.ts';
import type { Logger } from '../../env/logger.ts';
import { isDiskFull } from '../../model/errors.ts';
import type { Offset } from '../../model/numbers.ts';
import { hintDoorsOf } from '../../storage/hint-file.ts';
import { Maintenance, type MaintenanceSettings } from '../../storage/maintenance.ts';
import type { PartitionStore } from '../../storage/partition-store.ts';
import type { SerialQueue } from '../../storage/serial-queue.ts';

export interface UpkeepSettings {
  readonly maintenance: MaintenanceSettings;
  /** How often to look for segments worth merging. */
  readonly mergeIntervalMs: number;
  readonly flushMode: 'always' | 'interval' | 'os';
  readonly flushIntervalMs: number;
}

export interface UpkeepHost {
  /** True when the partition changes its role, closes, or is fenced: a merge gives up (C13b). */
  isCancelled(): boolean;
  /** R16: no tombstone at or above it may go. */
  tombstoneRemoveOffset(): Offset;
  /** C5: a follower is rebuilt from here. */
  isFloorPinned(): boolean;
  /** A merge met a committed record that cannot be read (C11). */
  corrupt(): void;
  /** Something failed outside of a flush: what the files hold now nobody knows. */
  failed(error: unknown): void;
}

export interface UpkeepDoors {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** META follows the high watermark at this distance while it moves. */
const SAVE_META_MS = 5_000;

/**
 * The work on a led partition that nobody waits for: hints and merges, syncs in intervals, META. No timer runs while
 * nothing is written.
 */
export class Upkeep {
  readonly #settings: UpkeepSettings;
  readonly #host: UpkeepHost;
  readonly #store: PartitionStore;
  readonly #serial: SerialQueue;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #maintenance: Maintenance;
  readonly #timers = new Map<string, Timer>();
  #segmentCount: number;
  #savedOffset: Offset;

  constructor(
    settings: UpkeepSettings,
    host: UpkeepHost,
    store: PartitionStore,
    serial: SerialQueue,
    doors: UpkeepDoors,
  ) {
    this.#settings = settings;
    this.#host = host;
    this.#store = store;
    this.#serial = serial;
    this.#clock = doors.clock;
    this.#logger = doors.logger;
    this.#segmentCount = store.log.segments.length;
    this.#savedOffset = store.committedOffset;
    this.#maintenance = newMaintenance(settings.maintenance, host, store, serial, doors);
  }

  get merges(): number {
    return this.#maintenance.merges;
  }

  start(): void {
    void this.#maintenance.run();
  }

  /** Call after a flush. */
  flushed(): void {
    const segmentCount = this.#store.log.segments.length;
    if (segmentCount > this.#segmentCount) void this.#maintenance.run();
    this.#segmentCount = segmentCount;
    const { maintenance, mergeIntervalMs, flushMode, flushIntervalMs } = this.#settings;
    // Deletes and overwrites make sealed segments worth merging without a roll.
    if (maintenance.enabled) this.#later('merge', mergeIntervalMs, () => void this.#maintenance.run());
    if (flushMode === 'interval') this.#later('sync', flushIntervalMs, () => this.#syncNow());
  }

  /** Call after a commit. */
  committed(): void {
    this.#later('meta', SAVE_META_MS, () => this.#saveMeta());
  }

  /** Rolls, and merges all that is sealed then. */
  async mergeNow(): Promise<void> {
    await this.#serial.run(() => this.#roll());
    await this.#maintenance.mergeAll();
  }

  /** Resolves when the running merge has ended. `isCancelled` is true by now, or everything is to be finished. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    await this.#maintenance.idle;
  }

  /** One timer of a name at a time. */
  #later(name: string, delayMs: number, task: () => void): void {
    if (this.#timers.has(name)) return;
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(name);
      if (!this.#host.isCancelled()) task();
    });
    this.#timers.set(name, timer);
  }

  #syncNow(): void {
    this.#serial.run(() => this.#store.syncNow()).catch((error: unknown) => this.#host.failed(error));
  }

  #saveMeta(): void {
    if (this.#store.committedOffset === this.#savedOffset) return;
    const save = async (): Promise<void> => {
      if (this.#host.isCancelled()) return;
      const { committedOffset } = this.#store;
      await this.#store.saveMeta();
      this.#savedOffset = committedOffset;
    };
    // META is replaced as a whole: an older one costs a longer recovery, no more.
    this.#serial.run(save).catch((error: unknown) => {
      this.#logger.warn({ err: error, directory: this.#store.directory }, 'META was not written');
      if (!this.#host.isCancelled()) this.committed();
    });
  }

  /**
   * A roll that failed after it had replaced the manifest leaves memory and disk at odds about which segment is active:
   * no write may follow. Only a full disk is met before that.
   */
  async #roll(): Promise<void> {
    if (this.#host.isCancelled()) return;
    try {
      await this.#store.rollNow();
    } catch (error) {
      if (!isDiskFull(error)) this.#host.failed(error);
      throw error;
    }
  }
}

function newMaintenance(
  settings: MaintenanceSettings,
  host: UpkeepHost,
  store: PartitionStore,
  serial: SerialQueue,
  doors: UpkeepDoors,
): Maintenance {
  const mergeHost = {
    syncEvidence: () => serial.run(() => store.syncEvidence()),
    committedOffset: () => store.committedOffset,
    tombstoneRemoveOffset: () => host.tombstoneRemoveOffset(),
    isFloorPinned: () => host.isFloorPinned(),
    isCancelled: () => host.isCancelled(),
    corrupt: () => host.corrupt(),
    failed: (error: unknown) => host.failed(error),
    producers: store.producers,
    exclusively: (change: () => Promise<void>) => serial.run(change),
  };
  return new Maintenance(
    hintDoorsOf(doors, store),
    store.log,
    store.index,
    settings,
    mergeHost,
    doors.logger,
  );
}
