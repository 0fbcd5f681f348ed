import {
  asMonotonicMillis,
  asOffset,
  asPartitionVersion,
  type Incarnation,
  type MonotonicMillis,
  type NodeId,
  type Offset,
  type PartitionVersion,
} from '../../model/numbers.ts';
import type { FollowerProgress, LeaderView } from './types.ts';

const NEVER_MS = asMonotonicMillis(Number.NEGATIVE_INFINITY);
const NONE = asOffset(-1);

/** A replica that has not been heard of yet under this life and directory. */
export function newProgress(
  node: NodeId,
  incarnation: Incarnation,
  directoryId: string,
  nowMs: MonotonicMillis,
): FollowerProgress {
  return {
    node,
    incarnation,
    directoryId,
    fetchOffset: NONE,
    durableOffset: NONE,
    ackedVersion: asPartitionVersion(-1),
    sinceMs: nowMs,
    lastFetchAtMs: NEVER_MS,
    lastCaughtUpAtMs: NEVER_MS,
    lagMarkOffset: NONE,
    lagMarkAtMs: NEVER_MS,
    isRebuilding: false,
    leaseUntilMs: NEVER_MS,
    leaseClockGapMs: 0,
    echoedSequence: -1,
  };
}

/** What an accepted fetch, or word of progress, says of a follower. */
export interface FollowerWord {
  /** -1: word of progress, which asks for nothing. */
  readonly fetchOffset: Offset;
  readonly durableOffset: Offset;
  readonly partitionVersion: PartitionVersion;
  /** 0: in no rebuild; absent in word of progress. */
  readonly rebuildId?: number;
}

/**
 * A follower's progress after a fetch that reconciliation accepted, or after word of progress (R8). It was caught up at
 * the instant a mark was set, once it has on disk what the log held then (PROTOCOL 2.4). The mark stands until it is
 * reached, not just until the next fetch: a follower that fetches on while it still writes is always one fetch behind.
 * Nothing beyond the log end that reconciliation accepted counts as being on its disk.
 */
export function noteFetch(
  progress: FollowerProgress,
  word: FollowerWord,
  logEndOffset: Offset,
  nowMs: MonotonicMillis,
): FollowerProgress {
  const isFetch = word.fetchOffset >= 0;
  const fetchOffset = isFetch ? word.fetchOffset : progress.fetchOffset;
  const durableOffset = asOffset(Math.min(Math.max(progress.durableOffset, word.durableOffset), fetchOffset));
  const hasMark = progress.lagMarkAtMs !== NEVER_MS;
  const reachedMark = hasMark && durableOffset >= progress.lagMarkOffset;
  const needsMark = !hasMark || reachedMark;
  const caughtUpAtMs = reachedMark ? progress.lagMarkAtMs : progress.lastCaughtUpAtMs;
  // Written out, for it is done for every fetch: a spread with fields replaced takes 1.3 us, this 25 ns.
  return {
    node: progress.node,
    incarnation: progress.incarnation,
    directoryId: progress.directoryId,
    fetchOffset,
    durableOffset,
    ackedVersion: asPartitionVersion(Math.max(progress.ackedVersion, word.partitionVersion)),
    sinceMs: progress.sinceMs,
    lastFetchAtMs: isFetch ? nowMs : progress.lastFetchAtMs,
    lastCaughtUpAtMs: durableOffset >= logEndOffset ? nowMs : caughtUpAtMs,
    lagMarkOffset: needsMark ? logEndOffset : progress.lagMarkOffset,
    lagMarkAtMs: needsMark ? nowMs : progress.lagMarkAtMs,
    isRebuilding: isFetch ? (word.rebuildId ?? 0) !== 0 : progress.isRebuilding,
    leaseUntilMs: progress.leaseUntilMs,
    leaseClockGapMs: progress.leaseClockGapMs,
    echoedSequence: progress.echoedSequence,
  };
}

/** It has everything, or had everything at an instant not longer than `lagMsMax` ago (PROTOCOL 2.4). */
export function isCaughtUp(
  view: Pick<LeaderView, 'logEndOffset' | 'lagMsMax'>,
  progress: FollowerProgress,
  nowMs: MonotonicMillis,
): boolean {
  if (progress.durableOffset >= view.logEndOffset) return true;
  return nowMs - progress.lastCaughtUpAtMs <= view.lagMsMax;
}

/** No fetch for `lagMsMax`, even where nothing was to be fetched (PROTOCOL 2.4, against KAFKA-7152): it would block leases. */
export function isSilent(
  view: Pick<LeaderView, 'listeningSinceMs' | 'lagMsMax'>,
  progress: FollowerProgress,
  nowMs: MonotonicMillis,
): boolean {
  const heardAtMs = Math.max(progress.lastFetchAtMs, progress.sinceMs, view.listeningSinceMs);
  return nowMs - heardAtMs > view.lagMsMax;
}

/** A timer was this late: the leader itself was stopped, and heard nobody meanwhile (KAFKA-8733). */
export function hasOverslept(dueAtMs: MonotonicMillis, nowMs: MonotonicMillis, lagMsMax: number): boolean {
  return nowMs - dueAtMs > lagMsMax / 10;
}

/** A promise was echoed (L3): the lease that lasts longest holds. */
export function noteEcho(
  progress: FollowerProgress,
  echo: { readonly sequence: number; readonly leaseUntilMs: MonotonicMillis; readonly clockGapMs: number },
): FollowerProgress {
  const isLonger = echo.leaseUntilMs > progress.leaseUntilMs;
  return {
    ...progress,
    echoedSequence: Math.max(progress.echoedSequence, echo.sequence),
    leaseUntilMs: isLonger ? echo.leaseUntilMs : progress.leaseUntilMs,
    leaseClockGapMs: isLonger ? echo.clockGapMs : progress.leaseClockGapMs,
  };
}

/** L8: the lease goes, and so do echoes that came before. */
export function withoutLease(progress: FollowerProgress): FollowerProgress {
  return { ...progress, leaseUntilMs: NEVER_MS, echoedSequence: -1 };
}
