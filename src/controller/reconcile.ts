import type { NodeId, PartitionId, PartitionVersion } from '../model/numbers.ts';
import { settleFacts } from './cluster-shape.ts';
import type { PartitionRecord } from './controller-state.ts';
import type { Draft } from './draft.ts';
import { startRead, startWrite } from './flights.ts';
import { pushStates } from './push-states.ts';
import type { Decision, DecisionReason, MemberView, PartitionWorld } from './rules/partition-world.ts';

/** Decisions that wait until losses of nodes have been gathered. */
const ELECTIONS: ReadonlySet<DecisionReason> = new Set([
  'leaderDead',
  'noLeader',
  'leaderReturned',
  'leaderLost',
  'noneElectable',
]);

/** Runs the same decision over everything, after each event (PROTOCOL 2.11), then says what has to be said to nodes. */
export function reconcile(draft: Draft): void {
  settleFacts(draft);
  const round = new Round(draft);
  if (draft.settleUntilMs !== null) {
    if (draft.nowMs >= draft.settleUntilMs) draft.settleUntilMs = null;
    else round.wakeAt(draft.settleUntilMs);
  }
  for (const partition of [...draft.partitions.keys()].sort((a, b) => a - b)) round.decide(partition);
  round.greet();
  round.sendQueries();
  round.wakeAt(pushStates(draft));
  answerShutdowns(draft);
  for (const { untilMs } of draft.refused.values()) round.wakeAt(untilMs);
  draft.effects.push({ kind: 'wake', atMs: round.atMs });
}

/** One run: whom to ask, and when to look again. */
class Round {
  atMs: number | null = null;
  readonly #draft: Draft;
  readonly #asks = new Map<NodeId, Map<PartitionId, PartitionVersion>>();

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  wakeAt(atMs: number | null): void {
    if (atMs === null || atMs <= this.#draft.nowMs || !Number.isFinite(atMs)) return;
    this.atMs = Math.min(this.atMs ?? atMs, atMs);
  }

  decide(partition: PartitionId): void {
    const draft = this.#draft;
    const record = draft.partitions.get(partition);
    if (record === undefined || record.flight !== null) return;
    const { state } = record;
    const isSuspect = record.seenVersion > state.version || record.seenLeaderEpoch > state.leaderEpoch;
    if (isSuspect && !record.isRegressed) {
      startRead(draft, record, null);
      return;
    }
    const wanted = withoutStaleWish(draft, record);
    this.#act(wanted, draft.rules.decide(draft.rules, state, this.#world(wanted)));
  }

  /** Everybody is asked once in a reign what it holds: only so a loss of the coordinator shows (R17). */
  greet(): void {
    const draft = this.#draft;
    for (const [partition, { state, reports }] of draft.partitions) {
      for (const node of state.replicas) {
        const incarnation = draft.aliveAs(node);
        if (incarnation !== null && reports.get(node)?.incarnation !== incarnation)
          this.#ask(partition, node);
      }
    }
  }

  sendQueries(): void {
    const draft = this.#draft;
    for (const [id, { askedMs }] of draft.queries) {
      if (draft.nowMs - askedMs > draft.settings.reportMsMax) draft.queries.delete(id);
    }
    for (const [node, versions] of this.#asks) {
      const incarnation = draft.aliveAs(node);
      if (incarnation === null) continue;
      const queryId = draft.nextQueryId++;
      draft.queries.set(queryId, { node, incarnation, askedMs: draft.nowMs, versions });
      const { controllerEpoch } = draft.reign;
      const partitions = [...versions.keys()];
      draft.effects.push({
        kind: 'send',
        node,
        message: { kind: 'replicaQuery', controller: draft.nodeId, controllerEpoch, queryId, partitions },
      });
    }
  }

  #act(record: PartitionRecord, decision: Decision): void {
    const draft = this.#draft;
    if (decision.kind === 'nothing') {
      if (record.waiting !== null || record.handOver !== null)
        draft.update(record, { waiting: null, handOver: null });
      this.#wakeForPreferred(record);
    } else if (decision.kind === 'wait') {
      const { purpose, ask, forMs } = decision;
      const sinceMs = record.waiting?.purpose === purpose ? record.waiting.sinceMs : draft.nowMs;
      draft.update(record, { waiting: { purpose, sinceMs } });
      for (const node of ask) this.#ask(record.state.id, node);
      if (forMs !== null) this.wakeAt(sinceMs + forMs);
    } else if (decision.kind === 'handOver') {
      this.#askToHandOver(record, decision);
    } else if (draft.settleUntilMs === null || !ELECTIONS.has(decision.reason)) {
      const { next, reason, candidates, versionAbove } = decision;
      startWrite(draft, record, { next, reason, candidates, proposal: null, result: 'ok' }, versionAbove);
    }
  }

