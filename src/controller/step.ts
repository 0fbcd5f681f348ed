import { asControllerEpoch } from '../model/numbers.ts';
import type { NodeRegistration } from '../model/partition-state.ts';
import { onFactsWritten, onShapeRead } from './cluster-shape.ts';
import type { ControllerEvent, StepResult } from './controller-event.ts';
import { type ControllerState, newRecord } from './controller-state.ts';
import { Draft } from './draft.ts';
import { onPartitionRead, onWritten } from './flights.ts';
import { onAdmin } from './on-admin.ts';
import { onMessage } from './on-message.ts';
import { reconcile } from './reconcile.ts';
import type { ControllerRules } from './rules/rules.ts';

/** One event, worked off whole: the state after it and what has to be done. Nothing outside is touched. */
export function step(
  rules: ControllerRules,
  state: ControllerState,
  event: ControllerEvent,
): StepResult<ControllerState> {
  const draft = new Draft(rules, state, event.nowMs);
  apply(draft, event);
  if (draft.controllerEpoch !== null) reconcile(draft);
  return draft.finish();
}

function apply(draft: Draft, event: ControllerEvent): void {
  switch (event.kind) {
    case 'reignBegan':
      onReignBegan(draft, event);
      break;
    case 'reignEnded':
      draft.forget();
      break;
    case 'nodesChanged':
      if (draft.controllerEpoch !== null) onNodesChanged(draft, event.nodes);
      break;
    case 'nodeRefused':
      onNodeRefused(draft, event);
      break;
    case 'message':
      onMessage(draft, event.message);
      break;
    case 'written':
      onWritten(draft, event.partition, event.outcome);
      break;
    case 'partitionRead':
      onPartitionRead(draft, event.partition, event.state);
      break;
    case 'factsWritten':
      onFactsWritten(draft, event.facts, event.outcome);
      break;
    case 'shapeRead':
      if (draft.controllerEpoch !== null) onShapeRead(draft, event.shape);
      break;
    case 'admin':
      onAdmin(draft, event.requestId, event.request);
      break;
    case 'timer':
      break;
  }
}

function onReignBegan(draft: Draft, event: Extract<ControllerEvent, { kind: 'reignBegan' }>): void {
  const { facts, nodes, partitions } = event.world;
  draft.controllerEpoch = event.controllerEpoch;
  draft.facts = facts;
  draft.nodes = new Map(nodes.map((node) => [node.nodeId, node]));
  draft.nodesSequence = 1;
  draft.partitions = new Map(partitions.map((state) => [state.id, newRecord(state, draft.nowMs)]));
  // The coordinator forgot our predecessors' epochs, not what they wrote (2.3, R17).
  const epochMax = asControllerEpoch(Math.max(0, ...partitions.map((state) => state.controllerEpoch)));
  if (epochMax > event.controllerEpoch) draft.resign('a partition was written in a higher epoch', epochMax);
}

/**
 * A life that is gone, also one that was followed by another before anybody looked (KAFKA-7235), begins a short time of
 * gathering.
 */
function onNodesChanged(draft: Draft, nodes: readonly NodeRegistration[]): void {
  const next = new Map(nodes.map((node) => [node.nodeId, node]));
  let isLoss = false;
  for (const [nodeId, { incarnation }] of draft.nodes) {
    if (next.get(nodeId)?.incarnation === incarnation) continue;
    isLoss = true;
    draft.shuttingDown.delete(nodeId);
    draft.refused.delete(nodeId);
    draft.pushes.delete(nodeId);
  }
  const arrived = nodes.filter(
    ({ nodeId, incarnation }) => draft.nodes.get(nodeId)?.incarnation !== incarnation,
  );
  draft.nodes = next;
  if (isLoss || arrived.length > 0) draft.nodesSequence += 1;
  if (isLoss) draft.settleUntilMs ??= draft.nowMs + draft.settings.settleMs;
  for (const { nodeId } of arrived) expect(draft, nodeId);
}

/**
 * Who arrived is asked at once, and elections under way give it the time of an election to answer (R6: back together is
 * one event).
 */
function expect(draft: Draft, nodeId: NodeRegistration['nodeId']): void {
  for (const record of draft.partitions.values()) {
    if (!record.state.replicas.includes(nodeId)) continue;
    const askedMs = new Map(record.askedMs);
    askedMs.delete(nodeId);
    const waiting =
      record.waiting?.purpose === 'election' ? { ...record.waiting, sinceMs: draft.nowMs } : record.waiting;
    draft.update(record, { askedMs, waiting });
  }
}

function onNodeRefused(
  draft: Draft,
  { node, incarnation }: Extract<ControllerEvent, { kind: 'nodeRefused' }>,
): void {
  if (draft.nodes.get(node)?.incarnation !== incarnation || node === draft.nodeId) return;
  const { refusedMsMax } = draft.settings;
  const isKnown = draft.refused.get(node)?.incarnation === incarnation;
  draft.refused.set(node, { incarnation, untilMs: draft.nowMs + refusedMsMax });
  // Told everything anew: its answer would show that it lives. Once: what is told is refused as well, and tells us so again.
  if (!isKnown) draft.pushes.delete(node);
}
