import type { IsrProposal, ProposalResult } from '../model/control-messages.ts';
import {
  asLeaderEpoch,
  asPartitionVersion,
  type LeaderEpoch,
  type NodeId,
  type PartitionId,
  type PartitionVersion,
} from '../model/numbers.ts';
import type { PartitionState } from '../model/partition-state.ts';
import type { WriteOutcome } from './controller-event.ts';
import { type Flight, NO_REIGN, newRecord, type PartitionRecord } from './controller-state.ts';
import type { Draft } from './draft.ts';
import { isSame, targetOf } from './rules/decide-upkeep.ts';
import { DEAD_MEMBER } from './rules/partition-world.ts';

/** A version is raised by at most so much in one multi. */
const RAISE_MAX = 1_000;

type WriteFlight = Extract<Flight, { kind: 'write' }>;

/** One operation at a time for each partition: callers have seen that none is under way. */
export function startWrite(
  draft: Draft,
  record: PartitionRecord,
  flight: Omit<WriteFlight, 'kind'>,
  versionAbove: PartitionVersion,
): void {
  const times = Math.min(RAISE_MAX, Math.max(1, versionAbove + 1 - record.state.version));
  draft.update(record, { flight: { kind: 'write', ...flight }, waiting: null });
  draft.effects.push({ kind: 'write', next: flight.next, times });
}

export function startRead(draft: Draft, record: PartitionRecord, proposal: IsrProposal | null): void {
  draft.update(record, { flight: { kind: 'read', proposal } });
  draft.effects.push({ kind: 'readPartition', partition: record.state.id });
}

export function onWritten(draft: Draft, partition: PartitionId, outcome: WriteOutcome): void {
  const record = draft.partitions.get(partition);
  if (record?.flight?.kind !== 'write') return;
  if (outcome.kind === 'moved') draft.resign('another controller reigns', null);
  else if (outcome.kind === 'written') onCommitted(draft, record, record.flight, outcome.version);
  else startRead(draft, record, record.flight.proposal);
}

function onCommitted(
  draft: Draft,
  record: PartitionRecord,
  flight: WriteFlight,
  version: PartitionVersion,
): void {
  const state: PartitionState = { ...flight.next, version };
  const isNewEpoch = state.leaderEpoch !== record.state.leaderEpoch;
  draft.update(record, {
    ...seenAtLeast(record, state.leaderEpoch, version),
    state,
    flight: null,
    heldProposal: null,
    isRegressed: false,
    askedMs: new Map(),
    leaderChangedMs: isNewEpoch ? draft.nowMs : record.leaderChangedMs,
    wishes: {
      reassign: isBegun(flight, record.wishes.reassign) ? null : record.wishes.reassign,
      unclean: state.leader === null ? record.wishes.unclean : null,
    },
    wantsPreferred: record.wantsPreferred && state.leader !== state.replicas[0],
  });
  draft.effects.push({ kind: 'decided', state, leaderEpochBefore: record.state.leaderEpoch, flight });
  if (flight.proposal !== null) replyTo(draft, flight.proposal, flight.result, state);
  if (record.heldProposal !== null) onProposal(draft, record.heldProposal);
}

/** Not if another wish has come while the write was under way: that one has been acknowledged as well. */
const isBegun = ({ reason, next }: WriteFlight, wish: readonly NodeId[] | null): boolean =>
  wish !== null && reason === 'reassignBegun' && isSame(wish, targetOf(next));

/** The truth about a partition, read after the question arose: what was in doubt is decided by it (W4, KAFKA-2729). */
export function onPartitionRead(draft: Draft, partition: PartitionId, state: PartitionState | null): void {
  const record = draft.partitions.get(partition);
  if (record?.flight?.kind !== 'read') return;
  const proposals = [record.flight.proposal, record.heldProposal].filter((proposal) => proposal !== null);
  if (state === null) draft.partitions.delete(partition);
  else takeOver(draft, record, state);
  for (const proposal of proposals) onProposal(draft, proposal);
}

function takeOver(draft: Draft, record: PartitionRecord, state: PartitionState): void {
  if (state.uuid !== record.state.uuid) {
    draft.partitions.set(state.id, newRecord(state, draft.nowMs));
    return;
  }
  const isRegressed = record.seenVersion > state.version || record.seenLeaderEpoch > state.leaderEpoch;
  const seen = seenAtLeast(record, state.leaderEpoch, state.version);
  // An epoch that has begun meanwhile, by a write whose reply was lost or by another hand, is what was wished for, or better.
  const isLedAnew = state.leader !== null && state.leaderEpoch > record.state.leaderEpoch;
  const wishes = isLedAnew ? { ...record.wishes, unclean: null } : record.wishes;
  const nothingUnderWay = { flight: null, heldProposal: null, askedMs: new Map() };
  draft.update(record, { ...seen, ...nothingUnderWay, state, isRegressed, wishes });
}

/**
 * Something above what the coordinator said has been seen at a node: kept, since the next epoch and version must be
 * above it (R17).
 */
export function sight(
  draft: Draft,
  record: PartitionRecord,
  leaderEpoch: LeaderEpoch,
  version: PartitionVersion,
): PartitionRecord {
  if (leaderEpoch <= record.seenLeaderEpoch && version <= record.seenVersion) return record;
  return draft.update(record, seenAtLeast(record, leaderEpoch, version));
}

function seenAtLeast(
  record: PartitionRecord,
  leaderEpoch: LeaderEpoch,
  version: PartitionVersion,
): Pick<PartitionRecord, 'seenLeaderEpoch' | 'seenVersion'> {
  return {
    seenLeaderEpoch: asLeaderEpoch(Math.max(record.seenLeaderEpoch, leaderEpoch)),
    seenVersion: asPartitionVersion(Math.max(record.seenVersion, version)),
  };
}

/**
 * A leader's wish for another ISR (PROTOCOL 2.3). While something is under way for the partition it waits, and a newer
 * one replaces it.
 */
export function onProposal(draft: Draft, proposal: IsrProposal): void {
  const record = draft.partitions.get(proposal.partition);
  if (record !== undefined && record.flight !== null) {
    draft.update(record, { heldProposal: proposal });
    return;
  }
  const verdict = draft.rules.checkProposal(draft.rules, proposal, {
    controllerEpoch: draft.controllerEpoch,
    minInsync: draft.facts?.minInsync ?? 1,
    state: record?.state,
    heard: record?.reports ?? new Set(),
    member: (node) => (record === undefined ? DEAD_MEMBER : draft.member(record, node)),
  });
  if (verdict.kind === 'reply') {
    if (record !== undefined && record.state.uuid === proposal.uuid)
      sight(draft, record, proposal.leaderEpoch, proposal.version);
    replyTo(draft, proposal, verdict.result, verdict.state);
  } else if (record !== undefined) {
    const { next, result } = verdict;
    const reason = result === 'ok' ? 'proposal' : 'proposalRefused';
    const flight = { next, reason, candidates: [], proposal, result } as const;
    startWrite(draft, record, flight, record.state.version);
  }
}

function replyTo(
  draft: Draft,
  proposal: IsrProposal,
  result: ProposalResult,
  state: PartitionState | null,
): void {
  draft.effects.push({
    kind: 'send',
    node: proposal.leader,
    message: {
      kind: 'isrProposalReply',
      proposalId: proposal.proposalId,
      partition: proposal.partition,
      leaderEpoch: proposal.leaderEpoch,
      controllerEpoch: draft.controllerEpoch ?? NO_REIGN,
      result,
      state,
    },
  });
}
