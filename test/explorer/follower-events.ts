import { asMonotonicMillis, asOffset, type NodeId } from '../../src/model/numbers.ts';
import type { PartitionState } from '../../src/model/partition-state.ts';
import { advance } from './leader-events.ts';
import {
  type EpochStart,
  epochEnd,
  lastEpoch,
  logEnd,
  type Model,
  type ModelNode,
  nodeOf,
  TICK_MS,
  type Wire,
  withNode,
} from './model.ts';
import type { ModelRules } from './model-rules.ts';

/** A node is told of the newest state that the controller has written. */
export function learn(model: Model, node: NodeId, rules: ModelRules, minInsync: number): Model {
  const self = nodeOf(model, node);
  const { state } = model;
  const seen = {
    controllerEpochMax: state.controllerEpoch,
    uuid: state.uuid,
    leaderEpochMax: self.leaderEpochMax,
    versionMax: self.state?.version ?? state.version,
  };
  const isNews =
    self.state === null || rules.replication.acceptsState(seen, state.controllerEpoch, state) === 'newer';
  if (!isNews) return model;
  const told = withNode(model, node, {
    state,
    leaderEpochMax: state.leaderEpoch,
    isLossy: self.isLossy && !isMemberAgain(state, node, self),
  });
  const led = state.leader === node && state.incarnations[node] === self.life;
  if (!led) return follow(told, node, rules);
  const leads = lead(told, node, rules, minInsync);
  return advance(leads, node, rules, minInsync);
}

const isMemberAgain = (state: PartitionState, node: NodeId, self: ModelNode): boolean =>
  state.isr.includes(node) && state.incarnations[node] === self.life;

function lead(model: Model, node: NodeId, rules: ModelRules, minInsync: number): Model {
  const self = nodeOf(model, node);
  const state = self.state as PartitionState;
  const hasMin = state.isr.length >= minInsync;
  if (self.role.kind === 'leader' && self.role.epoch === state.leaderEpoch) {
    const { pending } = self.role;
    const isOver = pending !== null && state.version > pending.version;
    return withNode(model, node, {
      role: {
        ...self.role,
        pending: isOver ? null : pending,
        hasHadMinInsync: self.role.hasHadMinInsync || hasMin,
      },
    });
  }
  const mayActAtMs = rules.replication.mayActAt(
    self.promises,
    { node, incarnation: self.life },
    asMonotonicMillis(self.bootWaitUntilMs),
  );
  return withNode(model, node, {
    epochs: [...self.epochs, { epoch: state.leaderEpoch, start: self.log.length }],
    role: {
      kind: 'leader',
      epoch: state.leaderEpoch,
      start: logEnd(self),
      followers: new Map(),
      pending: null,
      mayActAtMs,
      hasHadMinInsync: hasMin,
    },
    wire: null,
    proposal: null,
  });
}

function follow(model: Model, node: NodeId, rules: ModelRules): Model {
  const self = nodeOf(model, node);
  const state = self.state as PartitionState;
  const isSameEpoch = self.role.kind === 'follower' && self.role.epoch === state.leaderEpoch;
  if (state.leader === null || state.leader === node)
    return withNode(model, node, { role: { kind: 'none' }, wire: null, proposal: null });
  const cuts = rules.truncatesToHighWatermark && !isSameEpoch;
  const followed = withNode(model, node, {
    role: { kind: 'follower', epoch: state.leaderEpoch, leader: state.leader },
    proposal: null,
    ...(cuts ? cutLog(self, self.highWatermark) : {}),
  });
  return ask(followed, node);
}

/** The follower sends a fetch; whatever was on its way between the two is lost. */
export function ask(model: Model, node: NodeId): Model {
  const self = nodeOf(model, node);
  if (self.role.kind !== 'follower' || self.state === null) return withNode(model, node, { wire: null });
  const wire: Wire = {
    kind: 'request',
    to: self.role.leader,
    life: self.life,
    epoch: self.role.epoch,
    offset: logEnd(self),
    lastEpoch: lastEpoch(self),
    version: self.state.version,
  };
  return withNode(model, node, { wire });
}

