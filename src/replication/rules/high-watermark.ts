import { asOffset, type MonotonicMillis, type NodeId, type Offset } from '../../model/numbers.ts';
import { isEligible, isMember, type LagRules, type MaximalIsrRule } from './in-sync.ts';
import type { FollowerProgress, LeaderView } from './types.ts';

/** Appends are accepted only while the committed ISR has at least `minInsync` members (R1): pending ones do not count. */
export function acceptsAppends(view: Pick<LeaderView, 'state' | 'minInsync'>): boolean {
  return view.state.isr.length >= view.minInsync;
}

/**
 * What it has on disk counts: it fetched in this epoch (I5), under the life and directory of the committed state or of
 * the proposal (KIP-903, R5), and has made durable that the version holds which the leader counts by (R17).
 */
export function countsForHighWatermark(view: LeaderView, progress: FollowerProgress): boolean {
  return progress.fetchOffset >= 0 && isMember(view, progress) && progress.ackedVersion >= view.state.version;
}

/**
 * The high watermark waits for it although it is no member yet: it is caught up and will join (PROTOCOL 2.5), unless it
 * may not (KAFKA-15021).
 */
export function isWaitedFor(
  view: LeaderView,
  progress: FollowerProgress,
  nowMs: MonotonicMillis,
  rules: Pick<LagRules, 'isCaughtUp'>,
): boolean {
  return isEligible(view, progress) && rules.isCaughtUp(view, progress, nowMs);
}

export interface HighWatermarkRules extends LagRules, MaximalIsrRule {
  acceptsAppends(view: Pick<LeaderView, 'state' | 'minInsync'>): boolean;
  countsForHighWatermark(view: LeaderView, progress: FollowerProgress): boolean;
  isWaitedFor(
    view: LeaderView,
    progress: FollowerProgress,
    nowMs: MonotonicMillis,
    rules: Pick<LagRules, 'isCaughtUp'>,
  ): boolean;
  mayAct(mayActAtMs: MonotonicMillis, nowMs: MonotonicMillis): boolean;
}

/**
 * What is committed: the smallest durable offset over the maximal ISR and those it waits for (PROTOCOL 2.5, R8). It
 * stands while the leader may not act (L5), while the committed ISR is below min.insync (R1, KAFKA-15583), and while a
 * member does not count. It never goes back (I3).
 */
export function highWatermark(view: LeaderView, nowMs: MonotonicMillis, rules: HighWatermarkRules): Offset {
  const current = view.highWatermark;
  if (!rules.mayAct(view.mayActAtMs, nowMs) || !rules.acceptsAppends(view)) return current;
  const isr = rules.maximalIsr(view);
  let lowest: number = view.durableOffset;
  for (const node of isr) {
    if (node === view.self) continue;
    const progress = view.followers.get(node);
    if (progress === undefined || !rules.countsForHighWatermark(view, progress)) return current;
    lowest = Math.min(lowest, progress.durableOffset);
  }
  if (view.followers.size >= isr.length) lowest = Math.min(lowest, lowestWaitedFor(view, isr, nowMs, rules));
  return asOffset(Math.max(current, lowest));
}

function lowestWaitedFor(
  view: LeaderView,
  isr: readonly NodeId[],
  nowMs: MonotonicMillis,
  rules: HighWatermarkRules,
): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (const progress of view.followers.values()) {
    if (progress.durableOffset >= lowest || isr.includes(progress.node)) continue;
    if (rules.isWaitedFor(view, progress, nowMs, rules)) lowest = progress.durableOffset;
  }
  return lowest;
}
