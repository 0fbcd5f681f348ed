import { assignReplicas } from './assign-replicas.ts';
import { awaitHandOver } from './await-hand-over.ts';
import { classifyMember } from './classify-member.ts';
import { electLeader, nextLeaderEpoch } from './elect-leader.ts';
import { hasLeaderSpoken, isWitnessed } from './is-witnessed.ts';
import { nextIsrElr } from './next-isr-elr.ts';
import { isLeaderless, standsStill } from './stand-still.ts';

/** Rules that need no other rule. */
export const LEAF_RULES = {
  assignReplicas,
  awaitHandOver,
  classifyMember,
  electLeader,
  hasLeaderSpoken,
  isLeaderless,
  isWitnessed,
  nextIsrElr,
  nextLeaderEpoch,
  standsStill,
};

export type LeafRules = typeof LEAF_RULES;
