import { isWitness, type PartitionState } from '../../model/partition-state.ts';
import type { PartitionWorld } from './partition-world.ts';

/**
 * Whether so many assigned replicas have said in this reign what they know that a state which the coordinator lost
 * would have shown (R17). What was acknowledged under such a state is known to `minInsync` replicas at least, each of
 * which remembers the version: among all but `minInsync - 1` of the replicas there is one. Never more than `minInsync`
 * are asked for, without which nothing could be written anyway: where that is no majority of the replicas, a
 * coordinator that loses writes is not guarded against.
 *
 * Once in a reign is enough: what is lost while a controller reigns was written by itself, so its session is not served any more.
 */
export function isWitnessed(state: PartitionState, { heard, minInsync }: PartitionWorld): boolean {
  const { replicas } = state;
  const heardCount = replicas.filter((node) => heard.has(node) && isWitness(state, node)).length;
  // A change of min.insync may be what was forgotten, here or in `/cluster`.
  const needs = [state.minInsync ?? minInsync, minInsync].map((min) => needOf(min, replicas.length));
  return heardCount >= Math.max(...needs);
}

function needOf(minInsync: number, count: number): number {
  const min = Math.min(Math.max(1, minInsync), count);
  return Math.min(min, count - min + 1);
}

/**
 * Whether the leader has said in this reign what it knows, where `next` lets it lead on in its epoch. It may go by a
 * newer version than the coordinator remembers, and would take an echo of `next`, which has the number of that one, for
 * an echo of its own (R17). Whoever has spoken takes nothing of an earlier reign any more.
 */
export function hasLeaderSpoken(
  { leader, leaderEpoch }: PartitionState,
  next: Pick<PartitionState, 'leaderEpoch'>,
  { heard }: Pick<PartitionWorld, 'heard'>,
): boolean {
  return leader === null || next.leaderEpoch !== leaderEpoch || heard.has(leader);
}
