import type { PartitionState } from '../../model/partition-state.ts';
import { type Decision, type DecisionReason, memberOf, type PartitionWorld } from './partition-world.ts';

/**
 * Elections that nobody is in a hurry for, away from a leader that is alive, or anew for the same. `memberReturned` is
 * not among them: the leader waits for a life that is over, and could not come to an end.
 */
const PLANNED: ReadonlySet<DecisionReason> = new Set([
  'leaderShutsDown',
  'leaderTroubled',
  'leaderLost',
  'reassignDone',
  'preferred',
]);

/**
 * What is to be done before `decision` is: a planned election waits, for a bounded time, until the leader it ends has
 * nothing in flight (PROTOCOL L9), so that no write is left in doubt by it.
 */
export function awaitHandOver(state: PartitionState, world: PartitionWorld, decision: Decision): Decision {
  if (decision.kind !== 'write' || !PLANNED.has(decision.reason)) return decision;
  const { leader } = state;
  if (leader === null || decision.next.leaderEpoch === state.leaderEpoch) return decision;
  const { incarnation, staysMember } = memberOf(world, leader);
  // One that has found no room to begin its epoch has nothing in flight, and would not answer.
  if (incarnation !== state.incarnations[leader] || staysMember === true) return decision;
  const { isReady, waitedMs } = world.handOver;
  if (isReady || waitedMs >= world.handOverMsMax) return decision;
  return { kind: 'handOver', leader, forMs: world.handOverMsMax };
}
