import type { PartitionState } from '../../model/partition-state.ts';
import type { PartitionWorld } from './partition-world.ts';

/**
 * Whether so many assigned replicas have said in this reign what they know that a state which the coordinator lost would have shown (R17). What was acknowledged under such a state is known to
 * `minInsync` replicas at least, each of which remembers the version: among all but `minInsync - 1` of the replicas there is one. Never more than `minInsync` are asked for, without
 * which nothing could be written anyway: where that is no majority of the replicas, a coordinator that loses writes is not guarded against.
 *
 * Once in a reign is enough: what is lost while a controller reigns was written by itself, so its session is not served any more.
 */
export function isWitnessed(state: PartitionState, { heard, ...world }: PartitionWorld): boolean {
  const { replicas } = state;
  const minInsync = Math.min(Math.max(1, state.minInsync ?? world.minInsync), replicas.length);
  const heardCount = replicas.filter((node) => heard.has(node)).length;
  return heardCount >= Math.min(minInsync, replicas.length - minInsync + 1);
}
