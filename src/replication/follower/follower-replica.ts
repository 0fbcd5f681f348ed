import { Alarm } from '../../env/alarm.ts';
import type { Clock } from '../../env/clock.ts';
import type { Logger } from '../../env/logger.ts';
import type { Random } from '../../env/random.ts';
import { CaskadeError } from '../../model/errors.ts';
import {
  asLeaderEpoch,
  asOffset,
  type ControllerEpoch,
  type Incarnation,
  type LeaderEpoch,
  type NodeId,
  type Offset,
  type PartitionId,
  type PartitionVersion,
} from '../../model/numbers.ts';
import { readBatchHeader } from '../../storage/format/batch.ts';
import type { ReplicaLog } from '../../storage/replica-log.ts';
import { SerialQueue } from '../../storage/serial-queue.ts';
import type { UpkeepHost } from '../leader/upkeep.ts';
import type { FetchOutcome, FetchReply, PeerMessage } from '../messages.ts';
import { foundNoRoom, RoomWait } from '../room-wait.ts';
import type { ReplicationRules } from '../rules/rules.ts';
import { FollowerCore } from './follower-core.ts';
import type { FollowedLog, FollowerEffect, FollowerEvent } from './follower-types.ts';
import type { WriteGroup } from './write-group.ts';

/** What a follower asks of the replica around it. */
export interface FollowerHost {
  send(to: NodeId, message: PeerMessage): void;
  /** Makes a version durable that this node may then acknowledge under (R17). False: it may not be learned from the leader; the controller will tell. */
  persistVersion(version: PartitionVersion, controllerEpoch: ControllerEpoch): Promise<boolean>;
  /** A fresh and empty directory beside the one that counts; an unfinished one before it is removed (C6). */
  openRebuild(): Promise<ReplicaLog>;
  /** The fresh directory is the one that counts from now on: one rewrite of the node's state. The old one goes. */
  adoptRebuild(): Promise<void>;
  discardRebuild(): Promise<void>;
  /** The coordinator is to be read again. */
  suspectSelf(): void;
  /** Hints, merges and META of the directory that counts; its own steps go through `serial`. Null: there is none yet. */
  newUpkeep(host: UpkeepHost, serial: SerialQueue): FollowerUpkeep | null;
  /** `corrupt`: until `rebuilt`. To be told to the controller again and again. */
  trouble(trouble: 'disk' | 'corrupt'): void;
}

/** What goes on beside the following (`Upkeep`). */
export interface FollowerUpkeep {
  start(): void;
  flushed(): void;
  committed(): void;
  /** Resolves when nothing of it runs; its host says by then that it is cancelled. Not to be awaited within `serial`. */
  stop(): Promise<void>;
}

export interface FollowerReplicaOptions {
  readonly partition: PartitionId;
  readonly uuid: string;
  readonly nodeId: NodeId;
  readonly incarnation: Incarnation;
  readonly leader: NodeId;
  readonly leaderIncarnation: Incarnation;
  readonly leaderEpoch: LeaderEpoch;
  /** Durable in the node's state already. */
  readonly version: PartitionVersion;
  readonly isUnclean: boolean;
  /** Null: nothing usable is here, a rebuild begins. */
  readonly log: ReplicaLog | null;
  readonly firstFetchId: number;
  readonly fetchBytesMax: number;
  readonly pollMsMax: number;
  readonly rules: ReplicationRules;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Shared by all followers of the node. */
  readonly writes: WriteGroup;
  readonly host: FollowerHost;
}

/** A fetch whose reply is overdue, or was a refusal, is sent again after this, and up to half as much for chance. */
const RETRY_MS = 60;

const EMPTY_LOG: FollowedLog = {
  logEndOffset: asOffset(0),
  durableOffset: asOffset(0),
  committedOffset: asOffset(0),
  lastEpoch: asLeaderEpoch(0),
  epochEnd: (epoch) => ({ epoch, endOffset: asOffset(0) }),
};

/** One instant by both clocks: a host that sleeps stops the one and not the other (4.3-9). */
export interface Instant {
  readonly atMs: number;
  /** The wall clock minus the monotonic one. */
  readonly clockGapMs: number;
}

