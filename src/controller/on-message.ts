import type {
  HandOverReady,
  ReplicaQueryReply,
  ReplicaTrouble,
  ShutdownRequest,
  StatePushAck,
  ToController,
} from '../model/control-messages.ts';
import type { ControllerEpoch, Incarnation, NodeId } from '../model/numbers.ts';
import type { PartitionRecord, QueryRecord } from './controller-state.ts';
import type { Draft } from './draft.ts';
import { onProposal, sight } from './flights.ts';

/** What a node says. Messages of another life of it than the one registered are void (KIP-380); they come again. */
export function onMessage(draft: Draft, message: ToController): void {
  if (message.kind === 'isrProposal') {
    // Whose life and epoch count is part of the rule's order of checks.
    heardFrom(draft, message.leader, message.leaderIncarnation);
    onProposal(draft, message);
    return;
  }
  if (draft.controllerEpoch === null || !heardFrom(draft, message.node, message.incarnation)) return;
  switch (message.kind) {
    case 'statePushAck':
      onPushAck(draft, message);
      break;
    case 'replicaQueryReply':
      onQueryReply(draft, message);
      break;
    case 'shutdownRequest':
      onShutdownRequest(draft, message);
      break;
    case 'replicaTrouble':
      onTrouble(draft, message);
      break;
    case 'handOverReady':
      onHandOverReady(draft, message);
      break;
  }
}

/** True if this is the life that is registered. Who speaks is not dead, whoever was refused by its process. */
function heardFrom(draft: Draft, node: NodeId, incarnation: Incarnation): boolean {
  if (draft.nodes.get(node)?.incarnation !== incarnation) return false;
  if (draft.refused.get(node)?.incarnation === incarnation) draft.refused.delete(node);
  return true;
}

/**
 * False if the message is of another reign. One that knows a higher epoch than ours ends ours: the coordinator may have
 * lost it (R17).
 */
function isOfThisReign(draft: Draft, epoch: ControllerEpoch): boolean {
  const { controllerEpoch } = draft.reign;
  if (epoch > controllerEpoch) draft.resign('a node knows a higher controller epoch', epoch);
  return epoch === controllerEpoch;
}

function onPushAck(draft: Draft, ack: StatePushAck): void {
  if (!isOfThisReign(draft, ack.controllerEpoch)) return;
  const push = draft.pushes.get(ack.node);
  if (push?.incarnation !== ack.incarnation) return;
  const acked = new Map(push.acked);
  for (const [partition, version] of ack.versions) {
    if (version > (acked.get(partition) ?? -1)) acked.set(partition, version);
    const record = draft.partitions.get(partition);
    if (record === undefined) continue;
    const now = sight(draft, record, record.state.leaderEpoch, version);
    // A state is acknowledged when the role it asks for has begun.
    if (now.stuckLeader?.node === ack.node && version >= now.state.version)
      draft.update(now, { stuckLeader: null });
  }
  draft.pushes.set(ack.node, { ...push, acked });
}

function onQueryReply(draft: Draft, reply: ReplicaQueryReply): void {
  if (!isOfThisReign(draft, reply.controllerEpoch) || reply.queryEpoch !== reply.controllerEpoch) return;
  const query = draft.queries.get(reply.queryId);
  if (query?.node !== reply.node || query.incarnation !== reply.incarnation) return;
  draft.queries.delete(reply.queryId);
  takeReports(draft, query, reply);
}

function takeReports(draft: Draft, query: QueryRecord, reply: ReplicaQueryReply): void {
  for (const [partition, askedVersion] of query.versions) {
    const found = draft.partitions.get(partition);
    if (found === undefined) continue;
    const report = reply.reports.find((other) => other.partition === partition);
    const isSame = report?.uuid === found.state.uuid;
    const record = isSame ? sight(draft, found, report.leaderEpochMax, report.versionMax) : found;
    const reports = new Map(record.reports);
    const { incarnation, askedMs } = query;
    const held = report === undefined || report.verdict === 'gone' ? 'absent' : report;
    reports.set(reply.node, { incarnation, askedVersion, askedMs, report: held });
    draft.update(record, { reports });
  }
}

function onShutdownRequest(draft: Draft, { node, incarnation }: ShutdownRequest): void {
  // Told anew each time: the answer before may have been lost.
  draft.shuttingDown.set(node, { incarnation, told: null });
}

/** KAFKA-7837, R24: the replica is as good as gone, though its node lives. */
function onTrouble(draft: Draft, { node, incarnation, partition, ...said }: ReplicaTrouble): void {
  const record = draft.partitions.get(partition);
  if (record === undefined) return;
  if (said.trouble === 'stuck') {
    const { leaderEpoch } = said;
    const { state } = record;
    const isOver = (draft.pushes.get(node)?.acked.get(partition) ?? -1) >= state.version;
    if (leaderEpoch === state.leaderEpoch && !isOver)
      draft.update(record, { stuckLeader: { node, incarnation, leaderEpoch } });
    return;
  }
  const known = record.troubles.get(node);
  // A disk does not recover within a life, whatever is said after it.
  if (known?.incarnation === incarnation && known.directoryId === undefined) return;
  const directoryId = said.trouble === 'disk' ? undefined : said.directoryId || namedIn(record, node, said);
  if (directoryId === null) return;
  draft.update(record, { troubles: new Map(record.troubles).set(node, { incarnation, directoryId }) });
}

/**
 * Who cannot open its directory cannot name it: the one of the state is meant, unless an epoch has begun since, in
 * which it may have been built anew.
 */
function namedIn(
  { state }: PartitionRecord,
  node: NodeId,
  { leaderEpoch }: Pick<ReplicaTrouble, 'leaderEpoch'>,
): string | null {
  return leaderEpoch === state.leaderEpoch ? (state.directoryIds[node] ?? null) : null;
}

/** L9. Also unasked: the controller that asked may be gone, or have thought better of it. */
function onHandOverReady(draft: Draft, ready: HandOverReady): void {
  const record = draft.partitions.get(ready.partition);
  if (record === undefined) return;
  const { uuid, leader, leaderEpoch, incarnations } = record.state;
  if (ready.uuid !== uuid || ready.leaderEpoch !== leaderEpoch) return;
  if (ready.node !== leader || ready.incarnation !== incarnations[ready.node]) return;
  const before = record.handOver?.leaderEpoch === leaderEpoch ? record.handOver : null;
  const { sinceMs, askedMs } = before ?? { sinceMs: draft.nowMs, askedMs: draft.nowMs };
  draft.update(record, { handOver: { leaderEpoch, sinceMs, askedMs, isReady: true } });
}
