import type { ProposedMember } from '../../model/control-messages.ts';
import { invariant } from '../../model/errors.ts';
import {
  asMonotonicMillis,
  type Incarnation,
  type LeaderEpoch,
  type MonotonicMillis,
  type NodeId,
  type Offset,
} from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { Fetch } from '../messages.ts';
import type { FetchRefusal } from '../rules/fetch-check.ts';
import type { ReplicationRules } from '../rules/rules.ts';
import type { LeaderView, LogSnapshot } from '../rules/types.ts';
import { FollowerBook } from './follower-book.ts';
import { nextDeadline } from './leader-deadlines.ts';
import type { LeaderEffect, LeaderEvent, LeaderFacts } from './leader-events.ts';
import { LEADER_INVARIANTS } from './leader-invariants.ts';

export interface LeaderCoreSettings {
  readonly rules: ReplicationRules;
  readonly self: NodeId;
  readonly incarnation: Incarnation;
  readonly directoryId: string;
  /** Names `self` as the leader. Its version is durable here. */
  readonly state: PartitionState;
  readonly facts: LeaderFacts;
  readonly live: ReadonlyMap<NodeId, Incarnation>;
  readonly lagMsMax: number;
  /** After so long without an answer a proposal is sent again. */
  readonly proposalRetryMs: number;
  /** R16: a replica that was away for longer no longer keeps tombstones from being removed. */
  readonly tombstoneRetentionMs: number;
  /** C5: so long may a rebuild keep tombstones from being removed at all. */
  readonly rebuildMsMax: number;
  /** Log end when the epoch began: durable in the epoch cache together with it (KAFKA-7415). */
  readonly epochStartOffset: Offset;
  readonly highWatermark: Offset;
  readonly durableOffset: Offset;
  readonly logEndOffset: Offset;
  readonly mayActAtMs: MonotonicMillis;
  readonly nowMs: MonotonicMillis;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

interface LiveView extends Mutable<Omit<LeaderView, 'barred' | 'refused'>> {
  readonly barred: Set<NodeId>;
  readonly refused: Set<NodeId>;
}

const NEVER_MS = asMonotonicMillis(Number.POSITIVE_INFINITY);
const NOTHING: readonly LeaderEffect[] = [];

/**
 * The leader of one partition in one leader epoch, as a state machine: events in, effects out, no clock and no disk of
 * its own. Whatever it decides is a rule of `ReplicationRules`; here stands only what is remembered and in which order
 * rules are asked.
 */
export class LeaderCore {
  readonly #rules: ReplicationRules;
  readonly #settings: LeaderCoreSettings;
  readonly #view: LiveView;
  readonly #book: FollowerBook;
  #leaseMsMax: number;
  #acceptsAppends: boolean;
  #wakeAtMs: MonotonicMillis = NEVER_MS;
  #proposalId = 0;
  #retryAtMs: MonotonicMillis = NEVER_MS;
  #barredUntilMs: MonotonicMillis = NEVER_MS;

  constructor(settings: LeaderCoreSettings) {
    const { state, facts, rules, nowMs } = settings;
    invariant(state.leader === settings.self, `partition ${state.id}: this node does not lead it`);
    this.#rules = rules;
    this.#settings = settings;
    this.#leaseMsMax = facts.leaseMsMax;
    this.#book = new FollowerBook(rules);
    this.#view = {
      self: settings.self,
      incarnation: settings.incarnation,
      directoryId: settings.directoryId,
      state,
      pending: null,
      followers: this.#book.followers,
      live: settings.live,
      minInsync: facts.minInsync,
      lagMsMax: settings.lagMsMax,
      durableOffset: settings.durableOffset,
      logEndOffset: settings.logEndOffset,
      highWatermark: settings.highWatermark,
      epochStartOffset: settings.epochStartOffset,
      leaderEpoch: state.leaderEpoch,
      mayActAtMs: settings.mayActAtMs,
      startedAtMs: nowMs,
      listeningSinceMs: nowMs,
      hasHadMinInsync: false,
      isEpochKnown: false,
      barred: new Set(),
      refused: new Set(),
    };
    this.#book.watchAssigned(this.#view, nowMs);
    this.#acceptsAppends = rules.acceptsAppends(this.#view);
    this.#view.hasHadMinInsync = this.#acceptsAppends;
  }

  // What the shell may look at

  get view(): LeaderView {
    return this.#view;
  }

  get highWatermark(): Offset {
    return this.#view.highWatermark;
  }

  /** R1. A change is told by the effect `appends`. */
  get acceptsAppends(): boolean {
    return this.#acceptsAppends;
  }

