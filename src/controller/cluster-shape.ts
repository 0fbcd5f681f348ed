import type { ClusterFacts } from '../model/partition-state.ts';
import type { ClusterShape, WriteOutcome } from './controller-event.ts';
import { newRecord } from './controller-state.ts';
import type { Draft } from './draft.ts';

/** Writes what an operator wants `/cluster` to say; one write at a time. Partitions follow one by one (`decide`, R2). */
export function settleFacts(draft: Draft): void {
  const { facts, wantedMinInsync } = draft;
  if (facts === null || wantedMinInsync === null || draft.isFactsFlight) return;
  if (facts.minInsync === wantedMinInsync) {
    draft.wantedMinInsync = null;
    return;
  }
  draft.isFactsFlight = true;
  draft.effects.push({ kind: 'writeFacts', facts: { ...facts, minInsync: wantedMinInsync } });
}

export function onFactsWritten(draft: Draft, facts: ClusterFacts, outcome: WriteOutcome<number>): void {
  if (outcome.kind === 'moved') {
    draft.resign('another controller reigns', null);
  } else if (outcome.kind === 'written') {
    draft.isFactsFlight = false;
    draft.facts = { ...facts, version: outcome.version };
  } else {
    // In doubt: what was read before it says nothing of it (W4).
    draft.effects.push({ kind: 'readShape' });
  }
}

/** Facts older than those that were written here were read before. */
export function onShapeRead(draft: Draft, { facts, partitions, added }: ClusterShape): void {
  draft.isFactsFlight = false;
  if (draft.facts === null || facts.version >= draft.facts.version) draft.facts = facts;
  for (const id of [...draft.partitions.keys()]) if (!partitions.includes(id)) draft.partitions.delete(id);
  for (const state of added)
    if (!draft.partitions.has(state.id)) draft.partitions.set(state.id, newRecord(state, draft.nowMs));
}
