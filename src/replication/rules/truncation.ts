import { asOffset, type LeaderEpoch, type Offset } from '../../model/numbers.ts';
import type { FetchOutcome } from '../messages.ts';

/**
 * `belowHighWatermark`: committed records would go: an alarm, never an order (PROTOCOL 2.6). Allowed only under a
 * declared unclean election, by a rebuild.
 */
export type TruncationPoint =
  | { readonly kind: 'truncate'; readonly offset: Offset }
  | { readonly kind: 'belowHighWatermark'; readonly offset: Offset };

/**
 * Where a follower cuts its log when the leader's parts from it at the end of an epoch: min(the leader's end, its own
 * end of that epoch), by epochs only and never by its own high watermark (KIP-101, KIP-279). Repeated until the leader
 * accepts. The epoch cache is cut there too, even at or above the log's end (KAFKA-10706).
 */
export function truncationPoint(input: {
  /** The leader's answer, of an epoch E. */
  readonly endOffset: Offset;
  /** Where the follower's own epoch cache says that E, or the largest epoch below it, ends. */
  readonly ownEndOffset: Offset;
  readonly logEndOffset: Offset;
  /** The follower's. */
  readonly highWatermark: Offset;
}): TruncationPoint {
  const offset = asOffset(Math.min(input.endOffset, input.ownEndOffset, input.logEndOffset));
  return { kind: offset < input.highWatermark ? 'belowHighWatermark' : 'truncate', offset };
}

/** min(own log end, the leader's), from data replies alone (KAFKA-14704); never back. */
export function followerHighWatermark(input: {
  readonly current: Offset;
  readonly logEndOffset: Offset;
  readonly outcome: Pick<FetchOutcome, 'result'> & { readonly highWatermark?: Offset };
}): Offset {
  const { current, logEndOffset, outcome } = input;
  if (outcome.result !== 'data' || outcome.highWatermark === undefined) return current;
  return asOffset(Math.max(current, Math.min(logEndOffset, outcome.highWatermark)));
}

/**
 * R22: what was sealed followers may have: from the high watermark to `refusedFrom` it is in doubt, from there on it
 * never was.
 */
export interface StepDownOutcome {
  readonly inDoubtFrom: Offset;
  readonly refusedFrom: Offset;
}

export function stepDownOutcome(input: {
  readonly highWatermark: Offset;
  readonly sealedOffset: Offset;
}): StepDownOutcome {
  const inDoubtFrom = input.highWatermark;
  return { inDoubtFrom, refusedFrom: asOffset(Math.max(inDoubtFrom, input.sealedOffset)) };
}

/** L6: a node follows, fetches and promises in no epoch below the highest it knows durably. */
export function mayFollowEpoch(epoch: LeaderEpoch, epochMax: LeaderEpoch): boolean {
  return epoch >= epochMax;
}
