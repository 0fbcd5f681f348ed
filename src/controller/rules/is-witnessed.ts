import { isWitness, type PartitionState } from '../../model/partition-state.ts';
import type { PartitionWorld } from './partition-world.ts';

/**
 * Whether so many assigned replicas have said in this reign what they know that a state which the coordinator lost would have shown (R17). What was acknowledged under such a state is known to
 * `minInsync` replicas at least, each of which remembers the version: among all but `minInsync - 1` of the replicas there is one. Never more than `minInsync` are asked for, without
 * which nothing could be written anyway: where that is no majority of the replicas, a coordinator that loses writes is not guarded against.
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