const NEVER: Instant = { atMs: Number.NEGATIVE_INFINITY, clockGapMs: 0 };

function instantOf(clock: Clock): Instant {
  const atMs = clock.monotonicMs();
  return { atMs, clockGapMs: clock.wallMs() - atMs };
}

/**
 * The follower's role of one replica, for one leader in one epoch: carries out what `FollowerCore` decides. What changes the log runs through one serial
 * queue; after each await the role may be over, and then nothing more is sent or begun.
 */
export class FollowerReplica {
  readonly #options: FollowerReplicaOptions;
  readonly #core: FollowerCore;
  readonly #serial = new SerialQueue();
  readonly #room: RoomWait;
  #log: ReplicaLog | null;
  /** Not the directory that counts yet. */
  #isFresh = false;
  #stopped = false;
  readonly #alarm: Alarm;
  #upkeep: FollowerUpkeep | null = null;
  /** Grows when upkeep has to end: a merge that began before gives up (C13b). */
  #upkeepTerm = 0;
  /** Of the last that was told to end. */
  #upkeepEnded: Promise<void> = Promise.resolve();
  #tombstoneRemoveOffset = asOffset(0);
  #fetchSent: Instant;
  #heard: { readonly highWatermark: Offset; readonly asked: Instant } = {
    highWatermark: asOffset(0),
    asked: NEVER,
  };
  #fresh = NEVER;
  #removedFloor = -1;

  constructor(options: FollowerReplicaOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#room = new RoomWait(options.clock);
    this.#fetchSent = instantOf(options.clock);
    this.#alarm = new Alarm(options.clock, () => this.#step({ kind: 'timer' }));
    this.#core = new FollowerCore(options.rules, {
      leaderEpoch: options.leaderEpoch,
      version: options.version,
      isUnclean: options.isUnclean,
      mustRebuild: options.log === null,
      pollMsMax: options.pollMsMax,
      retryMs: RETRY_MS,
      firstFetchId: options.firstFetchId,
    });
  }

  start(): void {
    this.#beginUpkeep();
    this.#step({ kind: 'started' });
  }

  get leaderEpoch(): LeaderEpoch {
    return this.#options.leaderEpoch;
  }

  /** Fetches of a later role of this replica are numbered from here on. */
  get nextFetchId(): number {
    return this.#core.nextFetchId;
  }

  get hasFailed(): boolean {
    return this.#core.hasFailed;
  }

  get isRebuilding(): boolean {
    return this.#core.rebuildId !== 0;
  }

  /** What was committed at the leader at this instant is committed here, by this node's clock; -Infinity: unknown. Of the directory that counts. */
  get caughtUpAt(): Instant {
    return this.isRebuilding ? NEVER : this.#fresh;
  }

  receive(reply: FetchReply): void {
    const { leader, leaderIncarnation, incarnation } = this.#options;
    if (reply.from !== leader || reply.fromIncarnation !== leaderIncarnation) return;
    if (reply.toIncarnation !== incarnation || this.#stopped) return;
    const { fetchId, leaderEpoch, outcome } = reply;
    if (fetchId !== this.#core.awaited) return;
    const lastEpoch = outcome.result === 'data' ? lastEpochOf(outcome.bytes) : null;
    if (outcome.result === 'data') this.#note(outcome);
    this.#step({ kind: 'reply', fetchId, leaderEpoch, outcome, lastEpoch });
    this.#noteFreshness();
  }

  /** A newer version under the same leader and epoch, durable already. */
  versionApplied(version: PartitionVersion): void {
    this.#step({ kind: 'versionDurable', version });
  }

  /** A committed record has rotted: the replica is built anew. */
  logIsCorrupt(): void {
    if (!this.isRebuilding) this.#step({ kind: 'logCorrupt' });
  }

  /** The replica is a member again: what it lost has come anew (R6). Between two changes of the log. Rejects on a full disk, which takes it another time perhaps. */
  async clearLossy(): Promise<void> {
    await this.#serial.run(async () => {
      const log = this.#log;
      if (log === null || log.isWhole || this.#isFresh || this.hasFailed || this.#stopped) return;
      this.#came(await this.#attempt(() => log.clearLossy().then(() => null)));
    });
  }

  /**
   * Ends the role: nothing is fetched any more at once; resolves when nothing touches the log. An unfinished rebuild is removed (C5). A full disk is not waited out here, for the next
   * role waits for this one: where the node's state may name the fresh directory, and cannot be written back, the replica rests until the next start, as after any failure of the disk.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#alarm.cancel();
    this.#room.end();
    await this.#endUpkeep();
    await this.#serial.run(async () => {
      if (!this.#isFresh) return;
      const discard = this.#attempt(() => this.#options.host.discardRebuild().then(() => null));
      this.#came(await discard.catch((error: unknown) => this.#noRoomAtTheEnd(error)));
    });
  }

  #noRoomAtTheEnd(error: unknown): FollowerEvent {
    const text = 'there is no room to give up an unfinished rebuild: the replica rests until the next start';
    this.#options.logger.error({ component: 'follower', err: error }, text);
    return { kind: 'diskFailed' };
  }

  #note(outcome: Extract<FetchOutcome, { result: 'data' }>): void {
    if (outcome.removedFloor > this.#removedFloor) this.#removedFloor = outcome.removedFloor;
    this.#tombstoneRemoveOffset = outcome.tombstoneRemoveOffset;
    // What the leader said was true at some moment after we asked, and perhaps no longer when it arrived.
    if (outcome.isCurrent) this.#heard = { highWatermark: outcome.highWatermark, asked: this.#fetchSent };
  }

  #noteFreshness(): void {
    const { highWatermark, asked } = this.#heard;
    if (this.#log === null || this.#log.committedOffset < highWatermark) return;
    if (asked.atMs > this.#fresh.atMs) this.#fresh = asked;
  }

  #step(event: FollowerEvent): void {
    if (this.#stopped) return;
    for (const effect of this.#core.step(event, this.#log ?? EMPTY_LOG)) this.#do(effect);
  }

  #do(effect: FollowerEffect): void {
    switch (effect.kind) {
      case 'fetch':
        this.#sendFetch(effect);
        break;
      case 'progress':
        this.#sendProgress(effect);
        break;
      case 'append':
        this.#queue(effect.kind, () => this.#append(effect));
        break;
      case 'commit':
        this.#queue(effect.kind, () => this.#commit(effect));
        break;
      case 'truncate':
        this.#queueAfterUpkeep(effect.kind, (term) => this.#truncate(effect, term));
        break;
      case 'openRebuild':
        this.#queueAfterUpkeep(effect.kind, () => this.#openRebuild());
        break;
      case 'finishRebuild':
        this.#queue(effect.kind, () => this.#finishRebuild());
        break;
      case 'persistVersion':
        this.#persistVersion(effect);
        break;
      case 'setTimer':
        this.#setTimer(effect.delayMs);
        break;
      case 'trouble':
        this.#options.logger.error({ component: 'follower', trouble: effect.trouble }, effect.text);
        this.#options.host.trouble(effect.trouble);
        break;
      case 'suspectSelf':
        this.#options.host.suspectSelf();
        break;
      case 'dropped':
        this.#options.logger.warn({ component: 'follower' }, effect.text);
        break;
    }
  }

  #sendFetch(effect: Extract<FollowerEffect, { kind: 'fetch' }>): void {
    const { nodeId, incarnation, partition, uuid, leaderEpoch, leader, fetchBytesMax } = this.#options;
    this.#fetchSent = instantOf(this.#options.clock);
    this.#options.host.send(leader, {
      kind: 'fetch',
      from: nodeId,
      fromIncarnation: incarnation,
      partition,
      uuid,
      directoryId: this.#log?.directoryId ?? '',
      leaderEpoch,
      fetchId: effect.fetchId,
      fetchOffset: effect.fetchOffset,
      durableOffset: effect.durableOffset,
      lastFetchedEpoch: effect.lastFetchedEpoch,
      partitionVersion: effect.partitionVersion,
      rebuildId: effect.rebuildId,
      bytesMax: fetchBytesMax,
    });
  }

  #sendProgress(effect: Extract<FollowerEffect, { kind: 'progress' }>): void {
    const { nodeId, incarnation, partition, uuid, leaderEpoch, leader } = this.#options;
    const directoryId = this.#log?.directoryId ?? '';
    const sender = { from: nodeId, fromIncarnation: incarnation, partition, uuid, directoryId, leaderEpoch };
    const { durableOffset, partitionVersion } = effect;
    this.#options.host.send(leader, { kind: 'fetchProgress', ...sender, durableOffset, partitionVersion });
  }

  /**
   * One change of the log after the other; what is still queued when the role ends is not begun. One that finds no room has changed nothing, and is tried again, unless the log is
   * another one by then: what was meant for the one before would cut, or commit, what nobody looked at.
   */
  #queue(name: string, change: () => Promise<FollowerEvent | null>, log = this.#log): void {
    const attempt = this.#serial.run(async () => {
      if (this.#stopped || this.hasFailed || log !== this.#log) return;
      this.#came(await this.#attempt(change));
    });
    attempt.catch((error: unknown) => {
      this.#options.logger.warn({ component: 'follower', err: error }, 'there is no room: tried again');
      if (!this.#stopped) this.#room.again(name, () => this.#queue(name, change, log));
    });
  }

  /** No merge may run into a change of this kind (C13b); it ends outside of the queue, whose turns it takes itself. `change` is told by which term it was asked for. */
  #queueAfterUpkeep(name: string, change: (term: number) => Promise<FollowerEvent | null>): void {
    const log = this.#log;
    const ended = this.#endUpkeep();
    const term = this.#upkeepTerm;
    void ended.then(() => this.#queue(name, () => change(term), log));
  }

  /**
   * What came of a change. If the role has ended meanwhile nothing goes on, but a failure must be known before the next role begins: that one would take the log
   * for what it was. A fresh directory goes with its role, in whatever state it is.
   */
  #came(event: FollowerEvent | null): void {
    if (event === null) return;
    this.#room.reset();
    if (!this.#stopped) this.#step(event);
    else if (event.kind === 'diskFailed') this.#options.host.trouble('disk');
    else if (event.kind === 'logCorrupt' && !this.#isFresh) this.#options.host.trouble('corrupt');
  }

  /** A failure of ours or of the disk's stops this replica and no other (KAFKA-8346). Rejects where there was no room. */
  async #attempt(change: () => Promise<FollowerEvent | null>): Promise<FollowerEvent | null> {
    try {
      return await change();
    } catch (error) {
      if (foundNoRoom(error)) throw error;
      this.#options.logger.error({ component: 'follower', err: error }, 'a change of the log failed');
      return isCorruption(error) ? { kind: 'logCorrupt' } : { kind: 'diskFailed' };
    }
  }

  async #append(effect: Extract<FollowerEffect, { kind: 'append' }>): Promise<FollowerEvent> {
    const { bytes, fromOffset, nextOffset, epochs, deferSync } = effect;
    try {
      const write = () => this.#writable.appendFetched(bytes, nextOffset, { fromOffset, epochs, deferSync });
      // Nobody waits for what a rebuild writes, and it would hold up the others.
      await (deferSync ? write() : this.#options.writes.run(write));
      this.#upkeep?.flushed();
      return { kind: 'written' };
    } catch (error) {
      // A full disk may have room later; until then this replica falls behind and out of the ISR.
      if (!isCorruption(error) && !foundNoRoom(error)) throw error;
      this.#options.logger.warn({ component: 'follower', err: error }, 'a fetch reply is not written');
      return { kind: 'replyCorrupt' };
    }
  }

  async #commit({ highWatermark }: Extract<FollowerEffect, { kind: 'commit' }>): Promise<null> {
    const log = this.#writable;
    if (highWatermark > log.committedOffset) await log.commitTo(highWatermark);
    this.#noteFreshness();
    this.#upkeep?.committed();
    return null;
  }

  /** `term`: under another one something later stands behind it, which is a rebuild. */
  async #truncate(
    { offset }: Extract<FollowerEffect, { kind: 'truncate' }>,
    term: number,
  ): Promise<FollowerEvent | null> {
    if (term !== this.#upkeepTerm) return null;
    this.#options.logger.info(
      { component: 'follower', offset, logEndOffset: this.#writable.logEndOffset },
      'the log is cut back to where it agrees with the leader',
    );
    await this.#writable.truncateTo(offset);
    if (term === this.#upkeepTerm) this.#beginUpkeep();
    return { kind: 'truncated' };
  }

  async #openRebuild(): Promise<FollowerEvent> {
    this.#options.logger.warn({ component: 'follower' }, 'the replica is built anew from its leader');
    this.#removedFloor = -1;
    this.#log = await this.#options.host.openRebuild();
    this.#isFresh = true;
    return { kind: 'rebuildOpened' };
  }

  /** Everything is on disk, and the log says what it lacks, before the directory counts (C5, C6). */
  async #finishRebuild(): Promise<FollowerEvent> {
    const log = this.#writable;
    await log.raiseRemovedFloor(this.#removedFloor);
    await log.syncNow();
    await log.saveMeta();
    await this.#options.host.adoptRebuild();
    this.#isFresh = false;
    this.#beginUpkeep();
    return { kind: 'rebuilt' };
  }

  #persistVersion({ version, controllerEpoch }: Extract<FollowerEffect, { kind: 'persistVersion' }>): void {
    const { host, logger } = this.#options;
    host.persistVersion(version, controllerEpoch).then(
      (isDurable) => {
        if (isDurable) this.#step({ kind: 'versionDurable', version });
        else {
          // Whoever reigns now will tell, or is cut off: what stands in the coordinator is as good.
          if (!this.#stopped) host.suspectSelf();
          this.#askAgain(version);
        }
      },
      (error: unknown) => {
        logger.error({ component: 'follower', err: error }, 'a version cannot be made durable');
        this.#askAgain(version);
      },
    );
  }

  /** Not at once: the next reply may follow in no time. */
  #askAgain(version: PartitionVersion): void {
    if (!this.#stopped) this.#room.again('version', () => this.#step({ kind: 'versionFailed', version }));
  }

  #setTimer(delayMs: number): void {
    const { clock, random } = this.#options;
    this.#alarm.set(clock.monotonicMs() + delayMs + random.below(RETRY_MS / 2));
  }

  #beginUpkeep(): void {
    if (this.#stopped || this.#isFresh || this.#log === null) return;
    const term = this.#upkeepTerm;
    const host: UpkeepHost = {
      isCancelled: () => term !== this.#upkeepTerm || this.#stopped || this.hasFailed,
      tombstoneRemoveOffset: () => this.#tombstoneRemoveOffset,
      // Nobody is built from a follower.
      isFloorPinned: () => false,
      corrupt: () => this.logIsCorrupt(),
      failed: (error) => {
        this.#options.logger.error({ component: 'follower', err: error }, 'the upkeep of the log failed');
        this.#came({ kind: 'diskFailed' });
      },
    };
    this.#upkeep = this.#options.host.newUpkeep(host, this.#serial);
    this.#upkeep?.start();
  }

  /** Resolves when none runs, also where an earlier call has ended it: who comes second must not overtake who came first. */
  #endUpkeep(): Promise<void> {
    this.#upkeepTerm += 1;
    const upkeep = this.#upkeep;
    this.#upkeep = null;
    if (upkeep !== null) this.#upkeepEnded = upkeep.stop();
    return this.#upkeepEnded;
  }

  get #writable(): ReplicaLog {
    if (this.#log === null) throw new CaskadeError('corruptMetadata', 'there is no log to write to yet');
    return this.#log;
  }
}

function isCorruption(error: unknown): boolean {
  if (!(error instanceof CaskadeError)) return false;
  return error.code === 'corruptSegment' || error.code === 'corruptMetadata' || error.code === 'futureFormat';
}

/** Epoch of the last batch; null: no bytes, or not batches as far as their headers tell. */
function lastEpochOf(bytes: Uint8Array): LeaderEpoch | null {
  let epoch: LeaderEpoch | null = null;
  for (let at = 0; at < bytes.length; ) {
    const header = readBatchHeader(bytes, at, bytes.length);
    if (typeof header === 'string') return null;
    epoch = header.leaderEpoch;
    at += header.length;
  }
  return epoch;
}
