import { expect } from 'chai';
import type { ProposalResult } from '../../../src/model/control-messages.ts';
import {
  asControllerEpoch,
  asPartitionId,
  asPartitionVersion,
  type Incarnation,
} from '../../../src/model/numbers.ts';
import type { PartitionState } from '../../../src/model/partition-state.ts';
import { LeaderCore } from '../../../src/replication/leader/leader-core.ts';
import type { LeaderEffect, LeaderEvent } from '../../../src/replication/leader/leader-events.ts';
import { type ReplicationRules, RULES } from '../../../src/replication/rules/rules.ts';
import {
  at,
  EPOCH,
  type FetchOptions,
  fetchOf,
  LAG_MS,
  type LogOptions,
  life,
  logOf,
  node,
  offset,
  stateOf,
  UUID,
  wordOf,
} from '../rules/views.ts';

export const RETRY_MS = 200;
export const LEASE_MS = 600;

export interface LeaderOptions {
  readonly state?: PartitionState;
  readonly minInsync?: number;
  readonly highWatermark?: number;
  readonly durable?: number;
  readonly logEnd?: number;
  readonly epochStart?: number;
  readonly mayActAtMs?: number;
  readonly rules?: Partial<ReplicationRules>;
}

/** A leader whose clock the test turns: node 1, epoch 5, log up to 10, all on its own disk. */
export class LeaderHarness {
  readonly core: LeaderCore;
  readonly effects: LeaderEffect[] = [];
  nowMs = 0;
  logEnd: number;
  #durable: number;
  #fetchId = 0;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #live: ReadonlyMap<ReturnType<typeof node>, Incarnation>;
  readonly #minInsync: number;

