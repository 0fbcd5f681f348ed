import { asMonotonicMillis, type MonotonicMillis } from '../../model/numbers.ts';
import type { FollowerProgress, LeaderView } from '../rules/types.ts';

/**
 * When the leader must look again though nothing happens: the earliest instant after `nowMs` at which a rule may answer
 * differently. Infinity: never.
 */
export function nextDeadline(
  view: LeaderView,
  nowMs: MonotonicMillis,
  others: readonly MonotonicMillis[],
): MonotonicMillis {
  let dueMs = view.mayActAtMs > nowMs ? view.mayActAtMs : Number.POSITIVE_INFINITY;
  for (const atMs of others) if (atMs > nowMs && atMs < dueMs) dueMs = atMs;
  for (const progress of view.followers.values()) {
    const atMs = followerDeadline(view, progress, nowMs);
    if (atMs < dueMs) dueMs = atMs;
  }
  return asMonotonicMillis(dueMs);
}

/**
 * Of a member: when it counts as silent or lagging. Of another: when the high watermark need not wait for it any longer
 * (KAFKA-15021).
 */
function followerDeadline(view: LeaderView, progress: FollowerProgress, nowMs: MonotonicMillis): number {
  const graceMs = Math.max(progress.sinceMs, view.listeningSinceMs);
  const isMember = view.state.isr.includes(progress.node);
  const instants = isMember
    ? [graceMs, Math.max(graceMs, progress.lastFetchAtMs), Math.max(graceMs, progress.lastCaughtUpAtMs)]
    : [progress.lastCaughtUpAtMs];
  let dueMs = Number.POSITIVE_INFINITY;
  for (const instant of instants) {
    // Both rules say "longer than": a millisecond later it is.
    const atMs = instant + view.lagMsMax + 1;
    if (atMs > nowMs && atMs < dueMs) dueMs = atMs;
  }
  return dueMs;
}