  /** R17: before that nothing is sealed. */
  get isEpochKnown(): boolean {
    return this.#view.isEpochKnown;
  }

  /** Committed: of the last state applied. */
  get isr(): readonly NodeId[] {
    return this.#view.state.isr;
  }

  /** Everybody who is to echo stamps, the leader included. */
  get leaseSet(): readonly NodeId[] {
    return this.#rules.leaseSet(this.#view, this.#rules);
  }

  /**
   * When the first lease of the lease set ends; Infinity: nobody else could be elected. Says nothing of the other
   * conditions of `leaseValid`.
   */
  get leaseUntilMs(): MonotonicMillis {
    let untilMs = Number.POSITIVE_INFINITY;
    for (const node of this.leaseSet) {
      if (node === this.#view.self) continue;
      untilMs = Math.min(untilMs, this.#view.followers.get(node)?.leaseUntilMs ?? Number.NEGATIVE_INFINITY);
    }
    return asMonotonicMillis(untilMs);
  }

  mayAct(nowMs: MonotonicMillis): boolean {
    return this.#rules.mayAct(this.#view.mayActAtMs, nowMs);
  }

  /** L4, R10. Take the value first, then both clocks, then ask (4.3-10). */
  leaseValid(nowMs: MonotonicMillis, wallMs: number): boolean {
    return this.#rules.leaseValid(this.#view, nowMs, wallMs, this.#rules);
  }

  /** 4.2-2: for reads that arrived before the stamp of this sequence was sent. */
  readIndexConfirmed(sequence: number, nowMs: MonotonicMillis): boolean {
    return this.#rules.readIndexConfirmed(this.#view, sequence, nowMs, this.#rules);
  }

  /** Whether reads can be answered at all for now, on some path (4.3-11, R10). */
  servesReads(nowMs: MonotonicMillis): boolean {
    return this.#rules.servesReads(this.#view, nowMs, this.#rules);
  }

  /** R16, C5: no tombstone at or above it may be removed here, or anywhere. */
  tombstoneRemoveOffset(nowMs: MonotonicMillis): Offset {
    if (this.isFloorPinned(nowMs)) return 0 as Offset;
    return this.#rules.tombstoneRemoveOffset(this.#view, nowMs, this.#settings.tombstoneRetentionMs);
  }

  isFloorPinned(nowMs: MonotonicMillis): boolean {
    const { lagMsMax, rebuildMsMax } = this.#settings;
    return this.#rules.floorPinned(this.#book.rebuilds, nowMs, { idleMsMax: lagMsMax * 4, rebuildMsMax });
  }

  /**
   * The checks of a fetch that was accepted before, over the log as it is now: a merge may have overtaken it while it
   * was parked or read (C5).
   */
  refusalOf(fetch: Fetch, log: LogSnapshot): FetchRefusal | null {
    const known = {
      progress: this.#view.followers.get(fetch.from),
      rebuild: this.#book.rebuildOf(fetch.from),
    };
    return this.#rules.checkFetch(this.#view, fetch, snapshotOf(log), known);
  }

  // What happens

  step(event: LeaderEvent): readonly LeaderEffect[] {
    if (event.kind === 'localDurable') return this.#localDurable(event);
    const effects: LeaderEffect[] = [];
    this.#listen(event);
    this.#handle(event, effects);
    this.#settle(event.nowMs, effects);
    return effects;
  }

  #handle(event: Exclude<LeaderEvent, { kind: 'localDurable' }>, effects: LeaderEffect[]): void {
    switch (event.kind) {
      case 'fetch':
        this.#fetch(event, effects);
        break;
      case 'progress':
        this.#progress(event);
        break;
      case 'echo':
        this.#echo(event, effects);
        break;
      case 'stateApplied':
        this.#stateApplied(event, effects);
        break;
      case 'controllerChanged':
        this.#send(event.nowMs, effects);
        break;
      case 'peerRefused':
        this.#view.refused.add(event.node);
        break;
      case 'proposalReply':
        this.#proposalReply(event, effects);
        break;
      case 'mayAct':
        this.#view.mayActAtMs = event.mayActAtMs;
        break;
      case 'versionChecked':
        this.#versionChecked(event, effects);
        break;
      case 'tick':
        break;
    }
  }

  /** On the way of every write: one batch, one effect. */
  #localDurable(event: Extract<LeaderEvent, { kind: 'localDurable' }>): readonly LeaderEffect[] {
    const view = this.#view;
    view.durableOffset = event.durableOffset;
    view.logEndOffset = event.logEndOffset;
    const next = this.#rules.highWatermark(view, event.nowMs, this.#rules);
    if (next === view.highWatermark) return NOTHING;
    this.#moveTo(next);
    return [{ kind: 'commit', highWatermark: next }];
  }

