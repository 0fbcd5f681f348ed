import type { ProposedMember } from '../../src/model/control-messages.ts';
import {
  asLeaderEpoch,
  asMonotonicMillis,
  asOffset,
  type Incarnation,
  type NodeId,
} from '../../src/model/numbers.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import type { Fetch } from '../../src/replication/messages.ts';
import type { LeaderView, LogSnapshot, PendingIsr } from '../../src/replication/rules/types.ts';
import {
  directoryOf,
  type Entry,
  epochEnd,
  type Leading,
  logEnd,
  type Model,
  type ModelNode,
  NODES,
  nodeOf,
  PARTITION,
  UUID,
  type Wire,
  withNode,
} from './model.ts';
import type { ModelRules } from './model-rules.ts';

/** What the rules are shown of a leader of the model; null: the node leads nothing. */
export function viewOf(model: Model, node: NodeId, minInsync: number): LeaderView | null {
  const self = nodeOf(model, node);
  const { role, state } = self;
  if (!self.up || role.kind !== 'leader' || state === null) return null;
  return {
    self: node,
    incarnation: self.life,
    directoryId: directoryOf(node),
    state,
    pending: role.pending,
    followers: role.followers,
    live: liveOf(model),
    minInsync,
    lagMsMax: Number.POSITIVE_INFINITY,
    durableOffset: logEnd(self),
    logEndOffset: logEnd(self),
    highWatermark: self.highWatermark,
    epochStartOffset: role.start,
    leaderEpoch: role.epoch,
    mayActAtMs: asMonotonicMillis(role.mayActAtMs),
    startedAtMs: asMonotonicMillis(0),
    listeningSinceMs: asMonotonicMillis(0),
    hasHadMinInsync: role.hasHadMinInsync,
    isEpochKnown: true,
    barred: new Set(),
    refused: new Set(),
  };
}

function liveOf(model: Model): ReadonlyMap<NodeId, Incarnation> {
  const live = new Map<NodeId, Incarnation>();
  for (const node of NODES) {
    const life = model.live[node - 1];
    if (life != null) live.set(node, life);
  }
  return live;
}

/** The high watermark as far as it goes now; what it passes is acknowledged. */
export function advance(model: Model, node: NodeId, rules: ModelRules, minInsync: number): Model {
  const view = viewOf(model, node, minInsync);
  if (view === null) return model;
  const { replication } = rules;
  const next = replication.highWatermark(view, asMonotonicMillis(model.nowMs), replication);
  if (next === view.highWatermark) return model;
  const { log } = nodeOf(model, node);
  const moved = withNode(model, node, { highWatermark: next });
  const passed = log.slice(0, next);
  const isOther = (entry: Entry, at: number): boolean =>
    at < model.acknowledged.length && (model.acknowledged[at] as Entry).id !== entry.id;
  if (passed.some(isOther))
    return { ...moved, alarm: `node ${node} acknowledges another record at the same offset` };
  return passed.length > model.acknowledged.length ? { ...moved, acknowledged: passed } : moved;
}

export function append(model: Model, node: NodeId): Model {
  const self = nodeOf(model, node);
  if (self.role.kind !== 'leader') return model;
  const entry: Entry = { epoch: self.role.epoch, id: model.nextId };
  const budget = { ...model.budget, appends: model.budget.appends - 1 };
  return withNode({ ...model, budget, nextId: model.nextId + 1 }, node, { log: [...self.log, entry] });
}

/** A fetch that was on its way reaches the leader. */
export function serve(model: Model, follower: NodeId, rules: ModelRules, minInsync: number): Model {
  const { wire } = nodeOf(model, follower);
  if (wire?.kind !== 'request') return model;
  const view = viewOf(model, wire.to, minInsync);
  if (view === null) return withNode(model, follower, { wire: null });
  const leader = nodeOf(model, wire.to);
  const fetch = fetchOf(follower, wire);
  const progress = view.followers.get(follower);
  const { replication } = rules;
  const refusal = replication.checkFetch(view, fetch, snapshotOf(leader), { progress, rebuild: undefined });
  if (refusal !== null)
    return withNode(model, follower, { wire: refusedWire(refusal.outcome, wire, leader) });
  const nowMs = asMonotonicMillis(model.nowMs);
  const known =
    progress?.incarnation === wire.life
      ? progress
      : replication.newProgress(follower, wire.life, directoryOf(follower), nowMs);
  const noted = replication.noteFetch(known, fetch, logEnd(leader), nowMs);
  const followers = new Map((leader.role as Leading).followers).set(follower, noted);
  const told = withNode(model, wire.to, { role: { ...(leader.role as Leading), followers } });
  const advanced = advance(told, wire.to, rules, minInsync);
  const { highWatermark } = nodeOf(advanced, wire.to);
  const reply: Wire = {
    kind: 'data',
    epoch: view.leaderEpoch,
    offset: wire.offset,
    entries: leader.log.slice(wire.offset),
    epochs: leader.epochs.filter(({ start }) => start >= wire.offset),
    highWatermark,
  };
  // A dead follower's fetch may arrive; its answer does not.
  const isSameLife = nodeOf(model, follower).up && nodeOf(model, follower).life === wire.life;
  return withNode(advanced, follower, { wire: isSameLife ? reply : null });
}

