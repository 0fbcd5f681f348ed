import type { Incarnation, MonotonicMillis } from '../../model/numbers.ts';
import type { Fetch, FetchOutcome } from '../messages.ts';
import type { FollowerProgress, LeaderView, LogSnapshot, Rebuild } from './types.ts';

/** `suspectsSelf`: somebody knows a newer epoch: drop the leases and read the metadata again (4.3-5). */
export interface FetchRefusal {
  readonly outcome: Exclude<FetchOutcome, { readonly result: 'data' }>;
  readonly suspectsSelf: boolean;
}

/**
 * The checks of PROTOCOL 2.6 in their order; null: accepted. Another uuid is another partition, whose epochs say
 * nothing. A life older than the one that is known is over (KAFKA-14139). Tombstones that this follower never saw may
 * be gone at or below the removed floor (C5).
 */
export function checkFetch(
  view: LeaderView,
  fetch: Fetch,
  log: LogSnapshot,
  known: { readonly progress: FollowerProgress | undefined; readonly rebuild: Rebuild | undefined },
): FetchRefusal | null {
  const fenced = checkSender(view, fetch, known.progress?.incarnation);
  if (fenced !== null) return fenced;
  if (fetch.fetchOffset < log.logStartOffset) return refusal('outOfRange');
  const { epoch, endOffset } = log.epochEnd(fetch.lastFetchedEpoch);
  if (epoch < fetch.lastFetchedEpoch || endOffset < fetch.fetchOffset) {
    return { outcome: { result: 'diverging', epoch, endOffset }, suspectsSelf: false };
  }
  if (needsResync(fetch, log, known.rebuild)) return refusal('resync');
  return null;
}

/** Step 1. Nobody is told to cut records of an epoch that is newer than the leader's. */
function checkSender(
  view: LeaderView,
  fetch: Fetch,
  knownIncarnation: Incarnation | undefined,
): FetchRefusal | null {
  if (fetch.uuid !== view.state.uuid) return refusal('unknownEpoch');
  if (fetch.leaderEpoch < view.leaderEpoch) return refusal('fenced');
  if (fetch.leaderEpoch > view.leaderEpoch || fetch.lastFetchedEpoch > view.leaderEpoch) {
    return { outcome: { result: 'unknownEpoch' }, suspectsSelf: true };
  }
  if (!view.state.replicas.includes(fetch.from)) return refusal('unknownEpoch');
  const newest = Math.max(view.live.get(fetch.from) ?? 0, knownIncarnation ?? 0);
  return fetch.fromIncarnation < newest ? refusal('fenced') : null;
}

function refusal(result: 'resync' | 'fenced' | 'unknownEpoch' | 'outOfRange'): FetchRefusal {
  return { outcome: { result }, suspectsSelf: false };
}

function needsResync(fetch: Fetch, log: LogSnapshot, rebuild: Rebuild | undefined): boolean {
  if (fetch.fetchOffset > log.removedFloor) return false;
  if (fetch.rebuildId === 0) return true;
  if (startsRebuild(fetch)) return false;
  return rebuild?.rebuildId !== fetch.rebuildId || rebuild.removalCount !== log.removalCount;
}

/** The first fetch of a declared rebuild: from an empty log. */
export function startsRebuild(fetch: Fetch): boolean {
  return fetch.rebuildId !== 0 && fetch.fetchOffset === 0 && fetch.lastFetchedEpoch === 0;
}

/** The rebuild after an accepted fetch; undefined: the follower is in none. */
export function noteRebuild(
  rebuild: Rebuild | undefined,
  fetch: Fetch,
  removalCount: number,
  nowMs: MonotonicMillis,
): Rebuild | undefined {
  if (fetch.rebuildId === 0) return undefined;
  if (rebuild?.rebuildId === fetch.rebuildId && !startsRebuild(fetch)) {
    return { ...rebuild, lastFetchAtMs: nowMs };
  }
  const { from: node, rebuildId } = fetch;
  return { node, rebuildId, removalCount, startedAtMs: nowMs, lastFetchAtMs: nowMs };
}
