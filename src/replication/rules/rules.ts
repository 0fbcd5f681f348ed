import { arrivedWhole } from './arrival.ts';
import { isEpochKnown } from './epoch-known.ts';
import { checkFetch, noteRebuild, startsRebuild } from './fetch-check.ts';
import {
  hasOverslept,
  isCaughtUp,
  isSilent,
  newProgress,
  noteEcho,
  noteFetch,
  withoutLease,
} from './follower-progress.ts';
import { nextHandOver } from './hand-over.ts';
import { acceptsAppends, countsForHighWatermark, highWatermark, isWaitedFor } from './high-watermark.ts';
import { applyProposalReply, leaseSet, maximalIsr, mayJoinIsr, membersToRemove, nextIsr } from './in-sync.ts';
import {
  bootWaitUntil,
  clockJumped,
  leaseExpiry,
  leaseValid,
  mayAct,
  mayActAt,
  promiseUntil,
  readGapMs,
  readIndexConfirmed,
  servesReads,
  versionCheckConfirms,
} from './lease.ts';
import { acceptsState, mayLearnVersion } from './state-acceptance.ts';
import { floorPinned, tombstoneRemoveOffset } from './tombstones.ts';
import { followerHighWatermark, mayFollowEpoch, stepDownOutcome, truncationPoint } from './truncation.ts';

/**
 * Every decision of replication, each a small total pure function. Production code is handed this object and calls
 * rules through it alone, and a rule that rests on others is handed them: so a test can put another function in one
 * place, and see who notices.
 */
export const RULES = {
  // What a leader knows of a follower
  newProgress,
  noteFetch,
  noteEcho,
  withoutLease,
  isCaughtUp,
  isSilent,
  hasOverslept,

  // In-sync replicas
  maximalIsr,
  leaseSet,
  mayJoinIsr,
  membersToRemove,
  nextIsr,
  applyProposalReply,

  // What is committed
  acceptsAppends,
  isEpochKnown,
  countsForHighWatermark,
  isWaitedFor,
  highWatermark,
  followerHighWatermark,

  // Reconciliation
  arrivedWhole,
  checkFetch,
  startsRebuild,
  noteRebuild,
  truncationPoint,
  stepDownOutcome,
  mayFollowEpoch,
  acceptsState,
  mayLearnVersion,
  nextHandOver,

  // Leases and reads
  leaseExpiry,
  clockJumped,
  promiseUntil,
  mayActAt,
  mayAct,
  bootWaitUntil,
  servesReads,
  leaseValid,
  readGapMs,
  readIndexConfirmed,
  versionCheckConfirms,

  // Merge
  tombstoneRemoveOffset,
  floorPinned,
};

export type ReplicationRules = typeof RULES;
