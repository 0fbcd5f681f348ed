import type { IsrProposalReply, ProposedMember } from '../../model/control-messages.ts';
import type { Incarnation, MonotonicMillis, NodeId } from '../../model/numbers.ts';
import type { PartitionState } from '../../model/partition-state.ts';
import type { FollowerProgress, LeaderView } from './types.ts';

/**
 * Committed ISR and, at once, everybody proposed: an expansion counts before it is sent, a shrink only after its commit
 * (PROTOCOL 2.4, R1).
 */
export function maximalIsr(view: Pick<LeaderView, 'state' | 'pending'>): readonly NodeId[] {
  const { state, pending } = view;
  if (pending === null) return state.isr;
  const added = pending.members.map((member) => member.node).filter((node) => !state.isr.includes(node));
  return added.length === 0 ? state.isr : [...state.isr, ...added];
}

/** Everybody who could be elected without an act of this leader: maximal ISR and ELR (4.3-6, 4.3-8). Includes the leader. */
export function leaseSet(
  view: Pick<LeaderView, 'state' | 'pending'>,
  rules: MaximalIsrRule,
): readonly NodeId[] {
  const maximal = rules.maximalIsr(view);
  const eligible = view.state.elr.filter((node) => !maximal.includes(node));
  return eligible.length === 0 ? maximal : [...maximal, ...eligible];
}

export interface MaximalIsrRule {
  maximalIsr(view: Pick<LeaderView, 'state' | 'pending'>): readonly NodeId[];
}

/**
 * Life and directory under which a node counts: those of the committed state, or for one that is being added those of
 * the proposal.
 */
export function memberIdentity(
  view: Pick<LeaderView, 'state' | 'pending'>,
  node: NodeId,
): { readonly incarnation: Incarnation | undefined; readonly directoryId: string | undefined } {
  const { state, pending } = view;
  if (!state.isr.includes(node)) {
    const proposed = pending?.members.find((member) => member.node === node);
    if (proposed !== undefined) return proposed;
  }
  return { incarnation: state.incarnations[node], directoryId: state.directoryIds[node] };
}

/**
 * It may be proposed for the ISR: assigned, fetched in this epoch (KIP-966), everything below the high watermark and
 * below the start of the epoch (KAFKA-7128) on its disk, alive under the life that fetches (KIP-841, KIP-903), in its
 * final directory (C6), knowing of the newest version (R17), not called ineligible by the controller, and not to be
 * removed at once again.
 */
export function mayJoinIsr(
  view: LeaderView,
  progress: FollowerProgress,
  nowMs: MonotonicMillis,
  rules: LagRules,
): boolean {
  return (
    isEligible(view, progress) &&
    progress.durableOffset >= view.highWatermark &&
    progress.durableOffset >= view.epochStartOffset &&
    !rules.isSilent(view, progress, nowMs) &&
    !isLagging(view, progress, nowMs, rules)
  );
}

/**
 * All conditions of joining that do not look at offsets (KAFKA-15021). One that has not acknowledged the newest version
 * would hold the high watermark up (R17), and may be the very replica that this version dropped: who has met rot
 * acknowledges nothing any more under that directory (C11).
 */
export function isEligible(view: LeaderView, progress: FollowerProgress): boolean {
  const { node } = progress;
  return (
    node !== view.self &&
    view.state.replicas.includes(node) &&
    progress.fetchOffset >= 0 &&
    progress.ackedVersion >= view.state.version &&
    !progress.isRebuilding &&
    !view.refused.has(node) &&
    view.live.get(node) === progress.incarnation &&
    !view.barred.has(node)
  );
}

export interface LagRules {
  isCaughtUp(
    view: Pick<LeaderView, 'logEndOffset' | 'lagMsMax'>,
    progress: FollowerProgress,
    nowMs: MonotonicMillis,
  ): boolean;
  isSilent(
    view: Pick<LeaderView, 'listeningSinceMs' | 'lagMsMax'>,
    progress: FollowerProgress,
    nowMs: MonotonicMillis,
  ): boolean;
}

function isLagging(
  view: LeaderView,
  progress: FollowerProgress,
  nowMs: MonotonicMillis,
  rules: Pick<LagRules, 'isCaughtUp'>,
): boolean {
  const watchedMs = nowMs - Math.max(progress.sinceMs, view.listeningSinceMs);
  return watchedMs > view.lagMsMax && !rules.isCaughtUp(view, progress, nowMs);
}

