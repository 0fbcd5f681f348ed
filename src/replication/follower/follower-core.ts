import {
  asLeaderEpoch,
  asOffset,
  type LeaderEpoch,
  type Offset,
  type PartitionVersion,
} from '../../model/numbers.ts';
import type { FetchOutcome } from '../messages.ts';
import type { ReplicationRules } from '../rules/rules.ts';
import type { FollowedLog, FollowerEffect, FollowerEvent } from './follower-types.ts';

export interface FollowerCoreOptions {
  readonly leaderEpoch: LeaderEpoch;
  /** Durable in the node's state already. */
  readonly version: PartitionVersion;
  /** The leader was elected without a proof that it has everything: truncating below the high watermark is then what it means. */
  readonly isUnclean: boolean;
  /** Nothing usable is here: begin with a rebuild. */
  readonly mustRebuild: boolean;
  /** How long a leader may park a fetch. */
  readonly pollMsMax: number;
  readonly retryMs: number;
  /** Fetches and rebuilds are numbered from here on: above all that this replica used before in this life. */
  readonly firstFetchId: number;
}

type DataOutcome = Extract<FetchOutcome, { result: 'data' }>;
type ReplyEvent = Extract<FollowerEvent, { kind: 'reply' }>;

/** What of the log is being changed now; one at a time. `failed`: nothing, for the rest of this role. */
type Work = 'none' | 'append' | 'truncate' | 'open' | 'finish' | 'failed';

/**
 * After a reply of so many bytes the next fetch leaves before they are on disk, and what is on disk travels apart (R8): more
 * waits at the leader, most likely. After a smaller one the leader seals nothing more before it is on disk here: one message says both.
 */
const EAGER_BYTES_MIN = 64 * 1024;

/** A reply is waited for at most eight times as long as usual. */
const PATIENCE_DOUBLINGS_MAX = 3;

interface Piece extends Pick<DataOutcome, 'bytes' | 'nextOffset' | 'epochs'> {
  /**
   * Where the log is to end when it is written. What lies between this and the first batch is a gap that a merge left
   * at the leader.
   */
  readonly fromOffset: Offset;
}

/**
 * Follows one leader in one epoch (PROTOCOL 2.6): what to fetch, truncate, append, commit and acknowledge. Pure: events
 * in, effects out; the log is only read.
 *
 * Invariants: at most one fetch is awaited, and only its reply is heard; a fetch leaves while at most one earlier piece
 * is being written and none waits; nothing is committed above what this log holds; a diverging reply never moves the
 * high watermark (KAFKA-14704).
 */
export class FollowerCore {
  readonly #rules: ReplicationRules;
  readonly #options: FollowerCoreOptions;
  #work: Work = 'none';
  /** Data that came while an earlier piece was being written. */
  #waiting: Piece | null = null;
  /** The fetch whose reply is awaited; 0: none. */
  #awaited = 0;
  #nextFetchId: number;
  /** Where the next fetch begins: after everything that was received, written or not. */
  #wantedOffset = asOffset(0);
  #wantedEpoch = asLeaderEpoch(0);
  #leaderHighWatermark = asOffset(0);
  /**
   * By the last data reply: what was committed is no more than what it said is committed, or no more than what is here
   * already.
   */
  #isCommittedKnown = false;
  #version: PartitionVersion;
  #versionAsked: PartitionVersion;
  #reportedOffset = -1;
  /** Fetches in a row whose reply did not come in time. */
  #overdueCount = 0;
  /**
   * The leader of this epoch has sent data: up to there the two logs agree. Before that what is on the disk may be a
   * tail of others.
   */
  #isReconciled = false;
  #rebuildId = 0;

  constructor(rules: ReplicationRules, options: FollowerCoreOptions) {
    this.#rules = rules;
    this.#options = options;
    this.#nextFetchId = options.firstFetchId;
    this.#version = options.version;
    this.#versionAsked = options.version;
  }

  /** Not 0 while a fresh directory is filled (C6). */
  get rebuildId(): number {
    return this.#rebuildId;
  }