  /**
   * Asks at once, and again every `retryMs` (PROTOCOL L9). What the decision waited for before it came to this is kept:
   * it is not waited for a second time.
   */
  #askToHandOver(record: PartitionRecord, { leader, forMs }: Extract<Decision, { kind: 'handOver' }>): void {
    const draft = this.#draft;
    const { nowMs, settings } = draft;
    const { id: partition, uuid, leaderEpoch, incarnations } = record.state;
    const before = record.handOver?.leaderEpoch === leaderEpoch ? record.handOver : null;
    const sinceMs = before?.sinceMs ?? nowMs;
    const isDue = before === null || nowMs >= before.askedMs + settings.retryMs;
    const askedMs = isDue ? nowMs : before.askedMs;
    draft.update(record, { handOver: { leaderEpoch, sinceMs, askedMs, isReady: false } });
    this.wakeAt(Math.min(askedMs + settings.retryMs, sinceMs + forMs));
    const incarnation = incarnations[leader];
    if (!isDue || incarnation === undefined) return;
    const { controllerEpoch } = draft.reign;
    const { nodeId: controller } = draft;
    draft.effects.push({
      kind: 'send',
      node: leader,
      message: {
        kind: 'handOverRequest',
        controller,
        controllerEpoch,
        partition,
        uuid,
        leaderEpoch,
        incarnation,
      },
    });
  }

  #ask(partition: PartitionId, node: NodeId): void {
    const { nowMs, settings, partitions } = this.#draft;
    const record = partitions.get(partition);
    if (record === undefined) return;
    const versions = this.#asks.get(node) ?? new Map<PartitionId, PartitionVersion>();
    const askedMs = record.askedMs.get(node);
    if (askedMs !== undefined && nowMs < askedMs + settings.retryMs) {
      this.wakeAt(askedMs + settings.retryMs);
      return;
    }
    this.#asks.set(node, versions.set(partition, record.state.version));
    this.#draft.update(record, { askedMs: new Map(record.askedMs).set(node, nowMs) });
    this.wakeAt(nowMs + settings.retryMs);
  }

  #world(record: PartitionRecord): PartitionWorld {
    const draft = this.#draft;
    const { state, handOver } = record;
    const isSaid = handOver?.leaderEpoch === state.leaderEpoch;
    const nodes = new Set([...state.replicas, ...state.isr, ...state.elr]);
    const members = new Map<NodeId, MemberView>([...nodes].map((node) => [node, draft.member(record, node)]));
    const { controllerEpoch, facts } = draft.reign;
    const dueMs = record.leaderChangedMs + draft.settings.preferredMsMin;
    return {
      controllerEpoch,
      minInsync: facts.minInsync,
      members,
      heard: record.reports,
      leaderEpochMax: record.seenLeaderEpoch,
      versionMax: record.seenVersion,
      isRegressed: record.isRegressed || state.recovery === 'regressed',
      // The bound is the purpose's own: a decision that comes to wait for something else begins anew.
      waited: (purpose) => (record.waiting?.purpose === purpose ? draft.nowMs - record.waiting.sinceMs : 0),
      electionMsMax: draft.settings.electionMsMax,
      newPartitionMsMax: draft.settings.newPartitionMsMax,
      wishes: record.wishes,
      isPreferredDue: record.wantsPreferred || draft.nowMs >= dueMs,
      handOver: {
        waitedMs: isSaid ? draft.nowMs - handOver.sinceMs : 0,
        isReady: isSaid && handOver.isReady,
      },
      handOverMsMax: draft.settings.handOverMsMax,
    };
  }

  #wakeForPreferred({ state, leaderChangedMs }: PartitionRecord): void {
    if (state.leader !== null && state.leader !== state.replicas[0])
      this.wakeAt(leaderChangedMs + this.#draft.settings.preferredMsMin);
  }
}

/**
 * The wish for an unclean election is for the death it was given at: it does not outlive the return of the leader, to
 * strike at the next one.
 */
function withoutStaleWish(draft: Draft, record: PartitionRecord): PartitionRecord {
  const { leader, incarnations } = record.state;
  if (record.wishes.unclean === null || record.isRegressed || leader === null) return record;
  if (draft.aliveAs(leader) !== incarnations[leader]) return record;
  return draft.update(record, { wishes: { ...record.wishes, unclean: null } });
}

/**
 * Tells who shuts down how much there is still to be done for it, whenever that number is another one than it was told.
 * What it leads and nobody who stays could take over is not waited for: a whole cluster may stop at once.
 * Where something is being written it may be the very write that takes it out of the ISR, and the node the controller
 * itself, whose writes end with it.
 */
function answerShutdowns(draft: Draft): void {
  for (const [node, { incarnation, told }] of draft.shuttingDown) {
    const remaining = [...draft.partitions.values()].filter(
      ({ state, flight }) =>
        (state.leader === node && hasStayingReplica(draft, state.replicas, node)) ||
        (flight !== null && state.isr.includes(node)),
    ).length;
    if (remaining === told) continue;
    draft.shuttingDown.set(node, { incarnation, told: remaining });
    const { controllerEpoch } = draft.reign;
    draft.effects.push({
      kind: 'send',
      node,
      message: { kind: 'shutdownReply', incarnation, controllerEpoch, remaining },
    });
  }
}

/** Another replica's node lives and does not shut down: it can take over now, or when it has caught up. */
function hasStayingReplica(draft: Draft, replicas: readonly NodeId[], node: NodeId): boolean {
  return replicas.some((other) => {
    const incarnation = draft.aliveAs(other);
    return (
      other !== node && incarnation !== null && draft.shuttingDown.get(other)?.incarnation !== incarnation
    );
  });
}