/** The answer to a fetch reaches the follower, which asks for more at once. */
export function take(model: Model, node: NodeId, rules: ModelRules): Model {
  const self = nodeOf(model, node);
  const { wire, role } = self;
  if (wire === null || wire.kind === 'request' || role.kind !== 'follower' || wire.epoch !== role.epoch)
    return withNode(model, node, { wire: null });
  if (wire.kind === 'diverging') return ask(diverged(model, node, wire, rules), node);
  if (wire.offset !== self.log.length) return ask(model, node);
  const written: ModelNode = {
    ...self,
    log: [...self.log, ...wire.entries],
    epochs: epochsAfter(self, wire, rules),
  };
  const outcome = { result: 'data' as const, highWatermark: wire.highWatermark };
  const highWatermark = rules.replication.followerHighWatermark({
    current: self.highWatermark,
    logEndOffset: logEnd(written),
    outcome,
  });
  return ask(withNode(model, node, { ...written, highWatermark }), node);
}

function diverged(
  model: Model,
  node: NodeId,
  wire: Wire & { readonly kind: 'diverging' },
  rules: ModelRules,
): Model {
  const self = nodeOf(model, node);
  const { replication } = rules;
  const point = replication.truncationPoint({
    endOffset: wire.endOffset,
    ownEndOffset: epochEnd(self, wire.endEpoch).endOffset,
    logEndOffset: logEnd(self),
    highWatermark: self.highWatermark,
  });
  if (point.kind === 'belowHighWatermark')
    return { ...model, alarm: `node ${node} is to cut committed records at ${point.offset}` };
  const cut = { ...self, ...cutLog(self, point.offset) };
  const highWatermark = replication.followerHighWatermark({
    current: self.highWatermark,
    // Before the cut: whoever took the leader's high watermark from this answer would take it for the log that is to go.
    logEndOffset: logEnd(self),
    outcome: { result: 'diverging', highWatermark: wire.highWatermark },
  });
  return withNode(model, node, { ...cut, highWatermark });
}

/** Log and epoch cache up to `end`; the cache also where the log ends below it (KAFKA-10706). */
export function cutLog(self: ModelNode, end: number): Pick<ModelNode, 'log' | 'epochs'> {
  return {
    log: self.log.slice(0, end),
    epochs: self.epochs.filter((entry) => entry.start < end),
  };
}

/** What `EpochCache.assign` makes of each record: an epoch begun here that came to nothing goes, before a record of an older one takes its place. */
function epochsAfter(
  self: ModelNode,
  wire: Wire & { readonly kind: 'data' },
  rules: ModelRules,
): readonly EpochStart[] {
  let epochs = self.epochs;
  let last = lastEpoch(self);
  for (const [at, { epoch }] of wire.entries.entries()) {
    const offset = wire.offset + at;
    const told = wire.epochs.filter(({ start }) => start === offset);
    if (!rules.keepsEmptyEpochs) epochs = epochs.filter((each) => each.epoch <= epoch);
    for (const start of [...told, { epoch, start: offset }]) {
      const isKnown = epochs.some((each) => each.epoch === start.epoch && each.start <= start.start);
      if (start.epoch <= last || start.epoch > epoch || isKnown) continue;
      epochs = [...epochs.filter((each) => each.epoch < start.epoch && each.start <= start.start), start];
    }
    last = epoch;
  }
  return epochs;
}

/** The process ends; what it knew to be committed it has to be told again. `loses`: its last record with it, though it was acknowledged. */
export function crash(model: Model, node: NodeId, loses: boolean): Model {
  const self = nodeOf(model, node);
  const { budget } = model;
  const kept = loses ? cutLog(self, Math.max(0, self.log.length - 1)) : {};
  const dead = withNode(model, node, {
    ...kept,
    up: false,
    highWatermark: asOffset(0),
    isLossy: self.isLossy || loses,
    role: { kind: 'none' },
    state: null,
    wire: self.wire?.kind === 'request' ? self.wire : null,
    // What it had sent may still arrive.
    proposal: self.proposal,
    promises: [],
  });
  const live = dead.live.map((life, index) => (index === node - 1 ? null : life));
  return {
    ...dead,
    live,
    budget: {
      ...budget,
      crashes: budget.crashes - 1,
      lossyCrashes: budget.lossyCrashes - Number(loses),
    },
  };
}

/** A new life, registered at once. */
export function restart(model: Model, node: NodeId, rules: ModelRules): Model {
  const self = nodeOf(model, node);
  const life = (self.life + 1) as ModelNode['life'];
  const bootWaitUntilMs = rules.replication.bootWaitUntil(
    asMonotonicMillis(model.nowMs),
    self.hasPromised ? TICK_MS : 0,
  );
  const started = withNode(model, node, {
    up: true,
    life,
    wire: null,
    bootWaitUntilMs,
  });
  return { ...started, live: started.live.map((each, index) => (index === node - 1 ? life : each)) };
}
