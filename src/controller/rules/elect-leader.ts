import { asLeaderEpoch, type LeaderEpoch, type NodeId } from '../../model/numbers.ts';
import type { Candidate } from './partition-world.ts';

/**
 * Who leads: the greatest (last epoch, log end offset), since it truncates least; those who did not say come last;
 * among equals the first in the order given. Every candidate holds everything committed, so this is never what safety
 * rests on (4.3-16). Null: there is no candidate.
 */
export function electLeader(candidates: readonly Candidate[]): NodeId | null {
  let best: Candidate | undefined;
  for (const candidate of candidates) {
    if (best === undefined || isAhead(candidate, best)) best = candidate;
  }
  return best?.node ?? null;
}

function isAhead(candidate: Candidate, than: Candidate): boolean {
  if (candidate.position === null) return false;
  if (than.position === null) return true;
  const epochs = candidate.position.lastEpoch - than.position.lastEpoch;
  return epochs !== 0 ? epochs > 0 : candidate.position.logEndOffset > than.position.logEndOffset;
}

/** Above every epoch that the coordinator or any node knows (I1, R17). */
export function nextLeaderEpoch(committed: LeaderEpoch, reportedMax: LeaderEpoch): LeaderEpoch {
  return asLeaderEpoch(Math.max(committed, reportedMax) + 1);
}
