import type { Timer } from '../../env/clock.ts';
import type { MonotonicMillis, NodeId, Offset } from '../../model/numbers.ts';
import { minInsyncOf, type PartitionState } from '../../model/partition-state.ts';
import type { Fetch, FetchOutcome, FetchProgress } from '../messages.ts';
import type { ClusterView, EchoedStamp, LeaderRoleOptions } from '../node/leader-role.ts';
import type { FetchServer } from './fetch-server.ts';
import { LeaderCore } from './leader-core.ts';
import type { LeaderEffect, LeaderEvent, LeaderFacts } from './leader-events.ts';

/** What the driver leaves to the partition. */
export interface DriverHost {
  readonly fetches: FetchServer;
  reply(fetch: Fetch, outcome: FetchOutcome): void;
  commit(highWatermark: Offset): void;
  /** R1. */
  appends(accepted: boolean): void;
  /** What was appended may be sealed (R17). */
  epochKnown(): void;
  readsConfirmed(upTo: number): void;
  /** Something happened that a read may have waited for. */
  looked(): void;
}

/** An unanswered proposal is sent again after this. */
const PROPOSAL_RETRY_MS = 200;
/** R16: a replica that was away for longer is rebuilt when it comes back. */
const TOMBSTONE_RETENTION_MS = 24 * 60 * 60_000;
/** C5: a rebuild keeps tombstones from being removed for no longer than this. */
const REBUILD_MS_MAX = 60 * 60_000;

/** Feeds a leader's core with what happens, each event at the instant at which it is handled, and does what the core decides. */
export class LeaderDriver {
  readonly core: LeaderCore;
  readonly #options: LeaderRoleOptions;
  readonly #host: DriverHost;
  #timer: Timer | null = null;
  #leaseSetText = '';
  #isStopped = false;

  constructor(options: LeaderRoleOptions, host: DriverHost) {
    const { settings, rules, store, state, view } = options;
    this.#options = options;
    this.#host = host;
    this.core = new LeaderCore({
      rules,
      self: settings.nodeId,
      incarnation: options.incarnation,
      directoryId: store.directoryId,
      state,
      facts: factsOf(state, view),
      live: view.live,
      lagMsMax: settings.lagMsMax,
      proposalRetryMs: PROPOSAL_RETRY_MS,
      tombstoneRetentionMs: TOMBSTONE_RETENTION_MS,
      rebuildMsMax: REBUILD_MS_MAX,
      epochStartOffset: store.logEndOffset,
      highWatermark: store.committedOffset,
      durableOffset: store.durableOffset,
      logEndOffset: store.logEndOffset,
      mayActAtMs: options.host.mayActFromMs(),
      nowMs: this.#nowMs,
    });
  }

  start(): void {
    this.#lookAtLeaseSet();
    this.#step({ kind: 'tick', nowMs: this.#nowMs });
  }

  /** No event counts any more, and nothing is decided. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Call when a batch is on the own disk. */
  flushed(): void {
    const { durableOffset, sealedOffset: logEndOffset } = this.#options.store;
    this.#step({ kind: 'localDurable', durableOffset, logEndOffset, nowMs: this.#nowMs });
  }

  received(message: Fetch | FetchProgress): void {
    const nowMs = this.#nowMs;
    if (message.kind === 'fetch') {
      this.#step({ kind: 'fetch', fetch: message, log: this.#options.store, nowMs });
    } else {
      this.#step({ kind: 'progress', progress: message, nowMs });
    }
  }

  echoed(stamp: EchoedStamp): void {
    const { uuid, leaderEpoch } = this.core.view.state;
    const { node: from, incarnation: fromIncarnation, sequence, sentAtMs, sentWallMs, leaseMs } = stamp;
    const echo = { from, fromIncarnation, uuid, leaderEpoch, sequence, sentAtMs, sentWallMs, leaseMs };
    this.#step({ kind: 'echo', ...echo, nowMs: this.#nowMs });
    this.#host.looked();
  }

  stateApplied(state: PartitionState, view: ClusterView): void {
    const facts = factsOf(state, view);
    this.#step({ kind: 'stateApplied', state, facts, live: view.live, nowMs: this.#nowMs });
    this.#lookAtLeaseSet();
    this.#host.looked();
  }

  proposalReply(reply: Extract<LeaderEvent, { kind: 'proposalReply' }>['reply']): void {
    this.#step({ kind: 'proposalReply', reply, nowMs: this.#nowMs });
  }

  controllerChanged(): void {
    this.#step({ kind: 'controllerChanged', nowMs: this.#nowMs });
  }

  peerRefused(node: NodeId): void {
    this.#step({ kind: 'peerRefused', node, nowMs: this.#nowMs });
  }

  actInstantChanged(): void {
    this.#step({ kind: 'mayAct', mayActAtMs: this.#options.host.mayActFromMs(), nowMs: this.#nowMs });
    this.#host.looked();
  }

  /** R9. Resolves when the answer has been dealt with; never rejects. */
  async checkVersion(upTo: number): Promise<void> {
    const { state } = this.core.view;
    const { id, version } = state;
    let outcome: 'confirmed' | 'changed' | 'unknown' = 'unknown';
    try {
      outcome = await this.#options.versionCheck.confirm([state]);
    } catch (error) {
      this.#options.logger.warn({ err: error, partition: id }, 'the coordinator did not confirm a read');
    }
    this.#step({ kind: 'versionChecked', version, outcome, upTo, nowMs: this.#nowMs });
  }

  get #nowMs(): MonotonicMillis {
    return this.#options.clock.monotonicMs();
  }

  #step(event: LeaderEvent): void {
    if (this.#isStopped) return;
    for (const effect of this.core.step(event)) {
      if (this.#isStopped) return;
      this.#perform(effect);
    }
  }

  #perform(effect: LeaderEffect): void {
    const { host } = this.#options;
    switch (effect.kind) {
      case 'serve':
      case 'park':
        this.#host.fetches.serve(effect.fetch);
        break;
      case 'reply':
        this.#host.fetches.supersede(effect.fetch);
        this.#host.reply(effect.fetch, effect.outcome);
        break;
      case 'wakeParked':
        this.#host.fetches.release();
        break;
      case 'commit':
        this.#host.commit(effect.highWatermark);
        break;
      case 'propose':
        // Who is being added is waited for, and counts in the lease set, before the proposal leaves (4.3-8).
        this.#lookAtLeaseSet();
        host.propose(effect.proposal);
        break;
      case 'adopt':
        host.adopt(effect.state);
        break;
      case 'wakeAt':
        this.#wakeAt(effect.atMs);
        break;
      case 'suspectSelf':
        host.suspectSelf();
        break;
      case 'appends':
        this.#host.appends(effect.accepted);
        break;
      case 'epochKnown':
        this.#host.epochKnown();
        break;
      case 'readsConfirmed':
        this.#host.readsConfirmed(effect.upTo);
        break;
    }
  }

  #wakeAt(atMs: MonotonicMillis): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(Math.max(0, atMs - this.#nowMs), () => {
      this.#timer = null;
      this.#step({ kind: 'tick', nowMs: this.#nowMs });
      this.#host.looked();
    });
  }

  #lookAtLeaseSet(): void {
    const text = this.core.leaseSet.join();
    if (text === this.#leaseSetText) return;
    this.#leaseSetText = text;
    this.#options.host.leaseSetChanged();
  }
}

const factsOf = (state: PartitionState, { facts }: ClusterView): LeaderFacts => ({
  minInsync: minInsyncOf(state, facts),
  leaseMsMax: facts.leaseMsMax,
});
