import type { Logger } from '../env/logger.ts';
import { CaskadeError } from '../model/errors.ts';
import type { CommittedIndex } from './committed-index.ts';
import { type HintDoors, writeHint } from './hint-file.ts';
import { Merge, type MergeHost, type MergeOutcome, type MergeSettings } from './merge.ts';
import { type MergePlan, type MergePolicy, planMerge, type SegmentShape } from './merge-policy.ts';
import { MERGE_RULES, type MergeRules } from './merge-rules.ts';
import type { Segment } from './segment.ts';
import type { SegmentedLog } from './segmented-log.ts';

export interface MaintenanceSettings extends MergeSettings, Omit<MergePolicy, 'segmentBytesMax'> {
  readonly enabled: boolean;
}

type KeptBytes = Pick<SegmentShape, 'deadBytes' | 'tombstoneBytes'>;

const NOTHING_KEPT: KeptBytes = { deadBytes: 0, tombstoneBytes: 0 };

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
  readonly #rules: MergeRules;
  /** What the last merge of a segment had to keep though it looked like a gain: notes of producers above their snapshot (C13). */
  readonly #keptBytes = new WeakMap<Segment, KeptBytes>();
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
    rules: MergeRules = MERGE_RULES,
  ) {
    this.#doors = doors;
    this.#log = log;
    this.#index = index;
    this.#settings = settings;
    this.#host = host;
    this.#logger = logger;
    this.#rules = rules;
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

  /** Merges all sealed and committed segments, whatever their dead ratio. What is asked for meanwhile is done after it. */
  async mergeAll(): Promise<MergeOutcome | null> {
    await this.run();
    while (this.#round !== null) await this.#round;
    const count = this.#mergeable.length;
    if (count === 0) return null;
    const merge = this.#merge({ first: 0, count });
    const over = (): void => {
      this.#round = null;
      if (this.#again) void this.run();
    };
    this.#round = merge.then(over, over);
    return merge;
  }

  /** Sealed and wholly committed: only these may be merged, or have hints (C2). */
  get #mergeable(): readonly Segment[] {
    const committed = this.#host.committedOffset();
    return this.#log.segments.slice(0, -1).filter(({ end }) => this.#rules.isMergeable(end, committed));
  }

  /**
   * As the policy should see them: tombstones that may not go yet, and what a merge has kept already, are nothing to be
   * gained.
   */
  get #shapes(): readonly SegmentShape[] {
    const limit = this.#host.isFloorPinned() ? 0 : this.#host.tombstoneRemoveOffset();
    return this.#mergeable.map((segment) => {
      const { length, deadBytes, tombstoneBytes, end } = segment;
      const kept = this.#keptBytes.get(segment) ?? NOTHING_KEPT;
      return {
        length,
        deadBytes: Math.max(0, deadBytes - kept.deadBytes),
        tombstoneBytes: end <= limit ? Math.max(0, tombstoneBytes - kept.tombstoneBytes) : 0,
      };
    });
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
    for (const segment of this.#mergeable) {
      if (segment.hasHint || this.#host.isCancelled()) continue;
      await writeHint(this.#doors, segment, this.#index, this.#host.syncEvidence);
    }
  }

  async #mergeWhatIsDue(): Promise<void> {
    // In doubt which files the manifest names, each merge would leave its own behind.
    if (!this.#settings.enabled || this.#log.isInDoubt) return;
    const policy = { ...this.#settings, segmentBytesMax: this.#log.settings.segmentBytesMax };
    let plan = planMerge(this.#shapes, policy);
    while (plan !== null && !this.#host.isCancelled()) {
      const outcome = await this.#merge(plan);
      if (outcome === null) return;
      // Each merge of a round makes the log shorter: that is why the round ends.
      if (outcome.outputBytes >= outcome.inputBytes) {
        this.#noteKept(plan.first, outcome.outputs);
        return;
      }
      plan = planMerge(this.#shapes, policy);
    }
  }

  #noteKept(first: number, count: number): void {
    for (const segment of this.#log.segments.slice(first, first + count)) {
      const { deadBytes, tombstoneBytes } = segment;
      this.#keptBytes.set(segment, { deadBytes, tombstoneBytes });
    }
  }

  async #merge(plan: MergePlan): Promise<MergeOutcome | null> {
    const merge = new Merge(this.#doors, this.#log, this.#index, this.#settings, this.#host, this.#rules);
    const outcome = await merge.run(plan.first, plan.count).catch((error: unknown) => {
      if (error instanceof CaskadeError && error.code === 'corruptSegment') this.#host.corrupt?.();
      throw error;
    });
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