/**
 * Members of the committed ISR that are silent, or lag, or are known only under another life or directory, for
 * `lagMsMax` (PROTOCOL 2.4); and at once those whose process is gone, unless too few would be left (R9). Never the
 * leader itself. A leader that just began, or woke from a pause, holds nothing against anybody for `lagMsMax`
 * (KAFKA-8733).
 */
export function membersToRemove(
  view: LeaderView,
  nowMs: MonotonicMillis,
  rules: LagRules,
): readonly NodeId[] {
  const { isr } = view.state;
  const late = isr.filter((node) => node !== view.self && isLate(view, node, nowMs, rules));
  const gone = isr.filter((node) => node !== view.self && view.refused.has(node) && !late.includes(node));
  const roomForGone = Math.max(0, isr.length - late.length - view.minInsync);
  return [...late, ...gone.slice(0, roomForGone)];
}

function isLate(view: LeaderView, node: NodeId, nowMs: MonotonicMillis, rules: LagRules): boolean {
  const progress = view.followers.get(node);
  if (progress === undefined) return nowMs - view.listeningSinceMs > view.lagMsMax;
  if (rules.isSilent(view, progress, nowMs) || isLagging(view, progress, nowMs, rules)) return true;
  const watchedMs = nowMs - Math.max(progress.sinceMs, view.listeningSinceMs);
  return watchedMs > view.lagMsMax && !isMember(view, progress);
}

/** The progress is of the life and directory under which the node is a member. */
export function isMember(view: Pick<LeaderView, 'state' | 'pending'>, progress: FollowerProgress): boolean {
  const identity = memberIdentity(view, progress.node);
  return progress.incarnation === identity.incarnation && progress.directoryId === identity.directoryId;
}

export interface IsrRules extends LagRules {
  mayJoinIsr(view: LeaderView, progress: FollowerProgress, nowMs: MonotonicMillis, rules: LagRules): boolean;
  membersToRemove(view: LeaderView, nowMs: MonotonicMillis, rules: LagRules): readonly NodeId[];
}

/** The ISR to propose now, or null: first what must leave, else what may join. One change is in flight at a time. */
export function nextIsr(
  view: LeaderView,
  nowMs: MonotonicMillis,
  rules: IsrRules,
): readonly ProposedMember[] | null {
  if (view.pending !== null) return null;
  const leaving = rules.membersToRemove(view, nowMs, rules);
  if (leaving.length > 0) return members(view, view.state.isr).filter(({ node }) => !leaving.includes(node));
  const joining = [...view.followers.values()].filter(
    (progress) => !view.state.isr.includes(progress.node) && rules.mayJoinIsr(view, progress, nowMs, rules),
  );
  if (joining.length === 0) return null;
  const added = joining.map(({ node, incarnation, directoryId }) => ({ node, incarnation, directoryId }));
  return [...members(view, view.state.isr), ...added];
}

function members(view: LeaderView, isr: readonly NodeId[]): readonly ProposedMember[] {
  return isr.map((node) => {
    if (node === view.self) return { node, incarnation: view.incarnation, directoryId: view.directoryId };
    const { incarnation, directoryId } = memberIdentity(view, node);
    return { node, incarnation: incarnation as Incarnation, directoryId: directoryId as string };
  });
}

/**
 * What becomes of a proposal. `adopt`: this state holds, apply it once its version is durable. `retry`: send the
 * identical proposal again. `keep`: pending until new metadata comes; still sent again now and then, since the word of
 * it may be lost. `ignore`: a reply to something else.
 */
export type ProposalDecision =
  | { readonly kind: 'adopt'; readonly state: PartitionState }
  | { readonly kind: 'retry' | 'keep' | 'ignore' };

/**
 * PROTOCOL 2.3, with one departure (docs/adr/0006): a state is applied only if it is of this leader epoch and newer,
 * and only a newer version ends a proposal. Messages may be doubled: what was refused as ineligible could be accepted
 * by a double that comes later, so the controller moves the version on with the refusal.
 */
export function applyProposalReply(
  view: Pick<LeaderView, 'state' | 'pending'>,
  reply: IsrProposalReply,
): ProposalDecision {
  const { state, pending } = view;
  const told = reply.state;
  if (told !== null && told.uuid === state.uuid && told.leaderEpoch === state.leaderEpoch) {
    if (told.version > state.version) return { kind: 'adopt', state: told };
  }
  if (pending === null || reply.proposalId !== pending.proposalId) return { kind: 'ignore' };
  return { kind: reply.result === 'notController' ? 'retry' : 'keep' };
}
