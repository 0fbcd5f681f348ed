import {
  DEAD_MEMBER,
  type MemberView,
  type PartitionWorld,
} from '../../src/controller/rules/partition-world.ts';
import {
  asControllerEpoch,
  asLeaderEpoch,
  asPartitionVersion,
  type NodeId,
} from '../../src/model/numbers.ts';
import type { PartitionState, ReplicaReport } from '../../src/model/partition-state.ts';
import {
  directoryOf,
  lastEpoch,
  logEnd,
  type Model,
  NODES,
  nodeOf,
  PARTITION,
  UUID,
  withNode,
} from './model.ts';
import type { ModelRules } from './model-rules.ts';

const CONTROLLER_EPOCH = asControllerEpoch(1);
/** Longer than any decision waits for reports: whoever can answer has, the others are decided about without. */
const WAITED_MS = 1_000_000;
/** A planned election waits for its leader no longer: it comes at any moment. */
const NO_HAND_OVER = { handOver: { waitedMs: WAITED_MS, isReady: false }, handOverMsMax: 1 };

function memberView(model: Model, node: NodeId): MemberView {
  const incarnation = model.live[node - 1] ?? null;
  if (incarnation === null) return DEAD_MEMBER;
  return { incarnation, isShuttingDown: false, isTroubled: false, report: reportOf(model, node) };
}

function reportOf(model: Model, node: NodeId): ReplicaReport | null {
  const self = nodeOf(model, node);
  if (!self.up || self.life !== model.live[node - 1]) return null;
  return {
    partition: PARTITION,
    uuid: UUID,
    directoryId: directoryOf(node),
    lastEpoch: lastEpoch(self),
    logEndOffset: logEnd(self),
    verdict: self.isLossy ? 'lossy' : 'whole',
    leaderEpochMax: self.leaderEpochMax,
    versionMax: self.state?.version ?? model.state.version,
  };
}

function worldOf(model: Model, minInsync: number): PartitionWorld {
  const members = new Map(NODES.map((node) => [node, memberView(model, node)]));
  const reported = model.nodes.map((node) => node.leaderEpochMax);
  return {
    controllerEpoch: CONTROLLER_EPOCH,
    minInsync,
    members,
    heard: new Set(NODES),
    leaderEpochMax: asLeaderEpoch(Math.max(...reported)),
    versionMax: model.state.version,
    isRegressed: false,
    waited: () => WAITED_MS,
    electionMsMax: 1,
    newPartitionMsMax: 1,
    wishes: { reassign: null, unclean: null },
    isPreferredDue: false,
    ...NO_HAND_OVER,
  };
}

function written(model: Model, next: PartitionState): Model {
  return { ...model, state: { ...next, version: asPartitionVersion(model.state.version + 1) } };
}

/** The controller does what there is to do; null: nothing. */
export function decide(model: Model, rules: ModelRules, minInsync: number): Model | null {
  const { controller } = rules;
  const decision = controller.decide(controller, model.state, worldOf(model, minInsync));
  if (decision.kind !== 'write') return null;
  const epochs = decision.next.leaderEpoch - model.state.leaderEpoch;
  if (epochs > model.budget.epochs) return null;
  const budget = { ...model.budget, epochs: model.budget.epochs - epochs };
  return written({ ...model, budget }, decision.next);
}

/** A proposal that was on its way reaches the controller. What it answers is told by the state that `learn` brings. */
export function handleProposal(model: Model, node: NodeId, rules: ModelRules, minInsync: number): Model {
  const { proposal } = nodeOf(model, node);
  if (proposal === null) return model;
  const { controller } = rules;
  const world = {
    controllerEpoch: CONTROLLER_EPOCH,
    minInsync,
    state: model.state,
    heard: new Set(model.state.replicas),
    member: (member: NodeId) => memberView(model, member),
  };
  const verdict = controller.checkProposal(controller, proposal, world);
  const handled = withNode(model, node, { proposal: null });
  if (verdict.kind === 'write') return written(handled, verdict.next);
  // A refusal for good moves the version on, so that no double of the message can be taken later.
  return verdict.result === 'ineligible' ? written(handled, model.state) : handled;
}

/** The session of a node that goes on: the controller takes it for dead, and it does not know. */
export function expire(model: Model, node: NodeId): Model {
  const live = model.live.map((life, index) => (index === node - 1 ? null : life));
  return { ...model, live, budget: { ...model.budget, expiries: model.budget.expiries - 1 } };
}

/** It notices, and registers anew: another life, that leads nothing before it is told to. */
export function register(model: Model, node: NodeId): Model {
  const self = nodeOf(model, node);
  const life = (self.life + 1) as typeof self.life;
  const live = model.live.map((each, index) => (index === node - 1 ? life : each));
  const anew = withNode(model, node, {
    life,
    role: { kind: 'none' },
    state: null,
    wire: null,
    proposal: null,
  });
  return { ...anew, live };
}