  /** The fetch whose reply is awaited; 0: none. */
  get awaited(): number {
    return this.#awaited;
  }

  get nextFetchId(): number {
    return this.#nextFetchId;
  }

  get hasFailed(): boolean {
    return this.#work === 'failed';
  }

  step(event: FollowerEvent, log: FollowedLog): FollowerEffect[] {
    if (this.#work === 'failed') return [];
    switch (event.kind) {
      case 'started':
        return this.#options.mustRebuild ? this.#rebuild() : this.#restart(log);
      case 'reply':
        return this.#reply(event, log);
      case 'written':
        return this.#work === 'append' ? this.#written(log) : [];
      case 'replyCorrupt':
        return this.#work === 'append' ? this.#notWritten(log) : [];
      case 'logCorrupt':
        return this.#corrupt('the log cannot be read', log);
      case 'diskFailed':
        return this.#diskFailed();
      case 'truncated':
        return this.#work === 'truncate' ? this.#restart(log) : [];
      case 'rebuildOpened':
        return this.#work === 'open' ? this.#restart(log) : [];
      case 'rebuilt':
        return this.#work === 'finish' ? this.#rebuilt(log) : [];
      case 'versionDurable':
        return this.#versionDurable(event.version, log);
      case 'versionFailed':
        if (event.version === this.#versionAsked) this.#versionAsked = this.#version;
        return [];
      case 'timer':
        return this.#timer(log);
    }
  }

  /** From what the log holds; whatever was on its way is forgotten. */
  #restart(log: FollowedLog): FollowerEffect[] {
    this.#work = 'none';
    this.#forgetReplies(log);
    return this.#fetch(log);
  }

  #forgetReplies(log: FollowedLog): void {
    this.#waiting = null;
    this.#awaited = 0;
    this.#wantedOffset = log.logEndOffset;
    this.#wantedEpoch = log.lastEpoch;
  }

  #fetch(log: FollowedLog): FollowerEffect[] {
    this.#awaited = this.#nextFetchId;
    this.#nextFetchId += 1;
    this.#reportedOffset = log.durableOffset;
    return [
      {
        kind: 'fetch',
        fetchId: this.#awaited,
        fetchOffset: this.#wantedOffset,
        durableOffset: this.#durableOffset(log),
        lastFetchedEpoch: this.#wantedEpoch,
        partitionVersion: this.#version,
        rebuildId: this.#rebuildId,
      },
      { kind: 'setTimer', delayMs: this.#patienceMs },
    ];
  }

  /**
   * A lost reply costs little; but where every reply takes longer than this, none would ever be heard: so it grows
   * after every second one.
   */
  get #patienceMs(): number {
    const { pollMsMax, retryMs } = this.#options;
    return (pollMsMax + retryMs) * 2 ** Math.min(PATIENCE_DOUBLINGS_MAX, this.#overdueCount >> 1);
  }

