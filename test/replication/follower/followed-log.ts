import {
  asControllerEpoch,
  asLeaderEpoch,
  asOffset,
  asPartitionVersion,
  type LeaderEpoch,
  type Offset,
} from '../../../src/model/numbers.ts';
import { FollowerCore, type FollowerCoreOptions } from '../../../src/replication/follower/follower-core.ts';
import type {
  FollowedLog,
  FollowerEffect,
  FollowerEvent,
} from '../../../src/replication/follower/follower-types.ts';
import type { FetchOutcome } from '../../../src/replication/messages.ts';
import { RULES } from '../../../src/replication/rules/rules.ts';
import type { EpochEnd, EpochStart } from '../../../src/storage/epoch-cache.ts';

/** A log as far as a follower's decisions go: offsets, and where each epoch began. */
export class ModelLog implements FollowedLog {
  end: number;
  durable: number;
  committed: number;
  epochs: (readonly [epoch: number, start: number])[];

  constructor(end = 0, epochs: readonly (readonly [number, number])[] = [], committed = 0) {
    this.end = end;
    this.durable = end;
    this.committed = committed;
    this.epochs = [...epochs];
  }

  get logEndOffset(): Offset {
    return asOffset(this.end);
  }

  get durableOffset(): Offset {
    return asOffset(this.durable);
  }

  get committedOffset(): Offset {
    return asOffset(this.committed);
  }

  get lastEpoch(): LeaderEpoch {
    return asLeaderEpoch(this.epochs.findLast(([, start]) => start < this.end)?.[0] ?? 0);
  }

  epochEnd(epoch: LeaderEpoch): EpochEnd {
    const index = this.epochs.findLastIndex(([known]) => known <= epoch);
    const found = this.epochs[index];
    if (found === undefined) return { epoch, endOffset: asOffset(this.epochs[0]?.[1] ?? this.end) };
    return { epoch: asLeaderEpoch(found[0]), endOffset: asOffset(this.epochs[index + 1]?.[1] ?? this.end) };
  }

  truncateTo(offset: number): void {
    this.end = Math.min(this.end, offset);
    this.durable = this.end;
    this.epochs = this.epochs.filter(([, start]) => start < offset);
  }
}

type EffectOf<Kind extends FollowerEffect['kind']> = Extract<FollowerEffect, { kind: Kind }>;

/** A core with its log and everything it asked for. The test plays the leader, the disk and the clock. */
export class Follower {
  readonly core: FollowerCore;
  log: ModelLog;
  readonly effects: FollowerEffect[] = [];

  constructor(log: ModelLog, options: Partial<FollowerCoreOptions> = {}) {
    this.log = log;
    this.core = new FollowerCore(RULES, {
      leaderEpoch: asLeaderEpoch(5),
      version: asPartitionVersion(3),
      isUnclean: false,
      mustRebuild: false,
      pollMsMax: 150,
      retryMs: 60,
      firstFetchId: 1,
      ...options,
    });
  }

  step(event: FollowerEvent): FollowerEffect[] {
    const effects = this.core.step(event, this.log);
    this.effects.push(...effects);
    return effects;
  }

  start(): EffectOf<'fetch'> {
    this.step({ kind: 'started' });
    return this.fetch();
  }

  all<Kind extends FollowerEffect['kind']>(kind: Kind): EffectOf<Kind>[] {
    return this.effects.filter((effect): effect is EffectOf<Kind> => effect.kind === kind);
  }

  last<Kind extends FollowerEffect['kind']>(kind: Kind): EffectOf<Kind> {
    const found = this.all(kind).at(-1);
    if (found === undefined) throw new Error(`no ${kind} was asked for`);
    return found;
  }

  /** The newest fetch. */
  fetch(): EffectOf<'fetch'> {
    return this.last('fetch');
  }

  /** The leader answers the newest fetch. */
  reply(
    outcome: FetchOutcome,
    options: { fetchId?: number; epoch?: number; lastEpoch?: number | null } = {},
  ): FollowerEffect[] {
    const lastEpoch = options.lastEpoch ?? null;
    return this.step({
      kind: 'reply',
      fetchId: options.fetchId ?? this.fetch().fetchId,
      leaderEpoch: asLeaderEpoch(options.epoch ?? 5),
      outcome,
      lastEpoch: lastEpoch === null ? null : asLeaderEpoch(lastEpoch),
    });
  }

  /** Data up to `nextOffset`, of the leader's epoch. */
  data(
    nextOffset: number,
    highWatermark: number,
    options: { fetchId?: number; lastEpoch?: number } = {},
  ): FollowerEffect[] {
    return this.reply(dataTo(nextOffset, highWatermark), { lastEpoch: 5, ...options });
  }

  /** So much that more waits at the leader, most likely. */
  muchData(nextOffset: number, highWatermark: number): FollowerEffect[] {
    return this.reply({ ...dataTo(nextOffset, highWatermark), ...MANY_BYTES }, { lastEpoch: 5 });
  }

  nothing(highWatermark: number): FollowerEffect[] {
    return this.reply({ ...dataTo(this.fetch().fetchOffset, highWatermark), ...NO_BYTES });
  }

  /** The append that is under way ends well: everything of it is on disk. */
  written(epoch = 5): FollowerEffect[] {
    const { nextOffset, deferSync } = this.last('append');
    if (!this.log.epochs.some(([known]) => known === epoch)) this.log.epochs.push([epoch, this.log.end]);
    this.log.end = nextOffset;
    if (!deferSync) this.log.durable = nextOffset;
    return this.step({ kind: 'written' });
  }

  truncated(): FollowerEffect[] {
    this.log.truncateTo(this.last('truncate').offset);
    return this.step({ kind: 'truncated' });
  }

  rebuildOpened(): FollowerEffect[] {
    this.log = new ModelLog();
    return this.step({ kind: 'rebuildOpened' });
  }

  committed(): void {
    this.log.committed = Math.max(this.log.committed, this.last('commit').highWatermark);
  }
}

type Data = Extract<FetchOutcome, { result: 'data' }>;

/** Nothing was sent. */
export const NO_BYTES = { bytes: new Uint8Array(0), byteCount: 0 };

/** After so many more waits at the leader, most likely. */
export const MANY_BYTES = { bytes: new Uint8Array(64 * 1024), byteCount: 64 * 1024 };

export function dataTo(nextOffset: number, highWatermark: number, epochs: readonly EpochStart[] = []): Data {
  return {
    result: 'data',
    bytes: Uint8Array.of(1),
    byteCount: 1,
    nextOffset: asOffset(nextOffset),
    epochs,
    highWatermark: asOffset(highWatermark),
    isCurrent: true,
    logStartOffset: asOffset(0),
    removedFloor: -1,
    tombstoneRemoveOffset: asOffset(0),
    partitionVersion: asPartitionVersion(3),
    controllerEpoch: asControllerEpoch(1),
  };
}

export function diverging(epoch: number, endOffset: number): FetchOutcome {
  return { result: 'diverging', epoch: asLeaderEpoch(epoch), endOffset: asOffset(endOffset) };
}
