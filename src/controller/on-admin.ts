import type { AdminRequest } from '../model/control-messages.ts';
import type { AdminResult } from './controller-event.ts';
import type { PartitionRecord } from './controller-state.ts';
import type { Draft } from './draft.ts';

const refuse = (reason: string): AdminResult => ({ ok: false, reason });
const TAKEN_OVER: AdminResult = { ok: true };

/** An operator's wish: checked as far as can be known now, then a part of the state that decisions see. */
export function onAdmin(draft: Draft, requestId: number, request: AdminRequest): void {
  draft.effects.push({ kind: 'adminReply', requestId, result: answer(draft, request) });
}

function answer(draft: Draft, request: AdminRequest): AdminResult {
  if (draft.controllerEpoch === null) return refuse('this node is not the controller');
  if (request.kind === 'setMinInsync') return setMinInsync(draft, request.minInsync);
  const record = draft.partitions.get(request.partition);
  if (record === undefined) return refuse(`there is no partition ${request.partition}`);
  switch (request.kind) {
    case 'reassign':
      return reassign(draft, record, request);
    case 'electUnclean':
      return electUnclean(draft, record, request);
    case 'electPreferred':
      draft.update(record, { wantsPreferred: true });
      return TAKEN_OVER;
  }
}

/** R2. Leaders go by it partition by partition, each from the version on that says so. */
function setMinInsync(draft: Draft, minInsync: number): AdminResult {
  const { replicationFactor } = draft.reign.facts;
  if (!Number.isInteger(minInsync) || minInsync < 1 || minInsync > replicationFactor)
    return refuse(`min.insync is between 1 and the replication factor, which is ${replicationFactor}`);
  draft.wantedMinInsync = minInsync;
  return TAKEN_OVER;
}

function reassign(
  draft: Draft,
  record: PartitionRecord,
  { replicas }: Extract<AdminRequest, { kind: 'reassign' }>,
): AdminResult {
  const { minInsync } = draft.reign.facts;
  if (new Set(replicas).size !== replicas.length) return refuse('a node is named twice');
  if (replicas.length < Math.max(1, minInsync))
    return refuse(`${replicas.length} replicas are fewer than min.insync, which is ${minInsync}`);
  const unknown = replicas.filter(
    (node) => draft.aliveAs(node) === null && !record.state.replicas.includes(node),
  );
  if (unknown.length > 0) return refuse(`not alive: node ${unknown.join(', node ')}`);
  draft.update(record, { wishes: { ...record.wishes, reassign: replicas } });
  return TAKEN_OVER;
}

function electUnclean(
  draft: Draft,
  record: PartitionRecord,
  { node }: Extract<AdminRequest, { kind: 'electUnclean' }>,
): AdminResult {
  const { leader, replicas } = record.state;
  if (!replicas.includes(node)) return refuse(`node ${node} is no replica of partition ${record.state.id}`);
  if (draft.aliveAs(node) === null) return refuse(`node ${node} is not alive`);
  if (leader !== null && draft.aliveAs(leader) !== null)
    return refuse(`partition ${record.state.id} has a live leader, node ${leader}`);
  draft.update(record, { wishes: { ...record.wishes, unclean: node } });
  return TAKEN_OVER;
}