function refusedWire(
  outcome: { readonly result: string; readonly epoch?: number; readonly endOffset?: number },
  request: Wire & { readonly kind: 'request' },
  leader: ModelNode,
): Wire | null {
  if (outcome.result !== 'diverging') return null;
  return {
    kind: 'diverging',
    epoch: request.epoch,
    endEpoch: asLeaderEpoch(outcome.epoch ?? 0),
    endOffset: asOffset(outcome.endOffset ?? 0),
    highWatermark: leader.highWatermark,
  };
}

function fetchOf(follower: NodeId, wire: Wire & { readonly kind: 'request' }): Fetch {
  return {
    kind: 'fetch',
    from: follower,
    fromIncarnation: wire.life,
    partition: PARTITION,
    uuid: UUID,
    directoryId: directoryOf(follower),
    fetchId: 0,
    leaderEpoch: wire.epoch,
    fetchOffset: wire.offset,
    durableOffset: wire.offset,
    lastFetchedEpoch: wire.lastEpoch,
    partitionVersion: wire.version,
    rebuildId: 0,
    bytesMax: 1,
  };
}

function snapshotOf(leader: ModelNode): LogSnapshot {
  return {
    logStartOffset: asOffset(0),
    sealedOffset: logEnd(leader),
    logEndOffset: logEnd(leader),
    removedFloor: -1,
    removalCount: 0,
    epochEnd: (epoch) => epochEnd(leader, epoch),
  };
}

/** The leader proposes the ISR without, or with, one follower. */
export function propose(model: Model, node: NodeId, isr: readonly NodeId[]): Model {
  const self = nodeOf(model, node);
  if (self.role.kind !== 'leader' || self.state === null) return model;
  const { state, role } = self;
  const members: ProposedMember[] = isr.map((member) => ({
    node: member,
    incarnation: memberLife(self, role, state, member),
    directoryId: directoryOf(member),
  }));
  const pending: PendingIsr = { members, version: state.version, proposalId: 1 };
  const budget = { ...model.budget, proposals: model.budget.proposals - 1 };
  const proposal = {
    kind: 'isrProposal' as const,
    proposalId: 1,
    partition: PARTITION,
    uuid: UUID,
    leader: node,
    leaderIncarnation: self.life,
    leaderEpoch: role.epoch,
    version: state.version,
    isr: members,
  };
  return withNode({ ...model, budget }, node, { role: { ...role, pending }, proposal });
}

function memberLife(self: ModelNode, role: Leading, state: PartitionState, member: NodeId): Incarnation {
  if (member === state.leader) return self.life;
  const recorded = state.incarnations[member];
  if (state.isr.includes(member) && recorded !== undefined) return recorded;
  return role.followers.get(member)?.incarnation ?? self.life;
}

/** Every proposal that the rules allow the leader now: each that takes one follower out, each that takes one in. */
export function proposable(
  view: LeaderView,
  model: Model,
  rules: ModelRules,
): readonly (readonly NodeId[])[] {
  const { replication } = rules;
  const nowMs = asMonotonicMillis(model.nowMs);
  if (view.pending !== null || !replication.mayAct(view.mayActAtMs, nowMs)) return [];
  const { isr } = view.state;
  const smaller = isr
    .filter((node) => node !== view.self)
    .map((node) => isr.filter((other) => other !== node));
  const larger = [...view.followers.values()]
    .filter(({ node }) => !isr.includes(node))
    .filter((progress) => replication.mayJoinIsr(view, progress, nowMs, replication))
    .map(({ node }) => NODES.filter((other) => other === node || isr.includes(other)));
  return [...smaller, ...larger];
}
