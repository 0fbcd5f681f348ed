import { asOffset, type MonotonicMillis, type Offset } from '../../model/numbers.ts';
import type { LeaderView, Rebuild } from './types.ts';

/**
 * R16: no tombstone at or above this offset is removed: it is on the disk of everybody assigned (adding ones included)
 * who was not away for longer than the retention.
 */
export function tombstoneRemoveOffset(view: LeaderView, nowMs: MonotonicMillis, retentionMs: number): Offset {
  let lowest = Math.min(view.durableOffset, view.highWatermark);
  for (const node of new Set([...view.state.replicas, ...view.state.adding])) {
    if (node === view.self) continue;
    const progress = view.followers.get(node);
    const heardAtMs = Math.max(progress?.lastFetchAtMs ?? Number.NEGATIVE_INFINITY, view.startedAtMs);
    if (nowMs - heardAtMs > retentionMs) continue;
    lowest = Math.min(lowest, progress?.durableOffset ?? -1);
  }
  return asOffset(Math.max(0, lowest));
}

/**
 * C5: while a follower rebuilds, nothing is removed; a rebuild that was not heard of for a while, or takes too long,
 * holds nothing up.
 */
export function floorPinned(
  rebuilds: Iterable<Rebuild>,
  nowMs: MonotonicMillis,
  limits: { readonly idleMsMax: number; readonly rebuildMsMax: number },
): boolean {
  for (const rebuild of rebuilds) {
    const isActive = nowMs - rebuild.lastFetchAtMs <= limits.idleMsMax;
    if (isActive && nowMs - rebuild.startedAtMs <= limits.rebuildMsMax) return true;
  }
  return false;
}