  constructor(options: LeaderOptions = {}) {
    this.logEnd = options.logEnd ?? 10;
    this.#durable = options.durable ?? this.logEnd;
    this.#minInsync = options.minInsync ?? 2;
    this.#live = new Map([1, 2, 3, 4].map((id) => [node(id), life(id)]));
    this.core = new LeaderCore({
      rules: { ...RULES, isEpochKnown: () => true, ...options.rules },
      self: node(1),
      incarnation: life(1),
      directoryId: 'd1',
      state: options.state ?? stateOf(),
      facts: { minInsync: this.#minInsync, leaseMsMax: LEASE_MS },
      live: this.#live,
      lagMsMax: LAG_MS,
      proposalRetryMs: RETRY_MS,
      tombstoneRetentionMs: 60_000,
      rebuildMsMax: 60_000,
      epochStartOffset: offset(options.epochStart ?? 10),
      highWatermark: offset(options.highWatermark ?? 0),
      durableOffset: offset(this.#durable),
      logEndOffset: offset(this.logEnd),
      mayActAtMs: at(options.mayActAtMs ?? 0),
      nowMs: at(0),
    });
    this.tick();
  }

  step(event: LeaderEvent): readonly LeaderEffect[] {
    const effects = this.core.step(event);
    for (const effect of effects) if (effect.kind === 'wakeAt') this.#wakeAtMs = effect.atMs;
    this.effects.push(...effects);
    return effects;
  }

  tick(): readonly LeaderEffect[] {
    return this.step({ kind: 'tick', nowMs: at(this.nowMs) });
  }

  fetch(from: number, options: FetchOptions & { readonly log?: LogOptions } = {}): readonly LeaderEffect[] {
    this.#fetchId += 1;
    const fetch = fetchOf(from, { fetchId: this.#fetchId, offset: this.logEnd, ...options });
    const log = logOf({ end: this.logEnd, ...options.log });
    return this.step({ kind: 'fetch', fetch, log, nowMs: at(this.nowMs) });
  }

  told(from: number, durable: number, options: FetchOptions = {}): readonly LeaderEffect[] {
    return this.step({ kind: 'progress', progress: wordOf(from, durable, options), nowMs: at(this.nowMs) });
  }

  echo(from: number, sequence: number, sentAtMs = this.nowMs, more: object = {}): readonly LeaderEffect[] {
    const { leaderEpoch } = fetchOf(from);
    return this.step({
      kind: 'echo',
      from: node(from),
      fromIncarnation: life(from),
      uuid: UUID,
      leaderEpoch,
      sequence,
      leaseMs: LEASE_MS,
      sentAtMs: at(sentAtMs),
      sentWallMs: sentAtMs + 1000,
      nowMs: at(this.nowMs),
      ...more,
    });
  }

  append(logEnd: number, durable = logEnd): readonly LeaderEffect[] {
    this.logEnd = logEnd;
    this.#durable = durable;
    return this.step({
      kind: 'localDurable',
      durableOffset: offset(durable),
      logEndOffset: offset(logEnd),
      nowMs: at(this.nowMs),
    });
  }

  /** From the next state on these alone are alive. */
  setLive(...ids: readonly number[]): void {
    this.#live = new Map(ids.map((id) => [node(id), life(id)]));
  }

  apply(state: PartitionState, minInsync = this.#minInsync): readonly LeaderEffect[] {
    const facts = { minInsync, leaseMsMax: LEASE_MS };
    return this.step({ kind: 'stateApplied', state, facts, live: this.#live, nowMs: at(this.nowMs) });
  }

  reply(result: ProposalResult, state: PartitionState | null = null): readonly LeaderEffect[] {
    const pending = this.core.view.pending;
    return this.step({
      kind: 'proposalReply',
      reply: {
        kind: 'isrProposalReply',
        proposalId: pending?.proposalId ?? 0,
        partition: asPartitionId(0),
        leaderEpoch: fetchOf(2, { leaderEpoch: EPOCH }).leaderEpoch,
        controllerEpoch: asControllerEpoch(1),
        result,
        state,
      },
      nowMs: at(this.nowMs),
    });
  }

  versionChecked(
    outcome: 'confirmed' | 'changed' | 'unknown',
    upTo = 3,
    version = 7,
  ): readonly LeaderEffect[] {
    const nowMs = at(this.nowMs);
    return this.step({ kind: 'versionChecked', version: asPartitionVersion(version), outcome, upTo, nowMs });
  }

  /** Lets time pass: wakes the leader when it asked to be woken, and keeps `fetching` alive. */
  advance(ms: number, fetching: readonly number[] = []): void {
    const endMs = this.nowMs + ms;
    for (let steps = 0; this.nowMs < endMs; steps += 1) {
      expect(steps, 'it wakes all the time').to.be.lessThan(5000);
      const fetchAtMs =
        fetching.length > 0 ? Math.floor(this.nowMs / 100) * 100 + 100 : Number.POSITIVE_INFINITY;
      this.nowMs = Math.min(endMs, fetchAtMs, Math.max(this.nowMs, this.#wakeAtMs));
      if (this.nowMs >= this.#wakeAtMs) {
        this.#wakeAtMs = Number.POSITIVE_INFINITY;
        this.tick();
      }
      if (this.nowMs === fetchAtMs) for (const from of fetching) this.fetch(from);
    }
  }

  /** Effects of a kind, since the last call of `forget`. */
  of<Kind extends LeaderEffect['kind']>(kind: Kind): readonly Extract<LeaderEffect, { kind: Kind }>[] {
    return this.effects.filter(
      (effect): effect is Extract<LeaderEffect, { kind: Kind }> => effect.kind === kind,
    );
  }

  get proposed(): readonly (readonly number[])[] {
    return this.of('propose').map(({ proposal }) => proposal.isr.map((member) => member.node));
  }

  forget(): this {
    this.effects.length = 0;
    return this;
  }
}

/** Kinds of effects, without `wakeAt`. */
export const kinds = (effects: readonly LeaderEffect[]): readonly string[] =>
  effects.map(({ kind }) => kind).filter((kind) => kind !== 'wakeAt');