  #fetch(event: Extract<LeaderEvent, { kind: 'fetch' }>, effects: LeaderEffect[]): void {
    const { fetch, nowMs } = event;
    const view = this.#view;
    if (this.#book.isLate(fetch)) return;
    const log = snapshotOf(event.log);
    view.logEndOffset = log.sealedOffset;
    const { from } = fetch;
    const known = { progress: view.followers.get(from), rebuild: this.#book.rebuildOf(from) };
    const refusal = this.#rules.checkFetch(view, fetch, log, known);
    if (refusal !== null) {
      effects.push({ kind: 'reply', fetch, outcome: refusal.outcome });
      if (refusal.suspectsSelf) this.#suspect(effects);
      return;
    }
    view.refused.delete(from);
    this.#book.noteFetch(fetch, log.sealedOffset, log.removalCount, nowMs);
    effects.push({ kind: fetch.fetchOffset < log.sealedOffset ? 'serve' : 'park', fetch });
  }

  #progress({ progress, nowMs }: Extract<LeaderEvent, { kind: 'progress' }>): void {
    const { state, leaderEpoch, logEndOffset } = this.#view;
    if (progress.uuid !== state.uuid || progress.leaderEpoch !== leaderEpoch) return;
    this.#book.noteProgress(progress, logEndOffset, nowMs);
  }

