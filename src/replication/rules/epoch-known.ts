import { isWitness } from '../../model/partition-state.ts';
import type { LeaderView } from './types.ts';

/**
 * Whether nothing that is written now can be of an epoch that is begun twice (I1, R17). Where the coordinator forgets
 * an election, the nodes alone know of the epoch: whoever fetches in it has made that durable before. With `minInsync`
 * of them, the leader included, no later controller can hear as many as it must and not hear of it (`isWitnessed`: who
 * is only being added does not count).
 */
export function isEpochKnown({
  state,
  minInsync,
  followers,
}: Pick<LeaderView, 'state' | 'minInsync' | 'followers'>): boolean {
  let count = 1;
  for (const { node, fetchOffset } of followers.values())
    count += fetchOffset >= 0 && isWitness(state, node) ? 1 : 0;
  return count >= Math.min(minInsync, state.replicas.length);
}
