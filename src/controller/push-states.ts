import type { Incarnation, NodeId } from '../model/numbers.ts';
import type { PartitionState } from '../model/partition-state.ts';
import type { PushRecord } from './controller-state.ts';
import type { Draft } from './draft.ts';

/** Partitions in one push. */
const PUSH_COUNT_MAX = 200;

/**
 * Sends every live node the states it has not acknowledged: at once when they are new, again after `retryMs`. A node
 * that came alive has acknowledged nothing. Who is alive goes with them, and once by itself when it has changed.
 * Returns when to look again; null: everything is acknowledged.
 */
export function pushStates(draft: Draft): number | null {
  let atMs: number | null = null;
  // Also to whoever seems dead only because its process was refused: if it answers, it is not (R7).
  for (const [node, { incarnation }] of draft.nodes) {
    const dueMs = pushTo(draft, node, incarnation);
    if (dueMs !== null) atMs = Math.min(atMs ?? dueMs, dueMs);
  }
  return atMs;
}

function pushTo(draft: Draft, node: NodeId, incarnation: Incarnation): number | null {
  const before = draft.pushes.get(node);
  const push: PushRecord =
    before?.incarnation === incarnation
      ? before
      : { incarnation, nodesSequence: 0, acked: new Map(), sent: new Map() };
  const sent = new Map(push.sent);
  const due: PartitionState[] = [];
  let atMs: number | null = null;
  for (const [partition, { state }] of draft.partitions) {
    if ((push.acked.get(partition) ?? -1) >= state.version) continue;
    const last = sent.get(partition);
    const retryAtMs = (last?.atMs ?? 0) + draft.settings.retryMs;
    const isDue = last === undefined || last.version !== state.version || draft.nowMs >= retryAtMs;
    if (isDue) {
      due.push(state);
      sent.set(partition, { version: state.version, atMs: draft.nowMs });
    }
    const nextMs = isDue ? draft.nowMs + draft.settings.retryMs : retryAtMs;
    atMs = Math.min(atMs ?? nextMs, nextMs);
  }
  const { nodesSequence } = draft;
  draft.pushes.set(node, { ...push, nodesSequence, sent });
  if (due.length === 0 && push.nodesSequence !== nodesSequence) send(draft, node, incarnation, []);
  for (let from = 0; from < due.length; from += PUSH_COUNT_MAX)
    send(draft, node, incarnation, due.slice(from, from + PUSH_COUNT_MAX));
  return atMs;
}

function send(
  draft: Draft,
  node: NodeId,
  targetIncarnation: Incarnation,
  partitions: readonly PartitionState[],
): void {
  const { controllerEpoch, facts } = draft.reign;
  const nodes = [...draft.nodes.values()];
  const controller = draft.nodeId;
  const message = {
    kind: 'statePush' as const,
    controller,
    controllerEpoch,
    targetIncarnation,
    facts,
    nodes,
    nodesSequence: draft.nodesSequence,
    partitions,
  };
  draft.effects.push({ kind: 'send', node, message });
}