  /** A directory that does not count yet holds nothing (C6): a crash would lose it whole. */
  #durableOffset(log: FollowedLog): Offset {
    return this.#rebuildId === 0 ? log.durableOffset : asOffset(0);
  }

  #timer(log: FollowedLog): FollowerEffect[] {
    if (this.#awaited !== 0) this.#overdueCount += 1;
    const mayFetch = this.#work === 'none' || (this.#work === 'append' && this.#waiting === null);
    return mayFetch ? this.#fetch(log) : [this.#retry()];
  }

  #retry(): FollowerEffect {
    return { kind: 'setTimer', delayMs: this.#options.retryMs };
  }

  #reply(event: ReplyEvent, log: FollowedLog): FollowerEffect[] {
    if (event.fetchId !== this.#awaited) return [];
    this.#awaited = 0;
    this.#overdueCount = 0;
    const { outcome } = event;
    // Only who leads in our epoch may change our log; anybody else is asked again later.
    const isOurs = event.leaderEpoch === this.#options.leaderEpoch;
    if (isOurs && outcome.result === 'data') return this.#data(outcome, event.lastEpoch, log);
    if (isOurs && outcome.result === 'diverging') return this.#diverging(outcome, log);
    if (isOurs && (outcome.result === 'resync' || outcome.result === 'outOfRange')) return this.#resync();
    const knowsMore = event.leaderEpoch > this.#options.leaderEpoch;
    return knowsMore ? [{ kind: 'suspectSelf' }, this.#retry()] : [this.#retry()];
  }

  #data(outcome: DataOutcome, lastEpoch: LeaderEpoch | null, log: FollowedLog): FollowerEffect[] {
    const { bytes, nextOffset, epochs } = outcome;
    const isReadable = this.#rules.arrivedWhole(outcome) && (bytes.length === 0 || lastEpoch !== null);
    if (nextOffset < this.#wantedOffset || !isReadable) return this.#unreadable();
    this.#isReconciled = true;
    this.#leaderHighWatermark = asOffset(Math.max(this.#leaderHighWatermark, outcome.highWatermark));
    // Empty: everything that was sealed at the leader is here, whatever of it is committed.
    this.#isCommittedKnown = outcome.isCurrent || nextOffset === this.#wantedOffset;
    const effects = this.#askVersion(outcome);
    if (nextOffset === this.#wantedOffset) return [...effects, ...this.#nothingNew(log)];
    const fromOffset = this.#wantedOffset;
    this.#wantedOffset = nextOffset;
    // An empty reply leaves the epoch as it is (KAFKA-15510), unless an epoch began in the gap that it moved the offset over.
    this.#wantedEpoch = asLeaderEpoch(Math.max(lastEpoch ?? this.#wantedEpoch, epochs.at(-1)?.epoch ?? 0));
    const piece = { bytes, fromOffset, nextOffset, epochs };
    if (this.#work === 'append') {
      this.#waiting = piece;
      return effects;
    }
    const isMuch = bytes.length >= EAGER_BYTES_MIN;
    return [...effects, ...this.#append(piece), ...(isMuch ? this.#fetch(log) : [])];
  }

  #askVersion({ partitionVersion: version, controllerEpoch }: DataOutcome): FollowerEffect[] {
    if (version <= this.#versionAsked) return [];
    this.#versionAsked = version;
    return [{ kind: 'persistVersion', version, controllerEpoch }];
  }

  #nothingNew(log: FollowedLog): FollowerEffect[] {
    const effects = this.#commit(log);
    if (this.#work === 'append') return [...effects, ...this.#fetch(log)];
    return [...effects, ...(this.#isRebuildComplete ? this.#finish() : this.#fetch(log))];
  }

  #append(piece: Piece): FollowerEffect[] {
    this.#work = 'append';
    const { bytes, fromOffset, nextOffset, epochs } = piece;
    return [{ kind: 'append', bytes, fromOffset, nextOffset, epochs, deferSync: this.#rebuildId !== 0 }];
  }

  #written(log: FollowedLog): FollowerEffect[] {
    this.#work = 'none';
    const effects = this.#commit(log);
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) return [...effects, ...this.#append(waiting), ...this.#fetch(log)];
    if (this.#isRebuildComplete) return [...effects, ...this.#finish()];
    return [...effects, ...(this.#awaited === 0 ? this.#fetch(log) : this.#progress(log))];
  }

  #progress(log: FollowedLog): FollowerEffect[] {
    if (log.durableOffset === this.#reportedOffset || this.#rebuildId !== 0) return [];
    this.#reportedOffset = log.durableOffset;
    return [{ kind: 'progress', durableOffset: log.durableOffset, partitionVersion: this.#version }];
  }

  #commit(log: FollowedLog): FollowerEffect[] {
    // A rebuild has nothing on disk before its end, and nothing of it counts before.
    const held = this.#rebuildId === 0 ? log.durableOffset : log.logEndOffset;
    const highWatermark = this.#rules.followerHighWatermark({
      current: log.committedOffset,
      logEndOffset: held,
      outcome: { result: 'data', highWatermark: this.#leaderHighWatermark },
    });
    return highWatermark > log.committedOffset ? [{ kind: 'commit', highWatermark }] : [];
  }

  #diverging(outcome: Extract<FetchOutcome, { result: 'diverging' }>, log: FollowedLog): FollowerEffect[] {
    // The piece that is being written was asked for from where the logs still agreed: ask again once it is there.
    if (this.#work === 'append') return [this.#retry()];
    const { kind, offset } = this.#rules.truncationPoint({
      endOffset: outcome.endOffset,
      ownEndOffset: log.epochEnd(outcome.epoch).endOffset,
      logEndOffset: log.logEndOffset,
      highWatermark: log.committedOffset,
    });
    if (kind === 'truncate') {
      this.#work = 'truncate';
      return [{ kind: 'truncate', offset }];
    }
    if (this.#options.isUnclean) return this.#rebuild();
    const text = `the leader's log parts from ours at offset ${offset}, below the high watermark ${log.committedOffset}`;
    return [{ kind: 'trouble', trouble: 'corrupt', text }, ...this.#rebuild()];
  }

  #corrupt(text: string, log: FollowedLog): FollowerEffect[] {
    this.#forgetReplies(log);
    return [{ kind: 'trouble', trouble: 'corrupt', text }, ...this.#rebuild()];
  }

  /** The leader may have removed tombstones that we never saw (C5), or lost the beginning that we lack. */
  #resync(): FollowerEffect[] {
    return this.#rebuild();
  }

  /** Each attempt has a number of its own and begins from nothing (C5). */
  #rebuild(): FollowerEffect[] {
    this.#work = 'open';
    this.#waiting = null;
    this.#awaited = 0;
    // KAFKA-9491: the log begins anew, and so does what is known to be committed.
    this.#leaderHighWatermark = asOffset(0);
    this.#isCommittedKnown = false;
    this.#rebuildId = this.#nextFetchId;
    this.#nextFetchId += 1;
    return [{ kind: 'openRebuild' }];
  }

  /**
   * Everything that was committed when the leader answered last is here, and so all that it had removed tombstones of.
   * A new leader's high watermark may be below what an earlier one has committed: alone it proves nothing (L4).
   */
  get #isRebuildComplete(): boolean {
    if (this.#rebuildId === 0 || !this.#isCommittedKnown) return false;
    return this.#wantedOffset >= this.#leaderHighWatermark;
  }

  #finish(): FollowerEffect[] {
    this.#work = 'finish';
    this.#awaited = 0;
    return [{ kind: 'finishRebuild' }];
  }

  #rebuilt(log: FollowedLog): FollowerEffect[] {
    this.#rebuildId = 0;
    return this.#restart(log);
  }

  #versionDurable(version: PartitionVersion, log: FollowedLog): FollowerEffect[] {
    if (version <= this.#version) return [];
    this.#version = version;
    if (version > this.#versionAsked) this.#versionAsked = version;
    // The next fetch says it, and is checked.
    if (this.#rebuildId !== 0 || !this.#isReconciled) return [];
    return [{ kind: 'progress', durableOffset: log.durableOffset, partitionVersion: version }];
  }

  /**
   * Of a reply that came before it, one piece may be being written and one wait: it is asked for again from where it
   * was to begin.
   */
  #unreadable(): FollowerEffect[] {
    return [dropped('it cannot be read'), this.#retry()];
  }

  /** Of the piece that was being written: what waits behind it would leave a gap. */
  #notWritten(log: FollowedLog): FollowerEffect[] {
    this.#work = 'none';
    this.#forgetReplies(log);
    return [dropped('its bytes do not check'), this.#retry()];
  }

  /** Nothing more is asked for: who cannot write must leave the ISR, and not look alive in it (KAFKA-7837). */
  #diskFailed(): FollowerEffect[] {
    this.#work = 'failed';
    this.#awaited = 0;
    return [{ kind: 'trouble', trouble: 'disk', text: 'the disk of this replica has failed' }];
  }
}

const dropped = (why: string): FollowerEffect => ({
  kind: 'dropped',
  text: `a fetch reply is dropped: ${why}`,
});