  #echo(echo: Extract<LeaderEvent, { kind: 'echo' }>, effects: LeaderEffect[]): void {
    const { state, leaderEpoch } = this.#view;
    if (echo.uuid !== state.uuid || !state.replicas.includes(echo.from)) return;
    if (echo.leaderEpoch > leaderEpoch) this.#suspect(effects);
    if (echo.leaderEpoch === leaderEpoch) this.#book.noteEcho(echo, this.#leaseMsMax);
  }

  #stateApplied(event: Extract<LeaderEvent, { kind: 'stateApplied' }>, effects: LeaderEffect[]): void {
    const view = this.#view;
    const { state, facts, live, nowMs } = event;
    invariant(
      state.uuid === view.state.uuid && state.leaderEpoch === view.leaderEpoch && state.leader === view.self,
      `partition ${state.id}: a state of epoch ${state.leaderEpoch} is not of this leadership (${view.leaderEpoch})`,
    );
    if (state.version < view.state.version) return;
    const isNewer = state.version > view.state.version;
    view.state = state;
    view.live = live;
    view.minInsync = facts.minInsync;
    this.#leaseMsMax = facts.leaseMsMax;
    if (isNewer) effects.push({ kind: 'wakeParked' });
    if (view.pending !== null && state.version > view.pending.version) this.#endProposal();
    this.#book.watchAssigned(this.#view, nowMs);
    this.#lookAtSize(effects);
  }

  #proposalReply(
    { reply, nowMs }: Extract<LeaderEvent, { kind: 'proposalReply' }>,
    effects: LeaderEffect[],
  ): void {
    const { state, pending, leaderEpoch } = this.#view;
    if (reply.partition !== state.id || reply.leaderEpoch !== leaderEpoch) return;
    if (reply.state?.uuid === state.uuid && reply.state.leaderEpoch > leaderEpoch) {
      this.#suspect(effects);
      return;
    }
    const isAnswer = pending !== null && reply.proposalId === pending.proposalId;
    if (isAnswer && reply.result === 'ineligible') this.#bar(pending.members, nowMs);
    const decision = this.#rules.applyProposalReply(this.#view, reply);
    if (decision.kind === 'adopt') effects.push({ kind: 'adopt', state: decision.state });
    if (decision.kind !== 'keep') return;
    if (reply.result === 'fencedEpoch') this.#suspect(effects);
    else effects.push({ kind: 'suspectSelf', reason: 'newerVersion' });
  }

  #versionChecked(event: Extract<LeaderEvent, { kind: 'versionChecked' }>, effects: LeaderEffect[]): void {
    if (event.outcome === 'changed') effects.push({ kind: 'suspectSelf', reason: 'newerVersion' });
    if (event.outcome !== 'confirmed') return;
    if (this.#rules.versionCheckConfirms(this.#view, event.version, event.nowMs, this.#rules)) {
      effects.push({ kind: 'readsConfirmed', upTo: event.upTo });
    }
  }

  // After each event

  #settle(nowMs: MonotonicMillis, effects: LeaderEffect[]): void {
    this.#doWhatIsDue(nowMs, effects);
    this.#lookWhetherKnown(effects);
    this.#propose(nowMs, effects);
    const next = this.#rules.highWatermark(this.#view, nowMs, this.#rules);
    if (next !== this.#view.highWatermark) {
      this.#moveTo(next);
      effects.push({ kind: 'commit', highWatermark: next });
    }
    const dueMs = nextDeadline(this.#view, nowMs, [this.#retryAtMs, this.#barredUntilMs]);
    if (dueMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = dueMs;
    effects.push({ kind: 'wakeAt', atMs: dueMs });
  }

  #lookWhetherKnown(effects: LeaderEffect[]): void {
    if (this.#view.isEpochKnown || !this.#rules.isEpochKnown(this.#view)) return;
    this.#view.isEpochKnown = true;
    effects.push({ kind: 'epochKnown' });
  }

  /** A timer that comes much too late: the leader was stopped itself, and holds nothing against those it did not hear. */
  #listen({ kind, nowMs }: LeaderEvent): void {
    if (nowMs < this.#wakeAtMs && kind !== 'tick') return;
    const overslept = this.#rules.hasOverslept(this.#wakeAtMs, nowMs, this.#view.lagMsMax);
    if (overslept) this.#view.listeningSinceMs = nowMs;
    this.#wakeAtMs = NEVER_MS;
  }

  #doWhatIsDue(nowMs: MonotonicMillis, effects: LeaderEffect[]): void {
    if (this.#view.pending !== null && nowMs >= this.#retryAtMs) this.#send(nowMs, effects);
    if (nowMs < this.#barredUntilMs) return;
    this.#view.barred.clear();
    this.#barredUntilMs = NEVER_MS;
  }

  #propose(nowMs: MonotonicMillis, effects: LeaderEffect[]): void {
    const view = this.#view;
    if (view.pending !== null || !this.#rules.mayAct(view.mayActAtMs, nowMs)) return;
    const members = this.#rules.nextIsr(view, nowMs, this.#rules);
    if (members === null) return;
    LEADER_INVARIANTS.checkProposal(view, members);
    this.#proposalId += 1;
    view.pending = { members, version: view.state.version, proposalId: this.#proposalId };
    this.#send(nowMs, effects);
  }

  #send(nowMs: MonotonicMillis, effects: LeaderEffect[]): void {
    const { state, self, incarnation, leaderEpoch, pending } = this.#view;
    if (pending === null) return;
    this.#retryAtMs = asMonotonicMillis(nowMs + this.#settings.proposalRetryMs);
    const proposal = {
      kind: 'isrProposal',
      proposalId: pending.proposalId,
      partition: state.id,
      uuid: state.uuid,
      leader: self,
      leaderIncarnation: incarnation,
      leaderEpoch,
      version: pending.version,
      isr: pending.members,
    } as const;
    effects.push({ kind: 'propose', proposal });
  }

  #endProposal(): void {
    this.#view.pending = null;
    this.#retryAtMs = NEVER_MS;
  }

  #bar(proposed: readonly ProposedMember[], nowMs: MonotonicMillis): void {
    const { state, barred, lagMsMax } = this.#view;
    for (const { node } of proposed) if (!state.isr.includes(node)) barred.add(node);
    this.#barredUntilMs = asMonotonicMillis(nowMs + lagMsMax);
  }

  #lookAtSize(effects: LeaderEffect[]): void {
    const accepted = this.#rules.acceptsAppends(this.#view);
    if (accepted) this.#view.hasHadMinInsync = true;
    if (accepted === this.#acceptsAppends) return;
    this.#acceptsAppends = accepted;
    effects.push({ kind: 'appends', accepted });
  }

  /** L8: leases go first. */
  #suspect(effects: LeaderEffect[]): void {
    this.#book.dropLeases();
    effects.push({ kind: 'suspectSelf', reason: 'newerEpoch' });
  }

  #moveTo(next: Offset): void {
    LEADER_INVARIANTS.checkCommit(this.#view, next);
    this.#view.highWatermark = next;
  }
}

/** KAFKA-5036: everything about one fetch is answered from this. */
function snapshotOf(log: LogSnapshot): LogSnapshot {
  const { logStartOffset, sealedOffset, logEndOffset, removedFloor, removalCount } = log;
  const epochEnd = (epoch: LeaderEpoch) => log.epochEnd(epoch);
  return { logStartOffset, sealedOffset, logEndOffset, removedFloor, removalCount, epochEnd };
}
