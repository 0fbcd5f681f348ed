import type { Logger } from '../env/logger.ts';
import type { CommittedIndex } from './committed-index.ts';
import { type HintDoors, writeHint } from './hint-file.ts';
import { Merge, type MergeHost, type MergeOutcome, type MergeSettings } from './merge.ts';
import { type MergePlan, type MergePolicy, planMerge } from './merge-policy.ts';
import type { SegmentedLog } from './segmented-log.ts';

export interface MaintenanceSettings extends MergeSettings, Omit<MergePolicy, 'segmentBytesMax'> {
  readonly enabled: boolean;
}

const COMPACT_ENTRIES = 2000;

/**
 * The background work of one partition: hints for sealed segments, merges, compaction of the keydir's arena. One thing at a time;
 * `run` while a round runs makes it go once more.
 */
export class Maintenance {
  readonly #doors: HintDoors;
  readonly #log: SegmentedLog;
  readonly #index: CommittedIndex;
  readonly #settings: MaintenanceSettings;
  readonly #host: MergeHost;
  readonly #logger: Logger;
  #round: Promise<void> | null = null;
  #again = false;
  merges = 0;
  lastOutcome: MergeOutcome | null = null;

  constructor(
    doors: HintDoors,
    log: SegmentedLog,
    index: CommittedIndex,
    settings: MaintenanceSettings,
    host: MergeHost,
    logger: Logger,
  ) {
    this.#doors = doors;
    this.#log = log;
    this.#index = index;
    this.#settings = settings;
    this.#host = host;
    this.#logger = logger;
  }

  /** Does what is due and resolves when nothing is. A failure is logged: the log is whole without it. */
  run(): Promise<void> {
    this.#again = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = null;
    });
    return this.#round;
  }

  /** Resolves when the round that runs now, if any, is over. */
  get idle(): Promise<void> {
    return this.#round ?? Promise.resolve();
  }

  /** Merges all sealed segments, whatever their dead ratio. What is asked for meanwhile is done after it. */
  async mergeAll(): Promise<MergeOutcome | null> {
    await this.run();
    while (this.#round !== null) await this.#round;
    const count = this.#log.segments.length - 1;
    if (count === 0) return null;
    const merge = this.#merge({ first: 0, count });
    const over = (): void => {
      this.#round = null;
      if (this.#again) void this.run();
    };
    this.#round = merge.then(over, over);
    return merge;
  }

  async #rounds(): Promise<void> {
    while (this.#again && !this.#host.isCancelled()) {
      this.#again = false;
      try {
        await this.#writeHints();
        await this.#mergeWhatIsDue();
        await this.#compactKeydirs();
      } catch (error) {
        this.#logger.error(
          { err: error, directory: this.#doors.directory },
          'background work on a partition failed',
        );
      }
    }
  }

  async #writeHints(): Promise<void> {
    for (const segment of this.#log.segments.slice(0, -1)) {
      if (segment.hasHint || this.#host.isCancelled()) continue;
      await writeHint(this.#doors, segment, this.#index, this.#host.syncEvidence);
    }
  }

  async #mergeWhatIsDue(): Promise<void> {
    if (!this.#settings.enabled) return;
    const policy = { ...this.#settings, segmentBytesMax: this.#log.settings.segmentBytesMax };
    let plan = planMerge(this.#log.segments.slice(0, -1), policy);
    while (plan !== null && !this.#host.isCancelled()) {
      if ((await this.#merge(plan)) === null) return;
      plan = planMerge(this.#log.segments.slice(0, -1), policy);
    }
  }

  async #merge(plan: MergePlan): Promise<MergeOutcome | null> {
    const merge = new Merge(this.#doors, this.#log, this.#index, this.#settings, this.#host);
    const outcome = await merge.run(plan.first, plan.count);
    if (outcome === null) return null;
    this.merges += 1;
    this.lastOutcome = outcome;
    this.#logger.info({ ...outcome, directory: this.#doors.directory }, 'merged segments');
    return outcome;
  }

  async #compactKeydirs(): Promise<void> {
    for (const keydir of this.#index.keydirs) {
      while (keydir?.compactStep(COMPACT_ENTRIES) && !this.#host.isCancelled()) {
        await this.#doors.clock.yieldTurn();
      }
    }
  }
}
